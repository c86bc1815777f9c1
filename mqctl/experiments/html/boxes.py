"""Messages as boxes: a letter and a number in the colour of their producer, so that nothing is told by colour alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mqctl.experiments.answers import Cell, Look
from mqctl.experiments.diagram import label
from mqctl.experiments.html.markup import Node, cells, hue, node, number, shortened

HEIGHT = 32
WIDTH_MIN = 42
PLATE_HEIGHT = 24
LETTER, PADDING = 8.4, 18
LABEL_MAX, NAME_MAX = 14, 28

_CLASSES = {Look.PLAIN: "", Look.MARKED: "marked", Look.ABSENT: "absent"}


def width_of(labels: Iterable[str]) -> float:
    """How wide boxes are, all of them, so that these fit in."""
    widest = max((cells(shortened(each, LABEL_MAX)) for each in labels), default=0)
    return max(WIDTH_MIN, widest * LETTER + PADDING)


def drawn(at: tuple[float, float], width: float, cell: Cell, producers: Sequence[str], told: str = "") -> Node:
    """A box.

    Args:
        at: Its upper left corner.
        width: Of all boxes.
        cell: The message.
        producers: All of the picture, for the colour.
        told: What else to say to who points at it.
    """
    x, y = at
    text = label(cell)
    return node(
        "g",
        node("title", f"{text}{told}"),
        node("rect", class_="box", x=float(x), y=float(y), width=float(width), height=HEIGHT, rx=2),
        node("text", shortened(text, LABEL_MAX), x=x + width / 2, y=y + HEIGHT / 2 + 5, text_anchor="middle"),
        class_=f"{hue(producers, cell.producer)} {_CLASSES[cell.look]}".strip(),
    )


def plate(at: tuple[float, float], kind: str, name: str, class_: str = "plate") -> Node:
    """Somebody's name in a frame, with what they are above boxes."""
    x, y = at
    text = f"{kind} {shortened(name, NAME_MAX)}".strip()
    return node(
        "g",
        node("title", f"{kind} {name}".strip()),
        node("rect", class_=class_, x=float(x), y=float(y), width=plate_width(kind, name), height=PLATE_HEIGHT, rx=2),
        node("text", text, x=x + 10, y=y + PLATE_HEIGHT / 2 + 5),
    )


def plate_width(kind: str, name: str) -> float:
    """How wide its frame is."""
    return cells(f"{kind} {shortened(name, NAME_MAX)}".strip()) * LETTER + 20


def link(start: tuple[float, float], stop: tuple[float, float], class_: str) -> Node:
    """The way of a message, from one of its boxes to the next."""
    (x, y), (u, v) = start, stop
    middle = (y + v) / 2
    numbers = [number(each) for each in (x, y, x, middle, u, middle, u, v)]
    return node("path", class_=class_, d="M{} {}C{} {} {} {} {} {}".format(*numbers))


def picture(width: float, height: float, title: str, *content: Iterable[Node] | Node) -> Node:
    """A picture that can be moved to and fro where it is wider than the page."""
    svg = node(
        "svg",
        *content,
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=float(width),
        height=float(height),
        role="img",
        aria_label=title,
    )
    return node("div", svg, class_="scroll", tabindex=0, role="group", aria_label=title)
