"""From a history to a verdict: what is expected, what is permitted, what casts doubt."""

from __future__ import annotations

import pytest

from mqctl.errors import UsageError
from mqctl.experiments import check as module
from mqctl.experiments.answers import Answer, Property
from mqctl.experiments.check import Judged, judge
from mqctl.experiments.events import (
    ConnectionResumed,
    End,
    Fault,
    FaultBegan,
    FaultEnded,
    Header,
    Nacked,
    Strange,
    Subscribed,
)
from mqctl.experiments.history import Batch
from mqctl.experiments.pages import Page, runs, stretches
from mqctl.experiments.policy import BUNDLES, MODES, Policy, expectation, names, of_protocol
from mqctl.measurement.verdict import Verdict
from tests.unit.experiments.histories import END, got, here, judged, planted, read, sent

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
GOOD = here("c", "d"), sent("A1 B1 A2 B2"), got("c", "A1 B1 A2 B2"), got("d", "A1 B1 A2 B2"), END
LOSSY = here("c"), sent("A1 A2"), got("c", "A1"), END


def of(report: module.Report, about: Property) -> Judged:
    return next(each for each in report.judged if each.answer.about is about)


@pytest.mark.parametrize(
    ("parts", "expect", "verdict"),
    [
        (GOOD, "", PASS),
        (GOOD, "fifo exactly-once agreement no-gaps", PASS),
        (LOSSY, "", FAIL),
        (LOSSY, "no-loss", FAIL),
        (LOSSY, "fifo no-loss", FAIL),
        (LOSSY, "no-duplicates", PASS),
        (LOSSY[:-1], "no-loss", INCONCLUSIVE),
        # What nothing could have shown is not proved, where somebody asked for it.
        (GOOD, "acks", INCONCLUSIVE),
        (GOOD, "one-consumer", INCONCLUSIVE),
        ((), "", INCONCLUSIVE),
        ((END,), "fifo", INCONCLUSIVE),
        ((here("c"), sent("A1 A2"), got("c", "A2 A1"), got("c", "A1"), END), "fifo", FAIL),
    ],
)
def test_verdicts(parts, expect, verdict):
    assert judged(*parts, expect=expect).verdict is verdict


@pytest.mark.parametrize(
    ("protocol", "mode", "verdict"),
    [("mqtt", "qos0", PASS), ("mqtt", "qos1", FAIL), ("stomp", "auto", PASS), ("amqp", "", FAIL)],
)
def test_what_the_protocol_permits_is_no_failure(protocol, mode, verdict):
    report = judged(*LOSSY, header=Header(version=1, protocol=protocol, mode=mode))
    assert report.verdict is verdict
    assert of(report, Property.NO_LOSS).permitted is (verdict is PASS)


def test_the_header_expects_unless_somebody_else_does():
    header = Header(version=1, protocol="mqtt", mode="qos0", expect=("no-loss",))
    assert judged(*LOSSY, header=header).verdict is FAIL
    assert judged(*LOSSY, header=header, expect="fifo").verdict is INCONCLUSIVE


def test_a_planted_fault_that_was_missed_makes_nothing_found_worth_nothing():
    drop = planted(Fault.DROP, "c", "A1")
    report = judged(drop, *GOOD, expect="no-loss")
    assert report.verdict is INCONCLUSIVE
    assert "planted faults were not found" in of(report, Property.NO_LOSS).why[0]
    # What was found with a witness stands.
    assert judged(drop, here("c"), sent("A1 A2"), got("c", "A1"), END, expect="no-loss").verdict is FAIL


def test_controls_may_be_required():
    assert judged(*GOOD, expect="fifo", controls_required=True).verdict is INCONCLUSIVE
    swapped = planted(Fault.SWAP, "c", "A1 A2"), here("c"), sent("A1 A2"), got("c", "A2 A1"), END
    assert judged(*swapped, expect="fifo", controls_required=True).verdict is PASS


