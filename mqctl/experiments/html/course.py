"""How a run went, on a time axis: what was sent and what came, trouble shaded, faults planted on purpose marked.

Positions are shares of the width, so that the picture fits any page and its letters keep their size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mqctl.experiments.html.amounts import steps, took
from mqctl.experiments.html.markup import Node, node, number
from mqctl.experiments.scene import Course, Moment, Period

HEIGHT = 180
TICKS_MAX = 4
TOLD_MAX = 12
"""So many periods, moments and planted faults are told in words; all are drawn."""

_TOP, _MIDDLE, _BOTTOM = 30, 92, 154
_BAR_MAX = 58
_NARROWEST = 0.4
"""Percent of the width: what took no time can still be seen."""

_NEAR = 3
"""Percent of the width: the numbers of two periods would stand on each other."""


def chart(course: Course) -> Node | None:
    """The picture; None where the history tells no times."""
    if course.start_ns is None:
        return None
    return node(
        "svg",
        (_period(course, period, i) for i, period in enumerate(course.periods, 1)),
        _bars(course.published, "bar", up=True),
        _bars(course.delivered, "bar got", up=False),
        node("line", class_="axis", x1="0", x2="100%", y1=_MIDDLE, y2=_MIDDLE),
        (_kill(course, moment) for moment in course.moments),
        (_planted(course, moment) for moment in course.planted),
        _scale(course),
        width="100%",
        height=HEIGHT,
        role="img",
        aria_label="Messages sent and delivered over time",
    )


def legend(course: Course) -> Node:
    """What the parts of the picture are."""
    each = took(course.slice_ns)
    entries = [
        ("bar", f"sent, up to {max(course.published):,} in {each}"),
        ("bar got", f"delivered, up to {max(course.delivered):,}"),
    ]
    entries += [("period", "trouble")] if course.periods else []
    items = [node("li", _swatch(node("rect", class_=class_, width=12, height=12)), text) for class_, text in entries]
    if course.planted:
        mark = node("path", class_="planted", d="M1 1h10l-5 9z")
        items.append(node("li", _swatch(mark), "fault planted on purpose"))
    if course.moments:
        items.append(node("li", _swatch(node("line", class_="killed", x1=6, x2=6, y1=0, y2=12)), "killed"))
    return node("ul", items, class_="legend")


def told(course: Course) -> Iterator[str]:
    """What is marked in the picture, in words, with times from its beginning."""
    start = course.start_ns or 0
    for i, period in enumerate(course.periods[:TOLD_MAX], 1):
        yield f"{i}: {period.text}, at {took(period.start_ns - start)}{_lasting(period)}"
    for moment in course.moments[:TOLD_MAX]:
        yield f"{moment.text}, at {took(moment.at_ns - start)}"
    for moment in course.planted[:TOLD_MAX]:
        yield f"planted: {moment.text}, at {took(moment.at_ns - start)}"
    hidden = sum(max(0, len(each) - TOLD_MAX) for each in (course.periods, course.moments, course.planted))
    if hidden:
        yield f"and {hidden:,} more"


def _lasting(period: Period) -> str:
    if period.stop_ns is None:
        return " to the end"
    lasted_ns = period.stop_ns - period.start_ns
    return f" for {took(lasted_ns)}" if lasted_ns else ""


def _bars(counts: Sequence[int], class_: str, *, up: bool) -> Iterator[Node]:
    most = max(counts, default=0)
    width = 100 / max(1, len(counts))
    for i, count in enumerate(counts):
        if count:
            height = max(1.0, _BAR_MAX * count / most)
            yield node(
                "rect",
                node("title", f"{count:,}"),
                class_=class_,
                x=_percent(i * width),
                width=_percent(width * 0.86),
                y=_MIDDLE - height if up else float(_MIDDLE),
                height=height,
            )


def _period(course: Course, period: Period, i: int) -> Node:
    start = _share(course, period.start_ns)
    stop = 100.0 if period.stop_ns is None else _share(course, period.stop_ns)
    height = _BOTTOM - _TOP
    beside = sum(abs(_share(course, each.start_ns) - start) < _NEAR for each in course.periods[: i - 1])
    return node(
        "g",
        node("title", period.text),
        node(
            "rect",
            class_="period",
            x=_percent(start),
            y=_TOP,
            width=_percent(max(_NARROWEST, stop - start)),
            height=height,
        ),
        node("line", class_="edge", x1=_percent(start), x2=_percent(start), y1=_TOP, y2=_BOTTOM),
        node("text", str(i), class_="minor", x=_percent(min(start, 98.0)), dx=3 + 10 * beside, y=_TOP - 4)
        if i <= TOLD_MAX
        else None,
    )


def _kill(course: Course, moment: Moment) -> Node:
    x = _percent(_share(course, moment.at_ns))
    return node("line", node("title", moment.text), class_="killed", x1=x, x2=x, y1=_TOP, y2=_BOTTOM)


def _planted(course: Course, moment: Moment) -> Node:
    """A triangle; in a picture of its own, because a path has no shares of the width."""
    mark = node("path", node("title", f"planted: {moment.text}"), class_="planted", d="M-5 0h10l-5 9z")
    return node("svg", mark, x=_percent(_share(course, moment.at_ns)), y=_TOP - 30, overflow="visible")


def _scale(course: Course) -> Iterator[Node]:
    slices = len(course.published)
    span = slices * course.slice_ns
    for step in steps(span, TICKS_MAX):
        share = 100 * step / span
        anchor = "start" if not step else "end" if share > 90 else "middle"
        yield node(
            "text", took(step) if step else "0", class_="minor", x=_percent(share), y=HEIGHT - 4, text_anchor=anchor
        )


def _share(course: Course, at_ns: int) -> float:
    span = max(1, len(course.published) * course.slice_ns)
    return 100 * (at_ns - (course.start_ns or 0)) / span


def _percent(share: float) -> str:
    return f"{number(share)}%"


def _swatch(mark: Node) -> Node:
    return node("svg", mark, width=12, height=12, aria_hidden="true")
