"""A history written by a test: by the transports of mqctl, or by hand where the code under test is a client itself."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from mqctl.errors import UsageError
from mqctl.experiments import events
from mqctl.experiments.check import Report
from mqctl.experiments.history import Writer
from mqctl.experiments.planting import Place, Planter
from mqctl.testing.actors import Consumer, Producer, Read
from mqctl.testing.verdict import Hinted, assert_history, names

QUIET_S: Final = 0.5
"""After so long a silence, all is read that will come."""

DRAIN_S: Final = 30.0


class History:
    """What happened in a test, in a file, in the order in which it happened. Safe for threads.

    Attributes:
        path: The file.

    Args:
        path: Where to write; nothing is there yet.
        name: Of what is run.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self.path = path
        self._token = secrets.token_hex(4)
        self._changed = threading.Condition(threading.RLock())
        self._file = path.open("xb", buffering=0)
        self._writer = Writer(self._file, events.Header(version=events.VERSION, name=name))
        self._count = 0
        self._over = False
        self._consumers: list[Consumer] = []

    def __fspath__(self) -> str:
        return str(self.path)

    def producer(self, name: str) -> Producer:
        """Somebody who publishes: one ordered stream to one topic."""
        return Producer(name, self._token, self.put)

    def consumer(
        self, name: str, *, read: Read | None = None, plant: Mapping[str, int] = MappingProxyType({})
    ) -> Consumer:
        """Somebody who receives.

        Args:
            name: Of it.
            read: Tells which message a payload is, where it is not from `Producer.payload`.
            plant: Faults to spoil its record with, to prove that they are found: `drop`, `duplicate`, `swap`, `delay`,
                each behind so many deliveries.

        Raises:
            UsageError: There is no such fault.
        """
        consumer = Consumer(name, read or self._read, Planter(_places(plant)), self.put)
        self._consumers.append(consumer)
        return consumer

    def put(self, *happened: events.Event) -> None:
        """Write what happened; after the end nothing is written."""
        with self._changed:
            if not self._over and happened:
                self._writer.write(*happened)
                self._count += 1
                self._changed.notify_all()

    @contextmanager
    def trouble(self, fault: str) -> Iterator[None]:
        """Inside, something is wrong on purpose: reports tell it, and pictures are shaded there."""
        self.put(events.FaultBegan(fault, time.monotonic_ns()))
        try:
            yield
        finally:
            self.put(events.FaultEnded(fault, time.monotonic_ns()))

    def drain(self, *, quiet_s: float = QUIET_S, timeout_s: float = DRAIN_S) -> None:
        """Wait until nothing comes any more, and end the history.

        Args:
            quiet_s: So long nothing came, and nobody seeks a lost connection.
            timeout_s: Where that takes longer, the history ends as one of which not all was read.
        """
        if self._over:
            return
        drained = self._wait_for_silence(quiet_s, time.monotonic() + timeout_s)
        # Not under our lock: who records holds that of a consumer first, and then ours.
        for consumer in self._consumers:
            consumer.settle()
        with self._changed:
            self.put(events.End(time.monotonic_ns(), drained and not any(each.gone for each in self._consumers)))
            self.close()

    def expect(
        self,
        *properties: str,
        controls_required: bool = False,
        quiet_s: float = QUIET_S,
        timeout_s: float = DRAIN_S,
    ) -> Report:
        """Drain, and judge what happened: `expect("fifo", "no-loss")`.

        Raises:
            AssertionError: It shows that something does not hold; with the witness.
            Inconclusive: It cannot tell, and says why.
            UsageError: A name that there is not.
        """
        __tracebackhide__ = True
        with Hinted():
            if not properties:
                raise UsageError("nothing is expected", hint="name what must hold, such as fifo, no-loss")
            expected = names(properties)
        self.drain(quiet_s=quiet_s, timeout_s=timeout_s)
        return assert_history(self, expected, controls_required=controls_required)

    def close(self) -> None:
        """Write nothing more."""
        with self._changed:
            self._over = True
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _wait_for_silence(self, quiet_s: float, until_s: float) -> bool:
        while time.monotonic() < until_s:
            if self._is_silent(quiet_s) and not any(consumer.away for consumer in self._consumers):
                return True
        return False

    def _is_silent(self, quiet_s: float) -> bool:
        with self._changed:
            count = self._count
            return not self._changed.wait_for(lambda: self._count != count, quiet_s)

    def _read(self, payload: bytes) -> tuple[str, int] | None:
        match payload.decode(errors="replace").rsplit(" ", 2):
            case [name, n, self._token] if n.isdecimal():
                return name, int(n)
            case _:
                return None


def _places(plant: Mapping[str, int]) -> list[Place]:
    for fault in plant:
        if fault not in list(events.Fault):
            raise UsageError(f"no fault {fault!r} can be planted; there are: {', '.join(events.Fault)}")
    return sorted(Place(at, events.Fault(fault)) for fault, at in plant.items())
