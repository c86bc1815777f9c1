"""The verdict: what is the broker's fault, and when a measurement proves nothing."""

from __future__ import annotations

import pytest

from mqctl.errors import ExitCode
from mqctl.measurement.arrivals import Arrived
from mqctl.measurement.ranges import Range
from mqctl.measurement.report import Work
from mqctl.measurement.verdict import Verdict, judge
from tests.unit.measurement.test_report import heard, report, sent


def judged(*, share: float | None = 0.5, ear=None, cut=None, dead=(), **more):
    works = (Work("1", (sent(**more),), (ear or heard(),), share),)
    return judge(report(works=works), cut_short=cut, dead=dead)


def test_a_clean_run_passes():
    assert judged() == ((),)
    assert (judged().verdict, judged().code) == (Verdict.PASS, ExitCode.OK)


@pytest.mark.parametrize(
    ("case", "verdict", "code", "text"),
    [
        ({"ear": heard(streams=(Arrived(9),))}, Verdict.FAIL, ExitCode.WRONG, "1 of 10 expected deliveries never came"),
        ({"ear": heard(lost_connection="gone")}, Verdict.FAIL, ExitCode.CONNECTION, "gone"),
        ({"stopped": "gone"}, Verdict.FAIL, ExitCode.CONNECTION, "gone"),
        (
            {"rejected": (Range(9, 10),), "ear": heard(streams=(Arrived(9),))},
            Verdict.FAIL, ExitCode.REFUSED, "the broker refused 1 messages",
        ),
        (
            {"unknown": (Range(9, 10),)}, Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE,
            "what became of 1 messages is unknown",
        ),
        (
            {"late": 2, "sends": 100, "held": 1}, Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE,
            (
                "2.0% of the messages went out more than 1 ms late (50% of these because one before was not taken at "
                "once): send fewer a second, or give the machine less else to do"
            ),
        ),
        (
            {"late": 2, "sends": 100}, Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE,
            (
                "2.0% of the messages went out more than 1 ms late: send fewer a second, or give the machine less else "
                "to do"
            ),
        ),
        (
            {"share": 0.9}, Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE,
            "worker 1 used 90% of a core, so mqctl itself was the limit: send fewer a second, or use more --workers",
        ),
        (
            {"ear": heard(streams=(Arrived(9),), dropped=1)}, Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE,
            "1 messages came faster than mqctl took them, and were dropped",
        ),
        (
            {"attempted": 9, "ear": heard(streams=(Arrived(9),))}, Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE,
            "1 of 10 messages that were due never went out",
        ),
        ({"sends": 0}, Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE, "no message was measured"),
        ({"dead": ("it died",)}, Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE, "it died"),
        ({"cut": ExitCode.INTERRUPTED}, Verdict.INCONCLUSIVE, ExitCode.INTERRUPTED, "it was ended before its time"),
        ({"cut": ExitCode.TIMEOUT}, Verdict.INCONCLUSIVE, ExitCode.TIMEOUT, "it was ended before its time"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_one_thing_wrong_is_one_finding(case, verdict, code, text):
    judgement = judged(**case)
    assert [finding.text for finding in judgement.findings] == [text]
    assert (judgement.verdict, judgement.code) == (verdict, code)


@pytest.mark.parametrize(
    "near",
    [{"late": 1, "sends": 100}, {"share": 0.899}, {"share": None}],
)
def test_a_near_miss_passes(near):
    assert judged(**near) == ((),)


def test_what_breaks_no_promise_is_told_and_passes():
    judgement = judged(ear=heard(streams=(Arrived(10, (), 3, 2),), unexpected=1))
    assert [finding.text for finding in judgement.findings] == [
        "3 messages came more than once",
        "2 messages came after a later one of the same publisher",
        "1 messages were not expected: of somebody else, changed, or refused before",
    ]
    assert (judgement.verdict, judgement.code) == (Verdict.PASS, ExitCode.OK)


def test_more_lost_than_we_dropped_is_the_brokers_loss():
    judgement = judged(ear=heard(streams=(Arrived(8),), dropped=1))
    assert judgement.code is ExitCode.WRONG
    assert len(judgement.findings) == 2


def test_what_a_run_that_was_cut_short_did_not_come_to_is_not_unsent():
    assert [
        finding.text for finding in judged(cut=ExitCode.TIMEOUT, attempted=9, ear=heard(streams=(Arrived(9),)))[0]
    ] == ["it was ended before its time"]


@pytest.mark.parametrize("why", [{"cut": ExitCode.INTERRUPTED}, {"dead": ("it died",)}])
def test_what_was_not_awaited_is_not_lost(why):
    judgement = judged(ear=heard(streams=(Arrived(8),)), **why)
    assert "2 of 10 deliveries were not awaited" in [finding.text for finding in judgement.findings]
    assert judgement.verdict is Verdict.INCONCLUSIVE


def test_the_gravest_finding_decides():
    judgement = judged(ear=heard(streams=(Arrived(9),)), share=1.0, stopped="gone")
    assert [finding.code for finding in judgement.findings] == [
        ExitCode.WRONG, ExitCode.CONNECTION, ExitCode.INCONCLUSIVE,
    ]  # fmt: skip
