"""Elements of HTML and SVG, made of plain text that is escaped where it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, TypeAlias
from xml.etree import ElementTree as Tree

Node: TypeAlias = Tree.Element
Content: TypeAlias = "Node | str | Iterable[Node | str | None] | None"

HUES = 8
"""Colours of producers; more than so many share them."""

_WIDE = re.compile(
    "[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\U0001f000-\U0003fffd]"
)


def node(tag: str, *content: Content, **attributes: object) -> Node:
    """An element.

    Args:
        tag: Its name.
        content: Elements and texts, one by one or many at once; None is nothing.
        attributes: `class_` is `class`, `stroke_width` is `stroke-width`; None leaves it out.
    """
    made = Tree.Element(
        tag,
        {
            name.rstrip("_").replace("_", "-"): number(value) if isinstance(value, float) else printable(str(value))
            for name, value in attributes.items()
            if value is not None
        },
    )
    for each in content:
        for part in [each] if isinstance(each, (str, Tree.Element)) or each is None else each:
            _append(made, part)
    return made


def _append(parent: Node, part: Node | str | None) -> None:
    if isinstance(part, Tree.Element):
        parent.append(part)
    elif part is not None and len(parent):
        parent[-1].tail = (parent[-1].tail or "") + printable(part)
    elif part is not None:
        parent.text = (parent.text or "") + printable(part)


def written(root: Node, method: Literal["html", "xml"] = "html") -> str:
    """As text."""
    return Tree.tostring(root, encoding="unicode", method=method)


def printable(text: str) -> str:
    """What would not be seen, or would turn what follows round, becomes U+FFFD; so does what XML has no place for."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)


def number(value: float) -> str:
    """Short, for coordinates."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def cells(text: str) -> int:
    """How wide a text is, in letters."""
    return len(text) + len(_WIDE.findall(text))


def shortened(text: str, most: int) -> str:
    """A text that is not longer than that."""
    return text if len(text) <= most else text[: most - 1] + "…"


def hue(producers: Iterable[str], producer: str) -> str:
    """The class that gives a producer its colour: the first of a picture has the first."""
    return f"p{[*producers].index(producer) % HUES}"
