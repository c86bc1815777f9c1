"""The report: it tells all, in one file that asks nobody for anything, whatever a history calls its actors."""

from __future__ import annotations

import re

import pytest

from mqctl.experiments.events import (
    Delivered,
    End,
    Fault,
    FaultBegan,
    FaultEnded,
    Foreign,
    Header,
    Killed,
    Publish,
    Subscribed,
)
from mqctl.experiments.html import page
from mqctl.experiments.html.style import CSS
from tests.unit.experiments.histories import END, got, here, planted, sent
from tests.unit.experiments.html.parsed import Parsed, seen, shown

MS = 1_000_000
LOSSY = here("c"), sent("A1 A2 A3"), got("c", "A1 A3"), END
EVIL = "<script>alert(1)</script>\"'&]]>--><img src=x onerror=alert(1)>"


def timed(n: int, took_ms: float = 2) -> list:
    """A message a millisecond."""
    due = [(i, i * MS) for i in range(1, n + 1)]
    return [
        event
        for i, at in due
        for event in (
            Publish("A", i, topic="orders", intended_ns=at, sent_ns=at),
            Delivered("c", "A", i, received_ns=at + round(took_ms * MS), intended_ns=at),
        )
    ]


def test_a_failure_is_told_with_its_reasons_and_its_witness():
    text = shown(*LOSSY, header=Header(version=1, name="orders", protocol="stomp", mode="client")).text
    assert "✕ FAIL" in text
    assert "stomp, client · 11 lines of history" in text
    assert "no-loss : 1 of 3 deliveries of confirmed messages" in text
    assert "no-loss: c never got A2" in text
    assert "no A2" in text
    assert "STOMP 1.2, SUBSCRIBE: what was not acknowledged may come again" in text


def test_a_pass_says_what_it_is_worth():
    text = shown(here("c"), sent("A1 A2"), got("c", "A1 A2"), END, expect="no-loss fifo").text
    assert "✓ PASS" in text
    assert "Nothing was found against no-loss (broken in fewer than 100.00% at 95 % confidence), fifo" in text
    assert "guarantee" not in text.lower()
    assert "No faults were planted" in text


def test_what_could_not_be_told_says_why():
    text = shown(*LOSSY[:-1], [Foreign("c")], expect="no-loss", doubts=["the broker was not restarted"]).text
    assert "? INCONCLUSIVE" in text
    assert "on its way" in text
    assert "the broker was not restarted" in text


def test_a_pass_with_doubts_is_none():
    text = shown(here("c"), sent("A1 A2"), got("c", "A1 A2"), END, expect="fifo", doubts=["a doubt"]).text
    assert "a doubt" in text
    assert "? INCONCLUSIVE" in text
    assert "Nothing was found" not in text


def test_the_controls_are_told():
    text = shown(planted(Fault.DROP, "c", "A2"), *LOSSY[:-1], END, expect="no-loss").text
    assert "2 of 2 looked for were found" in text


def test_the_line_of_a_witness_is_told():
    assert "Line 8 of the history." in shown(here("c"), sent("A1 A2"), got("c", "A2 A1"), END).text


def test_the_course_tells_of_trouble():
    trouble = [FaultBegan("cut", 5 * MS, "c"), Killed("broker", 6 * MS), FaultEnded("cut", 8 * MS, "c")]
    trouble += [FaultBegan("flash", 8 * MS), FaultEnded("flash", 8 * MS)]
    text = shown(here("c"), timed(20), trouble, planted(Fault.DROP, "c", "A9"), [FaultBegan("slow", 9 * MS)], END).text
    assert "1: cut of c, at 4 ms for 3 ms" in text
    assert "2: flash, at 7 ms 3: slow, at 8 ms to the end" in text
    assert "broker killed" in text
    assert "planted: drop of A9 at c" in text
    for word in ("sent, up to", "delivered, up to", "trouble", "fault planted on purpose", "killed"):
        assert word in text


def test_of_much_trouble_a_part_is_told():
    text = shown(timed(20), [Killed("c", n * MS) for n in range(20)], END).text
    assert "and 8 more" in text


def test_quiet_runs_have_no_legend_of_trouble():
    text = shown(here("c"), timed(20), END).text
    assert "trouble" not in text
    assert "planted on purpose" not in text.replace("Faults were planted on purpose", "")


def test_latency_is_told_as_far_as_the_samples_suffice():
    text = shown(here("c"), timed(30), END).text
    assert "p50 2 ms" in text
    assert "p99 2" not in text
    text = shown(here("c"), timed(1200), END).text
    assert "p99 2 ms" in text
    assert "max 2 ms" in text


def test_a_history_of_nothing_is_a_page_too():
    text = shown().text
    assert "A history without a name" in text
    assert "Who saw what" not in text
    assert "Latency" not in text
    assert "course" not in text


def test_a_cut_history_is_told():
    report, scene = seen(*LOSSY)
    text = Parsed(page(report, scene, [*report.remarks, "the last line was cut short"])).text
    assert "cut short" in text


def test_what_is_expected_is_told():
    report, scene = seen(*LOSSY)
    text = Parsed(page(report, scene, expected="loses nothing")).text
    assert "Expected loses nothing Observed 1 of 3 lost; 0 came again, 0 of them unflagged" in text
    assert "Expected" not in Parsed(page(report, scene)).text


def test_facts_are_told_flat():
    facts = {"seed": 7, "versions": {"mqctl": "1", "deep": {"er": [1, 2]}}}
    text = shown(*LOSSY, header=Header(version=1, facts=facts)).text
    assert "seed 7 versions mqctl 1 versions deep er 1, 2" in text


def test_many_subscribers_are_counted():
    names = [f"c{i}" for i in range(12)]
    assert "4 more subscribers are not shown" in shown(here(*names), sent("A1"), END).text


@pytest.mark.parametrize("evil", [EVIL, "a\u202eb", "a\x00\x1b[31mb", "\ud7a3 한글", "x" * 500])
def test_no_name_can_break_out(evil):
    parts = (
        [Subscribed(evil, topic=evil)],
        [Publish(evil, n, topic=evil, sent_ns=n) for n in (1, 2)],
        [Delivered(evil, evil, n, received_ns=n + 3, intended_ns=n) for n in (2, 1)],
        [FaultBegan(evil, 1, evil), Killed(evil, 2)],
        planted(Fault.SWAP, "c", "A1 A2"),
        [End(drained=True)],
    )
    header = Header(version=1, name=evil, protocol=evil, mode=evil, facts={evil: evil})
    found = shown(*parts, header=header, expect="fifo", doubts=[evil])
    tags = {tag for tag, _ in found.elements}
    assert tags.isdisjoint({"script", "img", "iframe", "link", "a", "object"})
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", found.text)


def test_nothing_is_asked_of_anybody_and_nothing_runs():
    report, scene = seen(*LOSSY)
    text = page(report, scene)
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|url\(|@import|src=|href=|<script", text)


def test_no_colour_tells_anything_alone():
    for verdict in ("pass", "fail", "inconclusive"):
        assert f".{verdict} {{ --mark: var(--{verdict});" in CSS
    found = shown(*LOSSY)
    boxes = [attributes for tag, attributes in found.elements if tag == "rect" and attributes.get("class") == "box"]
    labels = [text for text in found.texts if re.fullmatch(r"(no )?A\d!?", text)]
    assert len(labels) >= len(boxes) > 0


def test_pictures_have_names_for_who_cannot_see_them():
    for tag, attributes in shown(*LOSSY, timed(9)).elements:
        if tag == "svg" and attributes.get("role") == "img":
            assert attributes["aria-label"]
