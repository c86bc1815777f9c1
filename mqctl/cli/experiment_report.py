"""What came of experiments: as text, as JSON, as JUnit's XML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mqctl.cli.artifacts import write_file
from mqctl.cli.context import AppContext
from mqctl.errors import ExitCode, UnsupportedError
from mqctl.experiments.answers import Property
from mqctl.experiments.builds import Case as BuildCase
from mqctl.experiments.builds import junit
from mqctl.experiments.check import Judged, Report
from mqctl.experiments.report import observed
from mqctl.laboratory.trial import Trial
from mqctl.measurement.verdict import Verdict

UNSUPPORTED = "unsupported"
WITNESSES_SHOWN = 2

_CODES = {Verdict.FAIL: ExitCode.WRONG, Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE}
"""The worst verdict is the exit code."""

_NAME_WIDTH, _VERDICT_WIDTH = 22, 12


def word(trial: Trial) -> str:
    """The verdict, or that there is none."""
    return trial.verdict or UNSUPPORTED


def as_json(trial: Trial) -> str:
    """One line."""
    return json.dumps(_value(trial), ensure_ascii=False)


def as_text(trial: Trial) -> str:
    """A line on what came of it, and below, indented, what speaks against it."""
    if trial.report is None:
        return f"{trial.case:{_NAME_WIDTH}} {UNSUPPORTED:{_VERDICT_WIDTH}} {trial.unsupported}"
    judged = [each for each in trial.report.judged if each.verdict is not None]
    held = ", ".join(each.answer.about for each in judged if each.verdict is Verdict.PASS)
    lines = [f"{trial.case:{_NAME_WIDTH}} {word(trial):{_VERDICT_WIDTH}} {held and f'held: {held}'}".rstrip()]
    if took := latency(trial.report):
        lines.append(f"    latency   {took}")
    if trial.expected:
        lines += [f"    expected  {trial.expected}", f"    observed  {observed(trial.report)}"]
    lines += [f"    {line}" for each in judged if each.verdict is not Verdict.PASS for line in _against(each)]
    lines += [f"    {doubt}" for doubt in trial.doubts]
    lines.append(f"    {trial.folder}")
    return "\n".join(lines)


def latency(report: Report) -> str:
    """How long messages took from when they were due, where that was judged."""
    judged = next(each for each in report.judged if each.answer.about is Property.LATENCY)
    if judged.verdict is None:
        return ""
    numbers = judged.answer.numbers
    usual = {name.removesuffix("_ms"): numbers.get(name) for name in _QUANTILES}
    told = [f"{name} {value:.2f} ms" for name, value in usual.items() if value is not None]
    return ", ".join([*told, *(note for note in judged.answer.notes if note.partition(" ")[0] not in usual)])


_QUANTILES = ("p50_ms", "p90_ms", "p99_ms")


def _against(judged: Judged) -> Iterator[str]:
    answer = judged.answer
    if answer.violations:
        yield f"{judged.verdict} {answer.about}: {answer.violations:,} of {answer.chances:,} {answer.of}"
        yield from (f"    {witness.text}" for witness in answer.witnesses[:WITNESSES_SHOWN])
    yield from (f"{judged.verdict} {answer.about}: {why}" for why in judged.why)


def summary(trials: Sequence[Trial]) -> str:
    """How many of which kind."""
    counts = Counter(map(word, trials))
    return ", ".join(f"{counts[each]} {each}" for each in (*Verdict, UNSUPPORTED) if counts[each])


def exit_code(trials: Sequence[Trial]) -> ExitCode:
    """The worst.

    Raises:
        UnsupportedError: Nothing at all could be run.
    """
    verdicts = {trial.verdict for trial in trials}
    if verdicts == {None}:
        raise UnsupportedError("none of these experiments can be done here")
    return next((code for verdict, code in _CODES.items() if verdict in verdicts), ExitCode.OK)


def _value(trial: Trial) -> dict[str, Any]:
    judged = [] if trial.report is None else trial.report.judged
    return {
        "case": trial.case,
        "verdict": word(trial),
        "seed": trial.seed,
        "why": trial.unsupported or None,
        "folder": None if trial.folder is None else str(trial.folder),
        "doubts": list(trial.doubts),
        "expected": trial.expected or None,
        "observed": observed(trial.report) if trial.report is not None and trial.expected else None,
        "properties": {
            each.answer.about: {
                "verdict": each.verdict,
                "violations": each.answer.violations,
                "chances": each.answer.chances,
                "of": each.answer.of,
                "bound": each.answer.bound,
                "planted": each.answer.planted,
                "found": each.answer.found,
                "why": list(each.why),
                "notes": list(each.answer.notes),
                "witnesses": [witness.text for witness in each.answer.witnesses],
                "numbers": dict(each.answer.numbers),
            }
            for each in judged
        },
    }


def write_junit(context: AppContext, path: Path, experiment: str, trials: Sequence[Trial]) -> None:
    """The same for build servers: fail is a failure, inconclusive an error, unsupported skipped.

    Raises:
        UsageError: The file cannot be written.
    """
    write_file(context, "--junit", path, junit(f"mqctl experiment {experiment}", build_cases(trials)))


def build_cases(trials: Sequence[Trial]) -> list[BuildCase]:
    """For builds: a case for each run."""
    return [
        BuildCase(f"{trial.case}[{trial.seed}]", trial.verdict, trial.unsupported or word(trial), as_text(trial))
        for trial in trials
    ]
