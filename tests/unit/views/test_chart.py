from __future__ import annotations

import pytest

from mqctl.application import decode
from mqctl.views.bars import Scale
from mqctl.views.base import NS_PER_S, ViewOptions, plain
from mqctl.views.chart import SPANS_MAX, ChartView
from tests.unit.views.scenes import assert_exact, feed


def chart(*payloads, **options):
    view = ChartView(ViewOptions(**options))
    return view, feed(view, payloads)


def test_before_the_first_value_it_says_so():
    view = ChartView(ViewOptions())
    assert "waiting for an array or a number" in plain(view.render(60, 5, 0))
    assert (view.caption(), view.footer(0)[1], view.moving(0)) == ("", "", False)


def test_bars_are_named_and_valued():
    picture = plain(chart(b"[3,-7,12.25]")[0].render(60, 20, 0))
    for text in ("a1", "a2", "a3", "┈3┈", "-7", "12.25"):
        assert text in picture


def test_given_labels_come_first_and_are_safe_to_print():
    picture = plain(chart(b"[1,2,3]", labels=("north", "so\x1buth"))[0].render(80, 12, 0))
    assert picture.splitlines()[-1].split() == ["north", "so\\x1buth", "a3"]


def test_more_bars_than_columns_are_counted():
    picture = plain(chart(b"[%s]" % b",".join([b"5"] * 500))[0].render(60, 12, 0))
    assert "443 more bars" in picture


def test_a_value_that_does_not_fit_is_rounded_or_left_out_never_cut():
    row = plain(chart(b"[%s]" % b",".join([b"12.3456"] * 9))[0].render(60, 12, 0))
    assert "12.3" in row
    assert "12.34" not in row
    assert "1" not in plain(chart(b"[%s]" % b",".join([b"123456"] * 50))[0].render(60, 12, 0)).splitlines()[0]


def test_an_empty_array_is_said():
    view, _ = chart(b"[]")
    assert "an empty array" in plain(view.render(40, 5, 0))
    assert view.footer(0)[1] == ""


def test_zeros_have_no_bars():
    picture = plain(chart(b"[0,0]")[0].render(40, 12, 0))
    assert not set(picture) & set("▁▂▃▄▅▆▇█")


def test_the_view_switches_to_what_comes_and_says_so():
    view, _ = chart(b"[1,2]")
    assert view.caption() == "bars"
    view.observe("chart", decode(b"5"), NS_PER_S)
    assert view.caption() == "line, switched 1 time"
    view.observe("chart", decode(b"[1]"), 2 * NS_PER_S)
    assert view.caption() == "bars, switched 2 times"


@pytest.mark.parametrize("payload", [b"hello", b'{"x":1,"y":2}', b"NaN", b"[1,null]"])
def test_what_cannot_be_charted_is_counted_and_changes_nothing(payload):
    view, at_ns = chart(b"[1,2]", payload)
    assert view.caption() == "bars"
    counts, values = view.footer(at_ns)
    assert "1 bad" in counts
    assert values == "min 1 · max 2"


def test_the_line_tells_last_min_max_of_what_it_shows():
    view, at_ns = chart(b"5", b"9", b"7")
    assert view.footer(at_ns)[1] == "last 7 · min 5 · max 9"
    feed(view, [b"1"] * 70, start_ns=at_ns + NS_PER_S)
    assert view.footer(at_ns + 70 * NS_PER_S)[1] == "last 1 · min 1 · max 1"


def test_the_window_widens_with_the_line_up_to_what_was_asked():
    view, _ = chart(b"1")
    shown = [plain(view.render(60, 10, at_s * NS_PER_S)).splitlines()[-1].split()[0] for at_s in (5, 15, 45, 500)]
    assert shown == ["-10s", "-30s", "-60s", "-60s"]
    assert "-5s" in plain(chart(b"1", window_s=5.0)[0].render(60, 10, 0))


def test_a_line_moves_until_it_has_left():
    view, _ = chart(b"1")
    assert view.moving(59 * NS_PER_S)
    assert not view.moving(61 * NS_PER_S)


def test_a_line_enters_from_the_edge():
    """The last point before the window is drawn too, so that the line does not start in the middle."""
    view = ChartView(ViewOptions())
    view.observe("t", decode(b"1"), 0)
    view.observe("t", decode(b"1"), 100 * NS_PER_S)
    row = max(plain(view.render(60, 10, 100 * NS_PER_S)).splitlines(), key=lambda row: sum(c > "\u2800" for c in row))
    assert sum("\u2800" < c < "\u2900" for c in row) > 50


def test_points_are_bounded_however_many_come():
    view = ChartView(ViewOptions())
    for n in range(50_000):
        view.observe("t", decode(b"5"), n * NS_PER_S // 100)
    assert len(view._spans) <= SPANS_MAX
    assert view.footer(500 * NS_PER_S)[0].startswith("50000 messages")


def test_no_number_is_lost_between_two_points():
    """Numbers that come closer together than points are kept still count for least and greatest."""
    view = ChartView(ViewOptions())
    for n in range(1000):
        view.observe("t", decode(b"1000" if n == 500 else b"-7" if n == 501 else b"5"), n * 1000)
    assert view.footer(0)[1] == "last 5 · min -7 · max 1000"


@pytest.mark.parametrize(
    ("payload", "line"), [(b"5.5", "5.5"), (b"[3, 7, 1.5]", "3 7 1.5"), (b"x", "! text, not JSON: x")]
)
def test_a_message_as_a_line_is_its_numbers(payload, line):
    assert ChartView(ViewOptions()).line(decode(payload)) == line


def test_a_position_is_no_chart():
    view = ChartView(ViewOptions())
    assert view.line(decode(b'{"x":1,"y":2}')).startswith("! ")


def test_clear_forgets():
    view, _ = chart(b"5", b"[1]")
    view.clear()
    assert (view.caption(), view.footer(0)[0]) == ("", "0 messages · 0.0/s")


@pytest.mark.parametrize(
    ("low", "high", "rows"), [(0, 20, 20), (-10, 10, 20), (-1, 100, 10), (-100, 1, 10), (-1, 0, 5)]
)
def test_both_sides_of_zero_have_room_and_the_same_unit(low, high, rows):
    scale = Scale.fit(low, high, rows)
    assert scale.eighths(high) <= 8 * (rows - scale.below)
    assert -scale.eighths(low) <= 8 * scale.below
    assert (scale.below > 0) == (low < 0)


@pytest.mark.parametrize("payload", [b"[1,2,3]", b"[-1,2]", b"[-1]", b"[0]", b"5", b"[1e300,-1e300]", b"[1e-320]"])
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (11, 5), (12, 6), (16, 5), (17, 6), (300, 2)])
def test_any_size_is_filled(payload, size):
    assert_exact(chart(payload)[0].render(*size, 0), *size)
