"""What ends a run from outside: Ctrl-C, SIGTERM, the end of `--timeout`; each lets the message go out that is going."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from mqctl.durations import format_duration
from mqctl.errors import OperationTimeout

PATIENCE_S = 0.5
"""How long an end waits for a message that is on its way; past it, or at a second Ctrl-C, the message is cut short."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


class Interrupts:
    """Raises KeyboardInterrupt or OperationTimeout in the main thread, even out of a blocking read of standard input.

    Between `hold` and `release` they are kept back, so that what is sent is also entered in the books.

    Args:
        timeout_s: When the run is over; None is never.
    """

    def __init__(self, timeout_s: float | None = None) -> None:
        self._timeout_s = timeout_s
        self._held = False
        self._waiting: BaseException | None = None
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._before = [signal.signal(number, self._on_signal) for number in _SIGNALS]
        signal.setitimer(signal.ITIMER_REAL, self._timeout_s or 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def hold(self) -> None:
        """Keep back what would end the run."""
        self._held = True

    def release(self) -> None:
        """Let come what was kept back.

        Raises:
            KeyboardInterrupt: Ctrl-C or SIGTERM came meanwhile.
            OperationTimeout: The time ran out meanwhile.
        """
        self._held = False
        if self._waiting is not None:
            raise self._waiting

    @contextmanager
    def held(self) -> Iterator[None]:
        """Between `hold` and `release`.

        Raises:
            KeyboardInterrupt: As `release`.
            OperationTimeout: As `release`.
        """
        self.hold()
        yield
        self.release()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._waiting is not None:
            raise self._waiting
        end = self._timeout() if number == signal.SIGALRM else KeyboardInterrupt()
        if not self._held:
            raise end
        self._waiting = end
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)

    def _timeout(self) -> OperationTimeout:
        return OperationTimeout(f"--timeout is over after {format_duration(self._timeout_s or 0)}")
