"""Reports of any history: whole, harmless, and no larger than a report may be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mqctl.experiments.events import (
    Confirmed,
    ConnectionLost,
    ConnectionResumed,
    Delivered,
    End,
    Fault,
    FaultBegan,
    FaultEnded,
    Killed,
    Planted,
    Publish,
    Subscribed,
)
from mqctl.experiments.html import page
from mqctl.experiments.html.amounts import decades, steps
from mqctl.experiments.scene import LANES_MAX, SHOWN_MAX, SLICES_MAX
from tests.unit.experiments.html.parsed import Parsed, seen

names = st.sampled_from(["A", "B", "p1", "<b>", "한글", "\x1b[0m", ""])
numbers = st.integers(0, 40)
times = st.none() | st.integers(-(10**6), 10**12)
events = st.one_of(
    st.builds(Publish, names, numbers, names, times, times),
    st.builds(Confirmed, names, numbers, times),
    st.builds(Subscribed, names, names, at_ns=times),
    st.builds(Delivered, names, names, numbers, times, times, st.booleans()),
    st.builds(ConnectionLost, names, times),
    st.builds(ConnectionResumed, names, times),
    st.builds(Killed, names, times),
    st.builds(FaultBegan, names, times, names),
    st.builds(FaultEnded, names, times, names),
    st.builds(Planted, st.sampled_from(Fault), names, names, numbers, names, numbers),
)


@settings(deadline=None)
@given(st.lists(events, max_size=60), st.booleans())
def test_any_history_has_a_page(history, drained):
    report, scene = seen(history, [End(drained=drained)])
    found = Parsed(page(report, scene))
    assert {tag for tag, _ in found.elements}.isdisjoint({"script", "b"})
    assert len(scene.lanes) <= LANES_MAX + 2
    assert all(len(lane.boxes) <= SHOWN_MAX for lane in (scene.sent, *scene.lanes))
    published = [event for event in history if isinstance(event, Publish) and event.sent_ns is not None]
    assert sum(scene.course.published) == len(published)
    assert len(scene.course.published) <= SLICES_MAX


@given(st.floats(1, 1e15), st.floats(1, 1e6), st.integers(1, 9))
def test_ticks_are_within_and_few(low, ratio, most):
    found = decades(low, low * ratio, most)
    assert len(found) <= most
    assert found == sorted(set(found))
    assert all(low <= each <= low * ratio for each in found)


@given(st.integers(0, 10**18), st.integers(1, 9))
def test_steps_begin_at_nothing_and_are_few(span, most):
    found = steps(span, most)
    assert found[0] == 0
    assert len(found) <= most + 1
    assert found[-1] <= span
