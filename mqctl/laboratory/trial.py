"""One experiment from its plan to its verdict: a folder, a run, a history, and what that proves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mqctl.adapters.base import Adapter
from mqctl.errors import MqctlError, UnsupportedError
from mqctl.experiments.cases import Case
from mqctl.experiments.check import Report, check
from mqctl.experiments.events import Header
from mqctl.experiments.history import Reader
from mqctl.experiments.plan import Ground, Params, Plan
from mqctl.laboratory.archive import Folder, clock, host, versions
from mqctl.laboratory.illustration import illustrate
from mqctl.laboratory.pace import punctual
from mqctl.laboratory.run import Progress, Run, Terms
from mqctl.laboratory.scribe import Scribe
from mqctl.measurement.verdict import Verdict
from mqctl.model import Connected
from mqctl.target import Target

NO_SHARING: Final = "nothing came to a shared subscription: this broker does not know them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where experiments are run, and how.

    Attributes:
        adapter: The transport.
        target: The broker.
        greeting: How it greeted.
        ground: What can be done there.
        run_dir: Where runs are kept.
        experiment: The name of the family of experiments, for folders and histories.
        deadline: When all must be over, by `time.monotonic`, where each step is ours; None is never.
        begun: Told where a run is kept.
        watch: Told how far a run is.
    """

    adapter: Adapter
    target: Target
    greeting: Connected
    ground: Ground
    run_dir: Path
    experiment: str
    deadline: float | None = None
    begun: Callable[[Path], object] = lambda _folder: None
    watch: Callable[[Progress], None] = lambda _progress: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one run.

    Attributes:
        case: Which experiment.
        seed: Of its plan.
        folder: Where it is kept; None where it was not run.
        unsupported: Why it was not run; "" where it was.
        report: What its history proves.
        doubts: What the run itself says against it.
        expected: What is known to happen at such a broker, in words.
    """

    case: str
    seed: int
    folder: Path | None = None
    unsupported: str = ""
    report: Report | None = None
    doubts: Sequence[str] = ()
    expected: str = ""

    @property
    def verdict(self) -> Verdict | None:
        """What it proves; None where it was not run. A run that did not go as planned proves no absence."""
        if self.report is None:
            return None
        if self.report.verdict is Verdict.PASS and self.doubts:
            return Verdict.INCONCLUSIVE
        return self.report.verdict


def trial(case: Case, params: Params, terms: Terms, place: Place, seed: int) -> Trial:
    """Run a case once.

    Raises:
        MqctlError: As `Run.carry_out`; the folder stays, with the history so far.
    """
    if why := case.lacks(params, place.ground):
        return Trial(case=case.name, seed=seed, unsupported=why)
    plan = case.limited(params, place.ground, random.Random(seed))  # noqa: S311 - places of faults, no secrets
    terms = replace(terms, rate=terms.rate or plan.rate, seed=seed)
    folder = Folder(place.run_dir, f"{place.experiment}-{case.name}")
    place.begun(folder.path)
    with nullcontext() if terms.rate is None else punctual():
        folder.note(**_facts(plan, params, terms, place, seed))
        return _tried(case, plan, terms, place, folder)


def _tried(case: Case, plan: Plan, terms: Terms, place: Place, folder: Folder) -> Trial:
    seed = terms.seed
    run: Run | None = None
    try:
        with folder.history.open("xb", buffering=0) as file, Scribe(file, _header(plan, place, seed)) as scribe:
            run = Run(plan, adapter=place.adapter, target=place.target, terms=terms, scribe=scribe, watch=place.watch)
            run.carry_out()
    except UnsupportedError as error:
        folder.note(outcome="unsupported", reason=str(error))
        return Trial(case=case.name, seed=seed, folder=folder.path, unsupported=str(error))
    except BaseException as error:
        ended = str(error) if isinstance(error, MqctlError) else type(error).__name__
        folder.note(outcome="not finished", reason=ended)
        raise
    if run.knows_no_sharing:
        folder.note(outcome="unsupported", reason=NO_SHARING)
        return Trial(case=case.name, seed=seed, folder=folder.path, unsupported=NO_SHARING)
    report = examine(folder.history)
    done = Trial(
        case=case.name,
        seed=seed,
        folder=folder.path,
        report=report,
        doubts=tuple(run.doubts),
        expected=case.expected(place.ground),
    )
    folder.note(outcome=done.verdict, doubts=done.doubts)
    illustrate(folder.history, report, done.doubts, done.expected)
    return done


def examine(history: Path, expect: Iterable[str] = ()) -> Report:
    """What a history proves."""
    with history.open("rb") as file:
        return check(Reader(file, str(history)), expect=expect)


def named(place: Place, name: str) -> Place:
    """The same place, with names that nobody else uses."""
    return replace(place, ground=replace(place.ground, name=name))


def _header(plan: Plan, place: Place, seed: int) -> Header:
    return Header(
        version=1,
        name=f"{place.experiment} {plan.name}",
        protocol=place.ground.protocol,
        mode=plan.mode,
        expect=plan.words,
        facts={"seed": seed, "broker": place.ground.broker, "target": place.target.name},
    )


def _facts(plan: Plan, params: Params, terms: Terms, place: Place, seed: int) -> dict[str, object]:
    """All that is needed to run it again, and to know what it is worth. The target is without credentials."""
    return {
        "experiment": f"{place.experiment} {plan.name}",
        "seed": seed,
        "target": place.target.name,
        "broker": {"server": place.greeting.server, "dialect": place.greeting.dialect, "peer": place.greeting.peer},
        "messages": params.messages,
        "producers": [producer.name for producer in plan.producers],
        "consumers": [consumer.name for consumer in plan.consumers],
        "expect": plan.words,
        "rate": terms.rate,
        "size": terms.size,
        "run": f"{terms.number:016x}",
        "name": place.ground.name,
        "processes": 1,
        "versions": versions(),
        "host": host(),
        "clock": clock(),
    }
