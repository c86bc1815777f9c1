"""The pictures: boxes at their places, lines between the same messages, bars and marks where times are."""

from __future__ import annotations

import pytest

from mqctl.experiments.answers import Cell, Look, Row, Witness
from mqctl.experiments.html import amounts, course, latency, order, witness
from mqctl.experiments.html.markup import hue, node, printable, shortened, written
from mqctl.experiments.scene import Course, Moment, Period, Scene
from mqctl.measurement.histogram import Histogram
from tests.unit.experiments.histories import END, got, here, sent
from tests.unit.experiments.html.parsed import seen, skeleton
from tests.unit.views import goldens

NAMES = list("ABCDE")
SEED = (
    here("Chart 1", "Chart 2"),
    sent("A1 B1 A2 B2 B3"),
    got("Chart 1", "A1 B1 A2 B2 B3"),
    got("Chart 2", "B1 B2 A1 A2 B3"),
    END,
)


def test_the_order_diagram_is_that_of_the_paper():
    _, scene = seen(*SEED, expect="agreement")
    goldens.check("order-diagram", skeleton(order.diagram(scene, NAMES)))


def test_the_witness_is_two_rows_with_crossing_lines():
    report, _ = seen(*SEED, expect="agreement")
    (found,) = [witness for each in report.judged for witness in each.answer.witnesses]
    goldens.check("witness-diagram", skeleton(witness.figure(found, NAMES)))


def links(found: Witness) -> list[str]:
    return [part.get("class", "") for part in witness.figure(found, NAMES).iter("path")]


def test_a_single_row_is_set_against_what_was_sent():
    cells = (Cell("B", 9), Cell("A", 2, Look.MARKED), Cell("A", 1, Look.MARKED), Cell("A", 3))
    found = Witness(text="c got A1 after A2", rows=(Row("c", cells),))
    texts = [text.text for text in witness.figure(found, NAMES).iter("text")]
    assert texts == ["sent by A", "A1!", "A2!", "A3", "c", "B9", "A2!", "A1!", "A3"]
    assert links(found) == ["link strong p0", "link strong p0", "link p0"]


def test_a_message_that_came_twice_has_two_lines():
    cells = (Cell("A", 1, Look.MARKED), Cell("A", 2), Cell("A", 1, Look.MARKED))
    assert links(Witness(text="again", rows=(Row("c", cells),))) == ["link strong p0", "link strong p0", "link p0"]


def test_of_rows_without_marks_everything_is_set_against_what_was_sent():
    assert links(Witness(text="?", rows=(Row("c", (Cell("A", 1), Cell("B", 1))),))) == ["link p0", "link p1"]


@pytest.mark.parametrize("rows", [(), (Row("c", ()),)])
def test_where_there_is_nothing_there_is_no_picture(rows):
    assert witness.figure(Witness(text="", rows=rows), NAMES) is None
    assert order.diagram(Scene(), NAMES) is None
    assert course.chart(Course()) is None
    assert latency.chart(Histogram().buckets()) is None


def test_many_publishers_share_a_row():
    _, scene = seen(here("c"), sent("A1 B1 C1 D1 E1"), got("c", "A1"), END)
    picture = skeleton(order.diagram(scene, NAMES))
    assert "publishers A, B, C, D, E" in picture
    assert "topic" in picture


def test_who_only_received_has_no_publishers_above():
    _, scene = seen(here("c", "d"), got("c", "A1"), END)
    picture = skeleton(order.diagram(scene, NAMES))
    assert "publisher" not in picture
    assert "nothing" in picture


def test_who_only_sent_has_no_subscribers_below():
    _, scene = seen(sent("A1"), END)
    assert "subscriber" not in skeleton(order.diagram(scene, NAMES))


def test_gaps_redeliveries_and_several_topics_show():
    text = " ".join(f"A{n}" for n in range(1, 30))
    _, scene = seen(here("c"), sent(text), got("c", f"{text} A1", redelivered=True), END, expect="no-duplicates")
    several = Scene(topics=["a", "b"], sent=scene.sent, lanes=scene.lanes, focused=True)
    picture = order.diagram(several, NAMES)
    assert "⋯" in skeleton(picture)
    assert "a and 1 more" in skeleton(picture)
    assert [title.text for title in picture.iter("title") if "flagged as redelivered" in (title.text or "")]


