"""Reports as a strict parser sees them, and what stands in their pictures."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree as Tree

from mqctl.experiments.answers import Look
from mqctl.experiments.check import Report, check
from mqctl.experiments.html import page
from mqctl.experiments.html.markup import Node
from mqctl.experiments.scene import Scene, scene
from tests.unit.experiments.histories import HEADER, read

VOID = {"meta", "br"}


class Parsed(HTMLParser):
    """Collects elements and texts; an end that fits no beginning is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def seen(*parts, header=HEADER, expect="") -> tuple[Report, Scene]:
    """A history from its verdict to its scene."""
    report = check(read(*parts, header=header), expect=expect.split())
    return report, scene(read(*parts, header=header), report)


def shown(*parts, header=HEADER, expect="", doubts=()) -> Parsed:
    """A history as a page."""
    return Parsed(page(*seen(*parts, header=header, expect=expect), doubts))


def skeleton(picture: Node | None) -> str:
    """A picture as a person can read it: an element a line, texts behind it, no style."""
    assert picture is not None
    lines = []

    def visit(node: Tree.Element, depth: int) -> None:
        if node.tag in {"rect", "path"} and "class" not in node.attrib:
            return
        places = " ".join(
            f"{name}={node.get(name)}" for name in ("class", "x", "y", "width", "height", "d") if node.get(name)
        )
        lines.append(f"{'  ' * depth}{node.tag} {places} {(node.text or '').strip()}".rstrip())
        for child in node:
            visit(child, depth + 1)

    visit(picture, 0)
    return "\n".join(lines)


def row(lane) -> str:
    """The boxes of a lane in a word: `⋯ A1 A2!`."""
    names = [
        f"{'⋯ ' if box.after_gap else ''}{box.producer}{box.n}{'!' if box.look is Look.MARKED else ''}"
        for box in lane.boxes
    ]
    return " ".join(names) + (" ⋯" if lane.more else "")
