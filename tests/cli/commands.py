"""The installed command, run to its end or beside the test; and the program in this process."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mqctl.cli.context import AppContext
from mqctl.cli.program import run as run_program

MQCTL = Path(sys.executable).parent / "mqctl"
PATIENCE_S = 25.0
"""For what must come. Nothing waits this long where all is well."""


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    code: int
    out: bytes
    err: str

    @property
    def last(self) -> str:
        """The last line of standard error."""
        return self.err.rstrip("\n").rpartition("\n")[2]

    @property
    def lines(self) -> list[str]:
        """Standard output."""
        return self.out.decode().splitlines()

    def __iter__(self):
        return iter((self.code, self.out, self.err))


class Running:
    """A command under way. Both its streams are read as they come, so that it never waits for this test."""

    def __init__(self, args: tuple[str, ...], env: Mapping[str, str], **streams: Any) -> None:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **streams}
        self.process = subprocess.Popen([MQCTL, *args], stderr=subprocess.PIPE, env=env, **streams)
        self.out: list[bytes] = []
        self.err: list[str] = []
        self._said: queue.Queue[str | None] = queue.Queue()
        self._printed: queue.Queue[bytes | None] = queue.Queue()
        self._readers = [threading.Thread(target=self._hear)]
        if self.process.stdout is not None:
            self._readers.append(threading.Thread(target=self._read))
        for reader in self._readers:
            reader.start()

    def _hear(self) -> None:
        for line in self.process.stderr:
            self.err.append(line.decode())
            self._said.put(self.err[-1])
        self._said.put(None)

    def _read(self) -> None:
        for line in self.process.stdout:
            self.out.append(line)
            self._printed.put(line)
        self._printed.put(None)

    def said(self, text: str) -> str:
        """Wait for a line on standard error that contains a text."""
        while (line := self._said.get(timeout=PATIENCE_S)) is not None:
            if text in line:
                return line
        raise AssertionError(f"it ended without saying {text!r}: {self.err}")

    def hears(self, text: str, within_s: float) -> bool:
        """Whether a line with a text comes on standard error soon."""
        deadline = time.monotonic() + within_s
        with contextlib.suppress(queue.Empty):
            while (line := self._said.get(timeout=max(0.0, deadline - time.monotonic()))) is not None:
                if text in line:
                    return True
        return False

    def printed(self) -> bytes:
        """Wait for the next line on standard output."""
        line = self._printed.get(timeout=PATIENCE_S)
        assert line is not None, self.err
        return line

    def write(self, data: bytes) -> None:
        """Type something."""
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end(self, signal: int | None = None) -> Result:
        """Wait for the end, after a signal if one is given."""
        if signal is not None:
            self.process.send_signal(signal)
        code = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        self.close()
        return Result(code, b"".join(self.out), "".join(self.err))

    def close(self) -> None:
        """Let nothing of it be left."""
        self.process.kill()
        self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                # What was not read any more cannot be written out now.
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def run(args: tuple[str, ...], env: Mapping[str, str], data: bytes | None = None, **streams: Any) -> Result:
    """Run a command to its end; `data` is its standard input."""
    where = {"stdout": subprocess.PIPE, **streams}
    given = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL, **where}
    done = subprocess.run(
        [MQCTL, *args], stderr=subprocess.PIPE, env=env, timeout=PATIENCE_S, check=False, **{**where, **given}
    )
    return Result(done.returncode, done.stdout or b"", done.stderr.decode())


def run_here(
    args: tuple[str | bytes, ...], env: Mapping[str, str], data: bytes | None = None, *, cwd: Path | None = None
) -> Result:
    """Run a command line in this process, for what is not about a process: to start one takes longer than the test."""
    out, err = io.BytesIO(), io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    with patch.dict(os.environ, env, clear=True), _own_alarm():
        context = AppContext(
            stdin=io.BytesIO(data or b""), stdout=out, stderr=err, environ=os.environ, cwd=cwd or Path(env["HOME"])
        )
        code = run_program([os.fsdecode(arg) for arg in args], context)
    err.flush()  # tracebacks are not
    return Result(code, out.getvalue(), err.buffer.getvalue().decode())


@contextlib.contextmanager
def _own_alarm() -> Iterator[None]:
    """`--timeout` uses the same alarm as the time limit of a test, which waits meanwhile; another ends the run."""
    left_s, _ = signal.getitimer(signal.ITIMER_REAL)
    faulthandler.dump_traceback_later(PATIENCE_S, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, left_s)
