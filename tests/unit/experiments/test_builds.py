"""For builds: a failure fails, what could not be told is an error, what was not judged is skipped and says why."""

from __future__ import annotations

from xml.etree import ElementTree as Tree

import pytest

from mqctl.experiments.builds import Case, annotated, cases, junit
from mqctl.experiments.events import Header
from mqctl.measurement.verdict import Verdict
from tests.unit.experiments.histories import END, got, here, judged, sent

EVERY = [
    Case("a", Verdict.PASS),
    Case("b", Verdict.FAIL, "2 of 3", "A2\nA1", 7),
    Case("c", Verdict.INCONCLUSIVE, "blind"),
    Case("d", None, "RabbitMQ has no such thing"),
]


def test_each_verdict_has_its_element():
    suite = Tree.fromstring(junit("ordering", EVERY))
    assert suite.attrib == {"name": "ordering", "tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    found = {case.get("name"): [(told.tag, told.get("message"), told.text) for told in case] for case in suite}
    assert found == {
        "a": [],
        "b": [("failure", "2 of 3", "A2\nA1")],
        "c": [("error", "blind", None)],
        "d": [("skipped", "RabbitMQ has no such thing", None)],
    }
    assert {case.get("classname") for case in suite} == {"ordering"}


@pytest.mark.parametrize("evil", ["a<b>&\"'", "\x00\x1b[31m", "\ud800", "]]>"])
def test_any_name_is_well_formed(evil):
    root = Tree.fromstring(junit(evil, [Case(evil, Verdict.FAIL, evil, evil)]))
    assert len(root.findall("./testcase/failure")) == 1


def test_what_breaks_a_build_is_annotated():
    assert list(annotated(EVERY, "runs/history.jsonl")) == [
        "::error file=runs/history.jsonl,line=7,title=b%3A fail::2 of 3",
        "::error file=runs/history.jsonl,title=c%3A inconclusive::blind",
    ]
    assert next(annotated(EVERY)) == "::error title=b%3A fail::2 of 3"


def test_no_text_ends_an_annotation():
    (line,) = annotated([Case("a,b:c%", Verdict.FAIL, "100 %\r\n::error::x")], "a,b")
    assert line == "::error file=a%2Cb,title=a%2Cb%3Ac%25%3A fail::100 %25%0D%0A::error::x"


def test_a_report_has_a_case_for_each_property():
    report = judged(
        here("c"), sent("A1 A2"), got("c", "A2 A1"), END, header=Header(version=1, protocol="mqtt", mode="qos1")
    )
    found = {case.name: case for case in cases(report)}
    fifo = found["fifo"]
    assert fifo.verdict is Verdict.FAIL
    assert fifo.message == "1 of 1 messages that came behind another of their producer; c got A1 after A2"
    assert fifo.text.splitlines()[0] == "c got A1 after A2 (line 8)"
    assert "│ A2! │ A1! │" in fifo.text
    assert fifo.line == 8
    assert found["no-loss"] == Case("no-loss", Verdict.PASS)
    assert "redelivery" not in found
    assert found["no-duplicates"][1:] == (None, "MQTT 3.1.1, 4.3.2: at least once", "", None)


def test_a_loss_has_no_line():
    report = judged(here("c"), sent("A1 A2"), got("c", "A1"), END)
    (case,) = (case for case in cases(report) if case.verdict is Verdict.FAIL)
    assert case.text.splitlines()[0] == "c never got A2"
