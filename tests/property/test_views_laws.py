from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mqctl.application import NUMBER_MAX, Position, Sample
from mqctl.views.axis import axis
from mqctl.views.bars import Scale
from mqctl.views.base import ViewOptions
from mqctl.views.chart import ChartView
from mqctl.views.layout import Pane, Status, compose
from mqctl.views.rect import TRANSITION_NS, RectView, shorter_way
from mqctl.views.registry import VIEWS
from mqctl.views.theme import ASCII, UNICODE, escape
from tests.unit.views.scenes import assert_exact

numbers = st.floats(-NUMBER_MAX, NUMBER_MAX) | st.integers(-(10**9), 10**9)
values = st.none() | numbers | st.lists(numbers, max_size=30).map(tuple) | st.builds(Position, numbers, numbers)


@st.composite
def samples(draw):
    value = draw(values)
    problem = draw(st.text(max_size=9)) if value is None else None
    return Sample(value, draw(st.none() | st.text(max_size=9)), None, problem, draw(st.text(max_size=20)))


looks = st.sampled_from([UNICODE, ASCII])
sizes = st.tuples(st.integers(1, 130), st.integers(1, 40))
traffic = st.lists(st.tuples(samples(), st.integers(0, 90_000_000_000)), max_size=8)


@pytest.mark.parametrize("name", VIEWS)
@given(traffic=traffic, size=sizes, look=looks)
def test_a_view_fills_any_size_exactly_whatever_came(name, traffic, size, look):
    view = VIEWS[name](ViewOptions(look=look, labels=("one", "한글\x1b")))
    now_ns = 0
    for sample, pause_ns in traffic:
        now_ns += pause_ns
        view.observe("t\x00", sample, now_ns)
        assert view.line(sample).isprintable()
    assert_exact(view.render(*size, now_ns), *size)
    screen = compose([Pane("t\x00", view)] * 2, Status("s"), width=size[0], height=size[1], now_ns=now_ns, look=look)
    assert_exact(screen, *size)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=30), st.integers(1, 60))
def test_greater_values_have_bars_at_least_as_high(numbers, rows):
    low, high = min(0, *numbers), max(1, *numbers)
    scale = Scale.fit(low, high, rows)
    heights = [scale.eighths(number) for number in sorted(numbers)]
    assert heights == sorted(heights)
    assert -8 * scale.below <= heights[0]
    assert heights[-1] <= 8 * (rows - scale.below)


@given(st.lists(st.integers(0, 10**6), min_size=1), st.integers(1, 60), st.integers(-20, 20))
def test_scaling_values_and_bounds_leaves_the_bars(numbers, rows, power):
    high = max(1, *numbers)
    plain, scaled = Scale.fit(0, high, rows), Scale.fit(0, math.ldexp(high, power), rows)
    assert [plain.eighths(n) for n in numbers] == [scaled.eighths(math.ldexp(n, power)) for n in numbers]


def drawn_bars(numbers):
    view = ChartView(ViewOptions())
    view.observe("chart", Sample(tuple(numbers), None, None, None, ""), 0)
    rows = ["".join(segment.text for segment in line) for line in view.render(70, 20, 0)]
    blocks = ["".join(glyph if glyph in "▁▂▃▄▅▆▇█" else " " for glyph in row) for row in rows]
    return [re.sub(r"(.)\1+", r"\1", row).strip() for row in blocks]  # how wide a bar is does not matter


@example(numbers=[65], power=1)
@given(st.lists(st.integers(1, 999), min_size=1, max_size=9), st.integers(1, 3))
def test_positive_values_times_ten_draw_the_same_bars(numbers, power):
    assert drawn_bars(numbers) == drawn_bars([number * 10**power for number in numbers])


@given(numbers, numbers, st.integers(3, 20))
def test_an_axis_holds_its_range_with_few_ascending_ticks_that_differ(a, b, count):
    low, high = sorted((float(a), float(b)))
    made = axis(low, high, count)
    slack = (made.high - made.low) * 1e-6 + max(abs(low), abs(high)) * 1e-9
    assert made.low <= low + slack
    assert high - slack <= made.high
    assert 2 <= len(made.ticks) <= count + 1
    assert made.ticks == sorted(set(made.ticks))
    assert len({made.label(tick) for tick in made.ticks}) == len(made.ticks)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1.5))
def test_easing_takes_the_shorter_way_and_arrives(start, end, part):
    view = RectView(ViewOptions())
    for at_ns, angle in ((0, start), (TRANSITION_NS, end)):
        view.observe("rect", Sample(angle, None, None, None, ""), at_ns)
    turn = shorter_way(start % 360, end % 360)
    assert -180 <= turn < 180
    angle = view.angle(TRANSITION_NS + int(part * TRANSITION_NS))
    assert abs(angle - start % 360) <= abs(turn) + 1e-6
    if part >= 1:
        assert abs(shorter_way(angle, end)) == pytest.approx(0, abs=1e-4)


@given(st.text())
def test_escaped_text_is_printable_and_escaping_again_changes_nothing(text):
    shown = escape(text)
    assert shown.isprintable()
    assert escape(shown) == shown
