"""The poster: the witness and the order as one picture, with each colour written out."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Tree

import pytest

from mqctl.experiments.events import Delivered
from mqctl.experiments.html.poster import poster
from mqctl.experiments.html.style import CSS, DARK, LIGHT
from mqctl.experiments.report import witnesses
from mqctl.experiments.scene import Scene
from tests.unit.experiments.histories import END, got, here, judged, sent
from tests.unit.experiments.html.parsed import seen
from tests.unit.experiments.html.test_pictures import SEED

SVG = "{http://www.w3.org/2000/svg}"


def texts(document: str) -> list[str]:
    return [text.text for text in Tree.fromstring(document).iter(f"{SVG}text")]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_it_is_a_document_whose_colours_need_no_browser(palette):
    report, scene = seen(*SEED, expect="agreement")
    document = poster(report, scene, palette)
    assert texts(document)[:3] == [
        "✕ FAIL",
        "A history without a name",
        "agreement: Chart 1 got A1 before B1, Chart 2 after",
    ]
    assert not re.search(r"var\(|color-mix|<script|href", document)
    assert palette["p1"] in document


def test_nothing_stands_outside_or_on_each_other():
    report, scene = seen(*SEED, expect="agreement")
    root = Tree.fromstring(poster(report, scene))
    inner = [{name: float(each.get(name)) for name in ("x", "y", "width", "height")} for each in root.iter(f"{SVG}svg")
             if each is not root]  # fmt: skip
    assert len(inner) == 2
    assert inner[0]["y"] + inner[0]["height"] < inner[1]["y"]
    assert all(each["x"] + each["width"] <= float(root.get("width")) for each in inner)
    assert all(each["y"] + each["height"] <= float(root.get("height")) for each in inner)


def test_a_pass_has_no_witness_and_nothing_has_no_picture():
    report, scene = seen(here("c"), sent("A1 A2"), got("c", "A1 A2"), END, expect="fifo")
    assert texts(poster(report, scene))[:3] == ["✓ PASS", "A history without a name", "Who saw what, in order"]
    assert texts(poster(judged(), Scene())) == ["? INCONCLUSIVE", "A history without a name"]


def test_a_witness_without_rows_is_left_out():
    slow = [Delivered("c", "A", n, received_ns=1_000_000, intended_ns=0) for n in range(20)]
    report, scene = seen(slow, END, expect="p50<1ms")
    assert [found.rows for _, found in witnesses(report)] == [()]
    assert texts(poster(report, scene))[2] == "Who saw what, in order"


def test_the_page_and_the_poster_have_the_same_colours():
    assert LIGHT.keys() == DARK.keys()
    assert all(f"--{name}: {colour};" in CSS for palette in (LIGHT, DARK) for name, colour in palette.items())
