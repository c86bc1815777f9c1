"""The first witness and the order diagram as one picture, for where no page can be shown.

Renderers of SVG know neither variables nor mixtures of colours: here each rule is written out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from mqctl.experiments.check import Report
from mqctl.experiments.html import order, witness
from mqctl.experiments.html.markup import HUES, Node, node, written
from mqctl.experiments.html.page import SIGNS, producers_of, title_of
from mqctl.experiments.html.style import LIGHT
from mqctl.experiments.report import witnesses
from mqctl.experiments.scene import Scene

WIDTH_MIN = 640
FONTS = "'DejaVu Sans', Arial, 'Segoe UI', Helvetica, 'Liberation Sans', 'Noto Sans', sans-serif"
"""By name: a renderer need not know which one is meant by sans-serif, and would leave the letters out."""

_MARGIN, _BELOW = 24, 28
_HEAD = 84


def poster(report: Report, scene: Scene, palette: Mapping[str, str] = LIGHT) -> str:
    """A picture as a document of SVG.

    Args:
        report: What a history proves.
        scene: What there is to draw of it.
        palette: `LIGHT` or `DARK`.
    """
    producers = sorted(producers_of(report, scene))
    y, width, parts = _HEAD, WIDTH_MIN, list(_head(report))
    for caption, picture in _pictures(report, scene, producers):
        parts.append(node("text", caption, x=_MARGIN, y=y + 4))
        picture.attrib |= {"x": str(_MARGIN), "y": str(y + 16)}
        parts.append(picture)
        y += round(float(picture.attrib["height"])) + 16 + _BELOW
        width = max(width, round(float(picture.attrib["width"])))
    size = {"width": width + 2 * _MARGIN, "height": y}
    ground = node("rect", fill=palette["ground"], **size)
    style = node("style", "\n".join(_rules(palette)))
    return written(node("svg", style, ground, parts, xmlns="http://www.w3.org/2000/svg", **size), method="xml")


def _head(report: Report) -> Iterator[Node]:
    verdict = report.verdict
    yield node("text", f"{SIGNS[verdict]} {verdict.upper()}", class_=f"verdict {verdict}", x=_MARGIN, y=_MARGIN + 18)
    yield node("text", title_of(report), class_="title", x=_MARGIN + 220, y=_MARGIN + 17)


def _pictures(report: Report, scene: Scene, producers: list[str]) -> Iterator[tuple[str, Node]]:
    """Captions and pictures, without what lets them be moved on a page."""
    for each, found in islice(witnesses(report), 1):
        yield from ((f"{each.answer.about}: {found.text}", svg) for svg in _bare(witness.figure(found, producers)))
    yield from (("Who saw what, in order", svg) for svg in _bare(order.diagram(scene, producers)))


def _bare(picture: Node | None) -> Iterator[Node]:
    return iter(()) if picture is None else picture.iter("svg")


def _rules(palette: Mapping[str, str]) -> Iterator[str]:
    sheet, soft, ink = palette["sheet"], palette["soft"], palette["ink"]
    yield f"text {{ fill: {ink}; font-family: {FONTS}; font-size: 14px; }}"
    yield ".title { font-size: 20px; font-weight: bold; } .verdict { font-size: 24px; font-weight: bold; }"
    yield from (f".{verdict} {{ fill: {palette[verdict]}; }}" for verdict in SIGNS)
    yield f".minor {{ fill: {soft}; font-size: 12px; }} .head {{ fill: {soft}; }}"
    yield f".flow {{ stroke: {soft}; stroke-width: 2; }} .plate {{ fill: {sheet}; stroke: {soft}; stroke-width: 2; }}"
    yield f".topic {{ fill: {sheet}; stroke: {palette['p3']}; stroke-width: 3; }}"
    for hue in (f"p{i}" for i in range(HUES)):
        colour = palette[hue]
        yield f".{hue} .box {{ fill: {_mixed(colour, sheet, 0.1)}; stroke: {colour}; stroke-width: 2; }}"
        yield f".{hue}.marked .box {{ fill: {_mixed(colour, sheet, 0.3)}; stroke-width: 4; }}"
        yield f".{hue}.absent .box {{ fill: {sheet}; stroke-dasharray: 5 4; stroke-width: 3; }}"
        yield f".{hue}.link {{ fill: none; stroke: {colour}; stroke-width: 1.5; stroke-opacity: 0.45; }}"
        yield f".{hue}.link.strong {{ stroke-width: 4; stroke-opacity: 1; }}"
    yield ".marked text, .absent text { font-weight: bold; }"


def _mixed(one: str, other: str, share: float) -> str:
    """`share` of one colour in another."""
    pairs = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + bytes(round(share * a + (1 - share) * b) for a, b in pairs).hex()
