"""The installed command, as a person runs it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue

from tests.brokers.process import Broker

PROGRAM = Path(sys.executable).with_name("mqctl")
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.err.rstrip("\n").rpartition("\n")[2]


class Run:
    """A run under way; standard error is read line by line."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [str(PROGRAM), *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._said: list[str] = []
        self._lines: Queue[str] = Queue()
        self._out = b""
        self._readers = [threading.Thread(target=read) for read in (self._read_err, self._read_out)]
        for reader in self._readers:
            reader.start()

    def await_line(self, words: str) -> str:
        """Wait for a line on standard error that holds `words`."""
        try:
            while words not in (line := self._lines.get(timeout=LIMIT_S)):
                assert line, f"ended without {words!r}: {self._said}"
        except Empty:
            raise AssertionError(f"{words!r} was not said within {LIMIT_S:g} s: {self._said}") from None
        return line

    def write(self, data: bytes) -> None:
        """Give it something on standard input. Raises OSError once it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def ended(self) -> Ended:
        """Close its standard input, and wait for its end."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        code = self._process.wait(LIMIT_S)
        for reader in self._readers:
            reader.join()
        return Ended(code=code, out=self._out.decode(), err="".join(self._said))

    def abandon(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self.ended()

    def _read_err(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                self._said.append(line.decode())
                self._lines.put(line.decode())
        self._lines.put("")

    def _read_out(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            self._out = stream.read()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`mqctl` with a broker chosen by its environment."""

    environment: dict[str, str]

    def run(self, *arguments: str, data: bytes = b"") -> Ended:
        """Run to the end."""
        with self.running(*arguments) as run:
            if data:
                run.write(data)
            return run.ended()

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[Run]:
        """A run that does not outlive the block."""
        run = Run(arguments, self.environment)
        try:
            yield run
        finally:
            run.abandon()


def program_at(broker: Broker, url: str, home: Path, **changes: str) -> Program:
    """The program at `url`, logged in; `changes` are further `MQCTL_` variables in lower case."""
    settings = {"url": url, "user": broker.user, "password": broker.password, "ca": str(broker.ca_file), **changes}
    return Program(
        environment={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            **{f"MQCTL_{name.upper()}": value for name, value in settings.items()},
        }
    )