def test_a_box_tells_when():
    from mqctl.experiments.events import Delivered

    _, scene = seen(here("c"), [Delivered("c", "A", n, received_ns=n * 1_000_000) for n in (1, 2)], END)
    assert [title.text for title in order.diagram(scene, NAMES).iter("title")][
        -1
    ] == "A2, 1 ms after the first one shown"


def test_the_course_has_marks_where_they_happened():
    second = 1_000_000_000
    run = Course(
        start_ns=5 * second,
        slice_ns=second,
        published=[4, 0, 2, 0],
        delivered=[0, 0, 0, 8],
        periods=[Period("cut", 6 * second, 7 * second), Period("slow", 6 * second, None)],
        moments=[Moment("c killed", 8 * second)],
        planted=[Moment("drop of A1 at c", 7 * second)],
    )
    goldens.check("course", skeleton(course.chart(run)))
    many = [Period("cut", 6 * second, 7 * second)] * (course.TOLD_MAX + 1)
    crowded = Course(start_ns=5 * second, slice_ns=second, published=[1] * 4, delivered=[0] * 4, periods=many)
    assert "13" not in [text.text for text in course.chart(crowded).iter("text")]
    assert list(course.told(crowded))[-1] == "and 1 more"


def test_bars_of_latency_stand_where_times_are():
    histogram = Histogram()
    histogram.record_all([1_000_000] * 900 + [8_000_000] * 95 + [40_000_000] * 5)
    goldens.check("latency", skeleton(latency.chart(histogram.buckets())))


@pytest.mark.parametrize("numbers", [[0], [1], [5], [0, 10**12], [2**62], list(range(1, 10**6, 1013))])
def test_any_latency_can_be_drawn(numbers):
    histogram = Histogram()
    histogram.record_all(numbers)
    bars = list(latency.chart(histogram.buckets()).iter("rect"))
    assert 1 <= len(bars) <= latency.BARS_MAX
    assert "max" in latency.told(histogram.buckets())


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0 s"), (999, "999 ns"), (1_700_000, "1.7 ms"), (2_500_000_000, "2.5 s"), (4_000 * 10**9, "4,000 s")],
)
def test_times_in_words(ns, text):
    assert amounts.took(ns) == text


def test_ticks_are_round_and_few():
    assert amounts.decades(1.5, 60, 5) == [2, 5, 10, 20, 50]
    assert amounts.decades(1, 1000, 7) == [1, 3, 10, 30, 100, 300, 1000]
    assert amounts.decades(1, 10**12, 5) == [1, 10**3, 10**6, 10**9, 10**12]
    assert amounts.steps(9, 4) == [0, 5]
    assert amounts.steps(0, 4) == [0]


def test_markup_is_escaped_where_it_is_written():
    made = node("p", "a<b", node("b", None, ["x", None]), " & c", class_='"', stroke_width=1.5, x=None)
    assert written(made) == '<p class="&quot;" stroke-width="1.5">a&lt;b<b>x</b> &amp; c</p>'
    assert written(node("p", node("i"), "a", "b")) == "<p><i></i>ab</p>"
    assert written(node("p", "a", "b")) == "<p>ab</p>"


def test_what_cannot_be_seen_is_replaced():
    assert printable("a\x00\u202e\ud800 b\n") == "a\ufffd\ufffd\ufffd b\n"
    assert shortened("abcdef", 4) == "abc…"
    assert hue(["A", "B"], "B") == "p1"


def test_who_got_nothing_of_what_it_is_about_may_have_got_more():
    history = here("c", "d"), sent("A1 A2 B1"), got("c", "A2 A1"), got("d", "B1"), END
    _, scene = seen(*history, expect="fifo")
    assert "nothing of it" in skeleton(order.diagram(scene, ["A", "B"]))