def test_a_missed_fault_counts_even_where_there_was_no_chance():
    report = judged(planted(Fault.DROP, "c", "A1"), got("c", "A1"))
    assert of(report, Property.NO_LOSS).verdict is INCONCLUSIVE


def test_the_bound_is_that_of_the_rule_of_three():
    assert Answer(about=Property.FIFO, of="", chances=300).bound == 0.01
    assert Answer(about=Property.FIFO, of="", chances=2).bound == 1.0
    assert Answer(about=Property.FIFO, of="").bound is None
    assert Answer(about=Property.FIFO, of="", chances=300, violations=1).bound is None


def test_what_is_not_certain_is_no_failure():
    answer = Answer(about=Property.NO_LOSS, of="", violations=1, chances=2, certain=False, doubts=("why",))
    assert judge(answer, Policy(expected=frozenset({Property.NO_LOSS}))).verdict is INCONCLUSIVE


def test_what_is_odd_about_the_history_is_told():
    reader = read(*LOSSY)
    reader.torn = True
    reader.strange["comet"] = 2
    assert list(module.check(reader).remarks) == [
        "the last line was cut short, as by a crash, and is left out",
        "2 lines of a kind that is not known here: comet",
    ]


def test_trouble_is_told_and_bounded(monkeypatch):
    monkeypatch.setattr(module, "FAULTS_MAX", 3)
    trouble = [FaultBegan("cut"), ConnectionResumed("c"), FaultEnded("cut"), FaultBegan("stall"), FaultEnded("stall")]
    assert judged(trouble).faults == [FaultBegan("cut"), FaultEnded("cut"), FaultBegan("stall")]


def test_every_name_is_an_expectation_and_no_other():
    for name in names():
        policy = expectation([name])
        assert policy.asked
        assert policy.expected == BUNDLES.get(name, {name})
    with pytest.raises(UsageError, match="'fofi'") as refused:
        expectation(["fofi"])
    assert "fifo" in refused.value.hint
    with pytest.raises(UsageError):
        module.check(read(header=Header(version=1, expect=("nonsense",))))


def test_every_permission_says_why():
    for (protocol, mode), permitted in MODES.items():
        policy = of_protocol(protocol, mode)
        assert policy.expected == set(Property) - set(permitted)
        assert all(permitted.values())
    assert Property.NO_LOSS in of_protocol("mqtt", "qos2").expected
    assert Property.NO_DUPLICATES in of_protocol("mqtt", "qos2").expected


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([1, 2, 3], [(1, 4)]),
        ([5], [(5, 6)]),
        ([1, 3], [(1, 2), (3, 4)]),
        ([3, 4, 1, 2], [(3, 5), (1, 3)]),
        ([1, 1], [(1, 2), (1, 2)]),
        ([1, 3, 2, 4], [(1, 2), (3, 4), (2, 3), (4, 5)]),
    ],
)
def test_runs_go_up_by_one(numbers, found):
    assert list(runs(numbers)) == found


def test_a_batch_is_cut_where_something_changes():
    one, other = got("c", "A1")[0], got("c", "A2")[0]
    turn = Subscribed("d")
    strange = Strange("comet")
    parts = list(stretches(Batch(7, [one, strange, turn, END, other])))
    assert [part if not isinstance(part, Page) else (part.first_line, part.events) for part in parts] == [
        (7, [one, strange]),
        turn,
        END,
        (11, [other]),
    ]
    assert parts[-1].line_of(other) == 11
    assert list(stretches(Batch(1, [turn]))) == [turn]


def test_a_consumer_that_changes_nothing_by_coming_twice():
    again = judged(here("c"), sent("A1"), here("c"), sent("A2"), got("c", "A1"), END, expect="no-loss")
    assert of(again, Property.NO_LOSS).answer.violations == 1


def test_a_refusal_without_requeue_asks_for_nothing():
    report = judged(got("c", "A1"), Nacked("c", "A", 1, requeue=False), got("c", "A1"), End(), expect="no-duplicates")
    assert report.verdict is FAIL
