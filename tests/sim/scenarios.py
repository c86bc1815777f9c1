"""Simulated runs, and what their histories prove; a failure says which command repeats it."""

from __future__ import annotations

import io
from typing import Any

from mqctl.experiments.check import Judged, Report, check
from mqctl.experiments.history import Reader, encode
from mqctl.experiments.simulation.scenario import Scenario
from mqctl.measurement.verdict import Verdict


def history(scenario: Scenario, **options: Any) -> bytes:
    header, simulation = scenario.begin(**options)
    return encode(header, simulation.events())


def report(scenario: Scenario, **options: Any) -> Report:
    return check(Reader(io.BytesIO(history(scenario, **options))))


def broken(report: Report) -> list[Judged]:
    """What was expected and does not hold."""
    return [each for each in report.judged if each.verdict is Verdict.FAIL]


def told(scenario: Scenario, found: list[Judged]) -> str:
    what = [f"{each.answer.about}: {witness.text}" for each in found for witness in each.answer.witnesses]
    return "\n".join([*what, f"to repeat it: {scenario.command}"])
