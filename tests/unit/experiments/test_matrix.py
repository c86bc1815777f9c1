"""The matrix: each cell says what came of it, why, and where the run is."""

from __future__ import annotations

import json

import pytest

from mqctl.experiments.html import matrix_page
from mqctl.experiments.matrix import Entry, Matrix, Outcome, address, document, lines, markdown
from mqctl.measurement.verdict import Verdict
from tests.unit.experiments.html.parsed import Parsed

NO_STREAMS = "no such thing at RabbitMQ"
MATRIX = Matrix(
    [
        Entry("ordering one-producer", "classic", Outcome.PASS, "never told", "runs/1"),
        Entry("ordering one-producer", "rabbitmq", Outcome.FAIL, "c got A1 after A2", "runs/2 a"),
        Entry("ordering strict", "classic", Outcome.INCONCLUSIVE, "blind", "runs/3"),
        Entry("ordering strict", "rabbitmq", Outcome.UNSUPPORTED, NO_STREAMS),
        Entry("ack auto", "rabbitmq", Outcome.UNSUPPORTED, NO_STREAMS),
    ]
)


def test_the_lines():
    assert list(lines(MATRIX)) == [
        "                       classic           rabbitmq",
        "ordering one-producer  pass              fail (1)",
        "ordering strict        inconclusive (2)  unsupported (3)",
        "ack auto               -                 unsupported (3)",
        "",
        "(1) c got A1 after A2",
        "(2) blind",
        "(3) no such thing at RabbitMQ",
        "",
        "fail          ordering one-producer at rabbitmq: runs/2 a",
        "inconclusive  ordering strict at classic: runs/3",
    ]


def test_where_all_is_well_there_is_nothing_below():
    assert list(lines(Matrix([Entry("a", "p", Outcome.PASS, run="r")]))) == ["   p", "a  pass"]
    assert markdown(Matrix([Entry("a", "p", Outcome.PASS)])) == "|  | p |\n| --- | --- |\n| a | pass |\n"


def test_the_markdown_leads_to_the_runs():
    assert markdown(MATRIX).splitlines() == [
        "|  | classic | rabbitmq |",
        "| --- | --- | --- |",
        "| ordering one-producer | [pass](./runs/1) | [fail (1)](./runs/2%20a) |",
        "| ordering strict | [inconclusive (2)](./runs/3) | unsupported (3) |",
        "| ack auto | - | unsupported (3) |",
        "",
        "1. c got A1 after A2",
        "2. blind",
        "3. no such thing at RabbitMQ",
    ]


def test_no_name_breaks_the_markdown():
    text = markdown(Matrix([Entry("a|b\n*c*", "<b>", Outcome.FAIL, "`x`", "r")]))
    assert text.splitlines() == [
        "|  | \\<b\\> |",
        "| --- | --- |",
        "| a\\|b \\*c\\* | [fail (1)](./r) |",
        "",
        "1. \\`x\\`",
    ]


def test_the_page_leads_to_the_runs():
    found = Parsed(matrix_page(MATRIX))
    assert [attributes["href"] for tag, attributes in found.elements if tag == "a"] == [
        "./runs/1",
        "./runs/2%20a",
        "./runs/3",
    ]
    assert "✓ pass" in found.text
    assert "✕ fail (1)" in found.text
    assert "– unsupported (3)" in found.text
    assert "guarantee" not in found.text
    assert "<ol" not in matrix_page(Matrix([Entry("a", "p", Outcome.PASS)]))


@pytest.mark.parametrize("run", ["javascript:alert(1)", "//elsewhere/x", 'a"b'])
def test_an_address_is_always_a_path(run):
    assert ":" not in address(run)
    assert '"' not in address(run)
    assert not address(run).startswith("//")


def test_the_json_object():
    found = json.loads(json.dumps(document(MATRIX)))
    assert (found["schema"], found["worst"]) == (1, "fail")
    assert found["experiments"] == ["ordering one-producer", "ordering strict", "ack auto"]
    assert found["profiles"] == ["classic", "rabbitmq"]
    assert found["cells"][1] == {
        "experiment": "ordering one-producer",
        "profile": "rabbitmq",
        "outcome": "fail",
        "reason": "c got A1 after A2",
        "run": "runs/2 a",
    }


def test_of_many_runs_the_worst_counts():
    often = Matrix([Entry("a", "p", outcome) for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.PASS)])
    assert often.word(often.cell("a", "p")) == "fail 1 of 3"
    assert often.worst is Outcome.FAIL
    assert Matrix([]).worst is Outcome.PASS
    assert Matrix([Entry("a", "p", Outcome.UNSUPPORTED), Entry("b", "p", Outcome.ERROR)]).worst is Outcome.ERROR


def test_outcomes_are_verdicts_and_more():
    assert [Outcome.of(verdict) for verdict in (*Verdict, None)] == ["pass", "fail", "inconclusive", "unsupported"]
