"""The report: it says what was found and how sure that is, with and without colours."""

from __future__ import annotations

import msgspec
import pytest

from mqctl.experiments.answers import Cell, Look, Property, Row
from mqctl.experiments.controls import describe
from mqctl.experiments.diagram import ASCII, UNICODE, draw
from mqctl.experiments.events import ConnectionLost, Fault, FaultBegan, Header, message
from mqctl.experiments.report import document, facts, observed, table, witnesses
from tests.unit.experiments.histories import END, attempted, got, here, judged, planted, sent

LOSSY = here("c"), sent("A1 A2"), got("c", "A1", received_ns=5_000_000, intended_ns=0), END


def text(lines) -> list[str]:
    return ["".join(segment.text for segment in line) for line in lines]


def test_the_diagram_is_a_row_of_boxes_for_each_consumer():
    rows = [
        Row("c1", (Cell("A", 1), Cell("B", 1, Look.MARKED))),
        Row("chart", (Cell("A", 2, Look.ABSENT),)),
    ]
    assert text(draw(rows, UNICODE)) == [
        "      ┌────┬─────┐",
        "c1    │ A1 │ B1! │",
        "      └────┴─────┘",
        "      ┌───────┐",
        "chart │ no A2 │",
        "      └───────┘",
    ]
    assert text(draw(rows[:1], ASCII)) == ["   +----+-----+", "c1 | A1 | B1! |", "   +----+-----+"]
    assert {segment.producer for line in draw(rows) for segment in line} == {"A", "B", None}
    assert draw([]) == []


@pytest.mark.parametrize(("producer", "name"), [("A", "A7"), ("p1", "p1:7"), ("", "7")])
def test_a_message_has_a_name(producer, name):
    assert message(producer, 7) == name


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (planted(Fault.DROP, "c", "A1"), "drop of A1 at c"),
        (planted(Fault.DUPLICATE, "c", "A1"), "duplicate of A1 at c"),
        (planted(Fault.SWAP, "c", "A1 B2"), "swap of A1 and B2 at c"),
        (planted(Fault.DELAY, "c", "A1", delay_ns=2_500_000), "delay of A1 by 2.5 ms at c"),
    ],
)
def test_a_planted_fault_in_words(fault, words):
    assert describe(fault) == words


def test_the_facts():
    header = Header(version=1, name="orders", protocol="stomp", mode="client")
    assert facts(judged(*LOSSY, FaultBegan("cut"), FaultBegan("cut"), header=header)) == [
        ("verdict", "fail"),
        ("history", "orders (stomp, client), 10 lines"),
        ("published", "attempted 2, confirmed 2, rejected 0, unknown 0"),
        ("delivered", "expected 2, delivered 1, lost 1, recovered 0"),
        ("controls", "no faults were planted, so nothing shows that they would have been found"),
        ("latency", "max 5.000 ms"),
        ("trouble", "cut"),
    ]
    plain = dict(facts(judged(planted(Fault.DROP, "c", "A1"), sent("A1"), here("c"), END)))
    assert plain["history"] == "without a name (no protocol told), 6 lines"
    assert plain["controls"] == "2 of 2 looked for were found"
    assert "latency" not in plain
    assert "trouble" not in plain


def test_the_table():
    report = judged(*LOSSY, header=Header(version=1, protocol="mqtt", mode="qos0"))
    rows = {row[0]: row[1:] for row in table(report)}
    assert rows[Property.NO_LOSS][:3] == ("permitted", "1", "2 deliveries of confirmed messages")
    assert rows[Property.NO_DUPLICATES] == (
        "pass",
        "0",
        "1 deliveries",
        "in fewer than 100.00% of them, at 95 % confidence",
    )
    assert rows[Property.LATENCY][0] == "not judged"
    assert Property.ACK_HOLDS not in rows
    doubtful = {row[0]: row for row in table(judged(*LOSSY[:-1], expect="no-loss"))}
    assert doubtful[Property.NO_LOSS][1] == "inconclusive"
    assert "on its way" in doubtful[Property.NO_LOSS][-1]


def test_only_what_is_judged_is_drawn():
    report = judged(*LOSSY, expect="fifo")
    assert list(witnesses(report)) == []
    ((each, witness),) = witnesses(judged(*LOSSY, expect="no-loss"))
    assert (each.answer.about, witness.text) == (Property.NO_LOSS, "c never got A2")


def test_nothing_is_ever_guaranteed():
    report = judged(here("c"), sent("A1"), got("c", "A1"), END)
    assert "guarantee" not in str([facts(report), table(report), document(report)]).lower()


def test_the_json_object():
    found = msgspec.json.decode(
        msgspec.json.encode(document(judged(*LOSSY, FaultBegan("cut", 5, "c"), expect="no-loss")))
    )
    assert (found["schema"], found["verdict"], found["history"]["lines"]) == (1, "fail", 9)
    assert found["trouble"] == [{"fault": "cut", "at_ns": 5, "where": "c"}]
    entry = next(each for each in found["properties"] if each["property"] == "no-loss")
    assert entry == {
        "property": "no-loss",
        "verdict": "fail",
        "permitted": False,
        "why": [],
        "notes": [],
        "violations": 1,
        "chances": 2,
        "of": "deliveries of confirmed messages",
        "below_at_95": None,
        "planted": 0,
        "found": 0,
        "attempted": 2,
        "confirmed": 2,
        "rejected": 0,
        "unknown": 0,
        "expected": 2,
        "delivered": 1,
        "lost": 1,
        "recovered": 0,
        "witnesses": [{"text": "c never got A2", "line": None, "rows": {"c": ["A1", "no A2"]}}],
    }


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (LOSSY, "1 of 2 lost; 0 came again, 0 of them unflagged"),
        (
            (attempted("A1"), sent("A2"), got("c", "A1 A2 A2")),
            "0 of 1 lost; 1 unknown, 1 of them came; 1 came again, 1 of them unflagged",
        ),
        (
            (here("c", ack="client", prefetch=5), got("c", "A1 A2"), ConnectionLost("c"), got("c", "A1")),
            "0 of 0 lost; 1 came again, 1 of them unflagged; 2 held at most; 2 given back, 1 of them gone",
        ),
        (
            (got("c", "A1 B1 A2"), got("d", "B1 A1 A2")),
            "0 of 0 lost; 0 came again, 0 of them unflagged; 1 pairs that two consumers saw in different order",
        ),
        (
            (here("c", "d", group="q"), got("c", "A1"), planted(Fault.STRAY, "d", "A2"), got("d", "A2 A3")),
            (
                "0 of 0 lost; 0 came again, 0 of them unflagged; "
                "1 of 2 went to another consumer than the one before of their group"
            ),
        ),
    ],
)
def test_what_was_observed(parts, told):
    assert observed(judged(*parts, END)) == told
