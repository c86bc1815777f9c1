"""The order diagram: publishers on top, the topic, and below it a row of boxes for each consumer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mqctl.experiments.answers import Cell, Look
from mqctl.experiments.diagram import label
from mqctl.experiments.html import boxes
from mqctl.experiments.html.amounts import took
from mqctl.experiments.html.markup import Node, hue, node
from mqctl.experiments.scene import Box, Lane, Scene

PUBLISHERS_MAX = 4
"""More share a row."""

SUBSCRIBER = "subscriber"

_LEFT, _TOP = 3.0, 3.0
_LANE = boxes.PLATE_HEIGHT + boxes.HEIGHT + 20
_TOPIC = 64
_GAP = 0.6
"""A gap, in boxes."""


class _Placed(NamedTuple):
    box: Box
    x: float
    y: float


class _Layer(NamedTuple):
    """A row: whose it is, and its boxes at their places."""

    kind: str
    name: str
    y: float
    placed: Sequence[_Placed]
    more: bool


def diagram(scene: Scene, producers: Sequence[str]) -> Node | None:
    """The diagram of a scene; None where nobody sent or got anything.

    The producers are those of the whole report, for their colours.
    """
    shown = [box for lane in (scene.sent, *scene.lanes) for box in lane.boxes]
    if not shown:
        return None
    width = boxes.width_of(label(_cell(box)) for box in shown)
    layers = list(_layers(scene, width))
    right = max(placed.x + width for layer in layers for placed in layer.placed)
    plates = [boxes.plate_width(layer.kind, layer.name) for layer in layers]
    topic = ", ".join(scene.topics[:1]) + (f" and {len(scene.topics) - 1:,} more" if scene.topics[1:] else "")
    publishers = sum(layer.kind != SUBSCRIBER for layer in layers)
    origin = min((box.at_ns for box in shown if box.at_ns is not None), default=0)
    return boxes.picture(
        max(right + 24, *plates, boxes.plate_width("topic", topic)) + 2 * _LEFT,
        layers[-1].y + boxes.HEIGHT + _TOP,
        "Who saw what, in which order",
        _flow(layers, publishers),
        _links(layers, width, producers),
        boxes.plate((_LEFT, _topic_y(publishers)), "topic", topic, "topic") if publishers else (),
        *(_drawn(layer, width, producers, origin) for layer in layers),
    )


def _layers(scene: Scene, width: float) -> Iterator[_Layer]:
    columns = list(_columns(scene.sent.boxes, width))
    apart = len({box.producer for box in scene.sent.boxes}) <= PUBLISHERS_MAX
    names = (
        sorted({box.producer for box in scene.sent.boxes})
        if apart
        else [", ".join(sorted({box.producer for box in scene.sent.boxes}))]
    )
    for i, name in enumerate(names):
        y = _TOP + boxes.PLATE_HEIGHT + i * _LANE
        placed = [
            _Placed(box, x, y)
            for box, x in zip(scene.sent.boxes, columns, strict=True)
            if not apart or box.producer == name
        ]
        yield _Layer("publisher" if apart else "publishers", name, y, placed, scene.sent.more)
    top = _topic_y(len(names)) + _TOPIC if names else _TOP
    for i, lane in enumerate(scene.lanes):
        y = top + boxes.PLATE_HEIGHT + i * _LANE
        yield _consumer(lane, y, width)


def _consumer(lane: Lane, y: float, width: float) -> _Layer:
    placed = [_Placed(box, x, y) for box, x in zip(lane.boxes, _columns(lane.boxes, width), strict=True)]
    return _Layer(SUBSCRIBER, lane.name, y, placed, lane.more)


def _cell(box: Box) -> Cell:
    return Cell(box.producer, box.n, box.look)


def _columns(row: Iterable[Box], width: float) -> Iterator[float]:
    x = _LEFT
    for box in row:
        x += width * _GAP if box.after_gap else 0
        yield x
        x += width


def _topic_y(publishers: int) -> float:
    return _TOP + publishers * _LANE + 4


def _drawn(layer: _Layer, width: float, producers: Sequence[str], origin: int) -> Iterator[Node]:
    yield boxes.plate((_LEFT, layer.y - boxes.PLATE_HEIGHT), layer.kind, layer.name)
    if not layer.placed:
        none = "nothing of it" if layer.more else "nothing"
        yield node("text", none, class_="minor", x=_LEFT + 10, y=layer.y + boxes.HEIGHT / 2 + 5)
    middle = layer.y + boxes.HEIGHT / 2 + 5
    for box, x, y in layer.placed:
        told = "" if box.at_ns is None else f", {took(box.at_ns - origin)} after the first one shown"
        again = ", flagged as redelivered" if box.again else ""
        if box.after_gap:
            yield node("text", "⋯", x=x - width * _GAP / 2, y=middle, text_anchor="middle")
        yield boxes.drawn((x, y), width, _cell(box), producers, told + again)
    if layer.more and layer.placed:
        yield node("text", "⋯", x=layer.placed[-1].x + width + 6, y=middle)


def _flow(layers: Sequence[_Layer], publishers: int) -> Iterator[Node]:
    """From the publishers through the topic to the subscribers."""
    if not publishers or publishers == len(layers):
        return
    x, top = _LEFT + 30, _topic_y(publishers)
    for start, stop in (
        (top - 24, top - 2),
        (top + boxes.PLATE_HEIGHT, top + _TOPIC - 2),
    ):
        yield node("line", class_="flow", x1=x, x2=x, y1=float(start), y2=stop - 6.0)
        yield node("path", class_="head", d=f"M{x - 5:g} {stop - 8:g}h10l-5 8z")


def _links(layers: Sequence[_Layer], width: float, producers: Sequence[str]) -> Iterator[Node]:
    """The ways of the messages that the picture is about, from row to row."""
    last: Mapping[tuple[str, int], Sequence[_Placed]] = {}
    for layer in layers:
        here: dict[tuple[str, int], list[_Placed]] = {}
        for placed in layer.placed:
            if placed.box.look is Look.PLAIN:
                continue
            key = (placed.box.producer, placed.box.n)
            here.setdefault(key, []).append(placed)
            for _, x, y in last.get(key, ()):
                start, stop = (x + width / 2, y + boxes.HEIGHT), (placed.x + width / 2, placed.y)
                yield boxes.link(start, stop, f"link strong {hue(producers, key[0])}")
        last = {**last, **here}
