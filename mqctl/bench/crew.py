"""The workers as their conductor sees them: whom to tell what, and who said what."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from mqctl.bench import worker
from mqctl.bench.limits import within_limits
from mqctl.bench.messages import FromWorker, Gone, ToWorker, encode, from_worker
from mqctl.bench.team import clock
from mqctl.target import Target

EXIT_S = 1.0
"""How long workers that have nothing more to say may take to end."""


class Crew(Protocol):
    """The workers of a run, by name."""

    clocks: dict[str, str]
    """Each worker's name, in order, and whose monotonic clock it reads."""

    end_s: float
    """How long workers that are told to end may take to say what they did."""

    def tell(self, name: str, message: ToWorker) -> None:
        """Send a message to a worker; one that is gone does not hear it."""
        ...

    def hear(self, timeout_s: float) -> list[tuple[str, FromWorker]]:
        """Wait for messages, and take those that came. `Gone` is the last of a worker that died."""
        ...


class _Hand(NamedTuple):
    process: BaseProcess
    pipe: Pipe


class LocalCrew:
    """Processes of this machine. None outlives the `with` block, nor this process.

    Raises:
        UsageError: The system allows no more processes, or files.
    """

    end_s = 5.0

    def __init__(self, target: Target, count: int) -> None:
        self._hands: dict[str, _Hand] = {}
        self.clocks = {str(number): clock() for number in range(1, count + 1)}
        try:
            with _signals_are_ours(), within_limits():
                for name in self.clocks:
                    self._hands[name] = _hired(name, target)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def tell(self, name: str, message: ToWorker) -> None:
        """See `Crew.tell`."""
        if name in self._hands:
            with suppress(OSError):
                self._hands[name].pipe.send_bytes(encode(message))

    def hear(self, timeout_s: float) -> list[tuple[str, FromWorker]]:
        """See `Crew.hear`."""
        pipes = {hand.pipe: name for name, hand in self._hands.items()}
        return [(pipes[pipe], self._message(pipes[pipe])) for pipe in wait(list(pipes), timeout_s)]  # type: ignore[index]

    def _message(self, name: str) -> FromWorker:
        process, pipe = self._hands[name]
        try:
            message: FromWorker = from_worker.decode(pipe.recv_bytes())
        except (EOFError, OSError):
            del self._hands[name]
            process.join(EXIT_S)
            pipe.close()
            return Gone(_end_of(name, process.exitcode))
        return message

    def close(self) -> None:
        """Let go of all, wait a moment for their end, and kill who does not end."""
        for hand in self._hands.values():
            hand.pipe.close()
        deadline = time.monotonic() + EXIT_S
        for process, _ in self._hands.values():
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        self._hands.clear()


def _end_of(name: str, code: int | None) -> str:
    if code is not None and code < 0:
        return f"worker {name} was killed by {signal.Signals(-code).name}"
    return f"worker {name} ended by itself"


def _hired(name: str, target: Target) -> _Hand:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=worker.main, args=(name, target, theirs), name=f"mqctl.bench.{name}", daemon=True)
    try:
        process.start()
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return _Hand(process, ours)


@contextmanager
def _signals_are_ours() -> Iterator[None]:
    """Processes started inside never get Ctrl-C nor SIGTERM, and their conductor tells them what to do.

    A terminal sends the one to all processes in front, and `timeout` the other to its whole group.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, worker.LEADERS_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
