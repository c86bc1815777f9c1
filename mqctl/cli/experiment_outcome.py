"""What came of the experiments about Bayeux: as text, as JSON, for builds, and as the exit code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mqctl.cli.artifacts import annotate, write_file
from mqctl.cli.context import AppContext
from mqctl.errors import ExitCode, UnsupportedError
from mqctl.experiments.builds import Case, annotated, junit
from mqctl.laboratory.outcome import Outcome
from mqctl.measurement.verdict import Verdict

UNSUPPORTED = "unsupported"

_CODES = {Verdict.FAIL: ExitCode.WRONG, Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE}
"""The worst verdict is the exit code."""

_NAME_WIDTH, _VERDICT_WIDTH = 22, 12


def as_json(outcome: Outcome) -> str:
    """One line."""
    value = {
        "case": outcome.case,
        "verdict": outcome.verdict or UNSUPPORTED,
        "seed": outcome.seed,
        "why": outcome.unsupported or None,
        "folders": list(map(str, outcome.folders)),
        "expected": outcome.expected or None,
        "observed": outcome.observed or None,
        "against": list(outcome.against),
        "notes": list(outcome.notes),
        **outcome.numbers,
    }
    return json.dumps(value, ensure_ascii=False)


def as_text(outcome: Outcome) -> str:
    """What came of it, and below, indented, what is known and what speaks against it."""
    head = f"{outcome.case:{_NAME_WIDTH}} {outcome.verdict or UNSUPPORTED:{_VERDICT_WIDTH}} {outcome.unsupported}"
    lines = [head.rstrip()]
    if outcome.expected:
        lines.append(f"    expected  {outcome.expected}")
    if outcome.observed:
        lines.append(f"    observed  {outcome.observed}")
    return "\n".join(lines + [f"    {line}" for line in (*outcome.against, *outcome.notes, *outcome.folders)])


def conclude(context: AppContext, experiment: str, outcomes: Sequence[Outcome], file: Path | None) -> ExitCode:
    """Count the verdicts, tell them to builds, and return the worst.

    Args:
        context: Of the command.
        experiment: Its name.
        outcomes: All of them.
        file: Where to write JUnit's XML.

    Raises:
        UnsupportedError: Nothing at all could be tried.
        UsageError: The file cannot be written.
    """
    counts = Counter(outcome.verdict or UNSUPPORTED for outcome in outcomes)
    context.report(", ".join(f"{counts[each]} {each}" for each in (*Verdict, UNSUPPORTED) if counts[each]))
    cases = [
        Case(f"{each.case}[{each.seed}]", each.verdict, each.unsupported or each.verdict or UNSUPPORTED, as_text(each))
        for each in outcomes
    ]
    if file is not None:
        write_file(context, "--junit", file, junit(f"mqctl experiment {experiment}", cases))
    annotate(context, annotated(cases))
    if set(counts) == {UNSUPPORTED}:
        raise UnsupportedError(f"this experiment cannot be done here: {outcomes[0].unsupported}")
    return next((code for verdict, code in _CODES.items() if counts[verdict]), ExitCode.OK)
