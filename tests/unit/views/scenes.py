"""Views fed with the application's own messages, for pictures and for measuring."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from rich.cells import cell_len

from mqctl.application import decode, wrap, wrap_position
from mqctl.generators import parse_generator
from mqctl.views.base import NS_PER_S, Line, View, ViewOptions
from mqctl.views.registry import VIEWS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def assert_exact(lines: list[Line], width: int, height: int) -> None:
    """Exactly `height` lines of exactly `width` cells, and nothing that a terminal would obey."""
    assert len(lines) == height
    for line in lines:
        text = "".join(segment.text for segment in line)
        assert cell_len(text) == width, text
        assert not any(segment.control for segment in line)
        assert text.isprintable()


def feed(view: View, payloads: Iterable[bytes], *, topic: str = "t", step_ns: int = NS_PER_S, start_ns: int = 0) -> int:
    """Give a view messages at a steady pace and return the time of the last."""
    at_ns = start_ns
    for n, payload in enumerate(payloads):
        at_ns = start_ns + n * step_ns
        view.observe(topic, decode(payload), at_ns)
    return at_ns


def generated(spec: str, count: int) -> list[object]:
    return list(itertools.islice(parse_generator(spec).values(random.Random(1)), count))


def rect(options: ViewOptions) -> tuple[View, int]:
    view = VIEWS["rect"](options)
    sent = [wrap(angle, "k3x9qa", NOON + timedelta(seconds=n)) for n, angle in enumerate(generated("rotate", 9))]
    return view, feed(view, [*sent, b"hello", b'{"producerId":"evil\\u001b[2J","data":[1]}']) + NS_PER_S


def bars(options: ViewOptions) -> tuple[View, int]:
    view = VIEWS["chart"](options)
    return view, feed(view, [wrap(values, "k3x9qa", NOON) for values in generated("bars", 9)])


def falling(options: ViewOptions) -> tuple[View, int]:
    view = VIEWS["chart"](options)
    return view, feed(view, [b"[3,-7,12.25,0,-1.5,8]"])


def line(options: ViewOptions) -> tuple[View, int]:
    view = VIEWS["chart"](options)
    feed(view, [b"[1]"])
    return view, feed(view, [b"%g" % n for n in generated("walk:start=20", 500)], step_ns=NS_PER_S // 10)


def dots(options: ViewOptions) -> tuple[View, int]:
    view = VIEWS["dots"](options)
    at_ns = 0
    for n in range(4):
        circle = generated(f"circle:radius={60 + 40 * n}", 90 * n + 20)
        payloads = [wrap_position(at, f"{n}producer{n}xyz", NOON) for at in circle]
        at_ns = feed(view, payloads, step_ns=NS_PER_S // 20, start_ns=at_ns)
    return view, at_ns


def table(options: ViewOptions) -> tuple[View, int]:
    view = VIEWS["table"](options)
    messages = {
        "finance.stock.ibm": b'{"price":17.25}',
        "rect": wrap(45, "k3x9qa", NOON),
        "각도": '"안녕하세요 세계"'.encode(),
        "evil": b"\x1b[31mred\x07",
    }
    at_ns = max(feed(view, [payload] * 5, topic=topic) for topic, payload in messages.items())
    return view, at_ns + 2 * NS_PER_S


SCENES = {"rect": rect, "bars": bars, "falling": falling, "line": line, "dots": dots, "table": table}
