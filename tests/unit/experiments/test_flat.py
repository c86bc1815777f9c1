"""However long a history is, looking through it takes the same memory."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from benchmarks.check import queue, topic, write
from mqctl.experiments.check import check
from mqctl.experiments.checkers import acks
from mqctl.experiments.events import Event
from mqctl.experiments.history import Reader
from mqctl.measurement.verdict import Verdict

SHORT, LONG = 20_000, 60_000
GROWTH_MAX = 1.1

Maker = Callable[[int], Iterator[list[Event]]]


def peak_bytes(make: Maker, size: int) -> int:
    file = io.BytesIO()
    write(file, make(size))
    file.seek(0)
    tracemalloc.start()
    try:
        report = check(Reader(file), expect=["total-order", "exactly-once", "acks"])
        assert report.lines > size
        assert report.verdict is not Verdict.FAIL
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", [topic, queue])
def test_memory_does_not_grow_with_a_history(monkeypatch, make):
    monkeypatch.setattr(acks, "UNSURE_MAX", 100)
    # What is imported and cached on the way is there for the second, whichever comes first.
    peak_bytes(make, SHORT)
    assert peak_bytes(make, LONG) < GROWTH_MAX * peak_bytes(make, SHORT)
