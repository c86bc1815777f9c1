"""Scenes: what came round a witness, how the run went; and no more is kept however long a history is."""

from __future__ import annotations

import pytest

from mqctl.experiments.events import (
    ConnectionLost,
    ConnectionResumed,
    Delivered,
    Fault,
    FaultBegan,
    FaultEnded,
    Header,
    Killed,
    Publish,
)
from mqctl.experiments.scene import HEAD, LANES_MAX, MARKS_MAX, SHOWN_MAX, SLICES_MAX, Moment, Period
from tests.unit.experiments.histories import END, attempted, got, here, planted, sent
from tests.unit.experiments.html.parsed import row, seen


def numbers(first: int, last: int, producer: str = "A") -> str:
    return " ".join(f"{producer}{n}" for n in range(first, last + 1))


def rows(*parts, **options) -> dict[str, str]:
    _, scene = seen(*parts, **options)
    return {lane.name: row(lane) for lane in (scene.sent, *scene.lanes)}


def test_without_a_witness_the_beginning_is_shown():
    assert rows(here("c"), sent("A1 B1"), got("c", "A1 B1"), END) == {"published": "A1 B1", "c": "A1 B1"}
    text = numbers(1, HEAD + 20)
    shown = rows(here("c"), sent(text), got("c", text), END)
    assert shown["c"] == f"{numbers(1, HEAD)} ⋯"


def test_with_one_what_came_round_it():
    swapped = f"{numbers(1, 99)} A101 A100 {numbers(102, 200)}"
    shown = rows(here("c", "d"), sent(numbers(1, 200)), got("c", swapped), got("d", numbers(1, 200)), END)
    assert shown["c"] == "⋯ A94 A95 A96 A97 A98 A99 A101! A100! A102 A103 A104 A105 A106 A107 ⋯"
    assert shown["d"] == "⋯ A94 A95 A96 A97 A98 A99 A100! A101! A102 A103 A104 A105 A106 A107 ⋯"
    assert shown["published"] == shown["d"]


def test_what_is_far_apart_has_a_gap_between():
    far = f"{numbers(1, 29)} {numbers(31, 60)} A30 {numbers(61, 90)}"
    shown = rows(here("c"), sent(numbers(1, 90)), got("c", far), END)
    assert "A30! A31 A32 A33 A34 A35 A36 ⋯ A54" in shown["published"]
    assert "A59 A60! A30! A61" in shown["c"]


def test_of_what_is_lost_the_neighbours_are_shown():
    lossy = f"{numbers(1, 49)} {numbers(51, 90)}"
    shown = rows(here("c"), sent(numbers(1, 90)), got("c", lossy), END)
    assert "A49 A51" in shown["c"]
    assert "A49 A50! A51" in shown["published"]


def test_no_row_is_longer_than_fits():
    everything = f"A1 {' '.join(f'B{n} A{n}' for n in range(2, 400))} B1"
    _, scene = seen(here("c"), sent(everything), got("c", everything), END, expect="fifo")
    assert all(len(lane.boxes) <= SHOWN_MAX for lane in (scene.sent, *scene.lanes))


def test_who_is_in_a_witness_is_shown_and_of_others_a_few():
    names = [f"c{i}" for i in range(LANES_MAX + 5)]
    good = [event for name in names[:-1] for event in got(name, "A1 A2")]
    _, scene = seen(here(*names), sent("A1 A2"), good, got(names[-1], "A2 A1"), END)
    assert [lane.name for lane in scene.lanes] == [*names[:LANES_MAX], names[-1]]
    assert scene.hidden == 4
    assert scene.focused


def test_a_witness_without_a_drawing_leaves_the_beginning():
    slow = [Delivered("c", "A", n, received_ns=1_000_000, intended_ns=0) for n in range(20)]
    report, scene = seen(slow, END, expect="p50<1ms")
    assert report.verdict == "fail"
    assert not scene.focused
    assert row(scene.lanes[0]) == numbers(0, 19)


def test_the_course():
    second = 1_000_000_000
    _, scene = seen(
        [FaultBegan("rain")],
        [Publish("A", 1, topic="orders", sent_ns=second), Publish("A", 2, sent_ns=3 * second)],
        [FaultBegan("cut", 2 * second, "c"), ConnectionLost("c", 2 * second), ConnectionResumed("c", 3 * second)],
        [FaultEnded("cut", 3 * second, "c"), FaultEnded("snow", 3 * second)],
        planted(Fault.DROP, "c", "A2"),
        [Killed("broker", 3 * second), FaultBegan("slow", 3 * second), FaultBegan("slow", 4 * second)],
        [Delivered("c", "A", 1, received_ns=4 * second, intended_ns=second)],
        END,
    )  # fmt: skip
    course = scene.course
    assert scene.topics == ["orders"]
    assert course.periods == [
        Period("c away", 2 * second, 3 * second),
        Period("cut of c", 2 * second, 3 * second),
        Period("slow", 3 * second, None),
    ]
    assert course.moments == [Moment("broker killed", 3 * second)]
    assert course.planted == [Moment("drop of A2 at c", 3 * second)]
    assert (sum(course.published), sum(course.delivered)) == (2, 1)
    assert len(course.published) == len(course.delivered) <= SLICES_MAX
    assert course.start_ns <= second < course.start_ns + course.slice_ns
    assert course.published[0] == course.delivered[-1] == 1


def test_a_history_without_times_has_no_course():
    _, scene = seen(here("c"), attempted("A1"), got("c", "A1"), FaultBegan("cut"), END)
    assert scene.course.start_ns is None
    assert scene.latency.counts == {}


@pytest.mark.parametrize("apart_ns", [1, 1_000, 7_777_777])
def test_the_slices_of_a_long_run_are_few_and_count_everything(apart_ns):
    events = [Publish("A", n, sent_ns=n * apart_ns) for n in range(5_000)]
    _, scene = seen(events, END)
    assert SLICES_MAX / 2 <= len(scene.course.published) <= SLICES_MAX
    assert sum(scene.course.published) == 5_000


def test_marks_are_few_too():
    _, scene = seen([Killed("c", n) for n in range(MARKS_MAX + 50)], END)
    assert len(scene.course.moments) == MARKS_MAX


@pytest.mark.parametrize(("clocks", "samples"), [("one", 2), ("several", 0)])
def test_latency_is_of_what_can_be_compared_and_came_first(clocks, samples):
    _, scene = seen(
        got("c", "A1 A2", received_ns=5, intended_ns=2),
        got("c", "A2", received_ns=9, intended_ns=2, redelivered=True),
        got("c", "A3"),
        END,
        header=Header(version=1, clocks=clocks),
    )
    assert sum(scene.latency.counts.values()) == samples


def test_what_was_delayed_on_purpose_is_no_latency():
    _, drawn = seen([planted(Fault.DELAY, "c", "A2", delay_ns=5)], [Delivered("c", "A", n, 9, 0) for n in (1, 2)])
    assert sum(drawn.latency.counts.values()) == 1
