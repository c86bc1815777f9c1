"""Simulated experiments: folder, history and verdict as of any other, and no broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from mqctl import __version__
from mqctl.errors import OperationTimeout
from mqctl.experiments.events import Delivered, Event, Publish
from mqctl.experiments.history import Writer
from mqctl.experiments.simulation.scenario import Scenario
from mqctl.laboratory.archive import Folder
from mqctl.laboratory.illustration import illustrate
from mqctl.laboratory.run import Progress
from mqctl.laboratory.trial import Trial, examine

BATCH: Final = 1000
"""So many events are written at once."""


def simulated(
    scenario: Scenario,
    run_dir: Path,
    *,
    deadline_s: float | None = None,
    watch: Callable[[Progress], None] = lambda _progress: None,
) -> Trial:
    """Run a scenario once.

    Args:
        scenario: What.
        run_dir: Where runs are kept.
        deadline_s: When to give up, by the monotonic clock; None is never.
        watch: Told how far it is.

    Raises:
        OperationTimeout: The deadline is over; the folder stays, with the history so far.
        UsageError: There can be no folder.
    """
    case, seed = scenario.case.name, scenario.seed
    if why := scenario.lacks:
        return Trial(case=case, seed=seed, unsupported=f"it is not simulated: {why}")
    header, simulation = scenario.begin()
    folder = Folder(run_dir, f"{scenario.experiment}-{case}-simulated")
    folder.note(
        experiment=header.name,
        simulated=True,
        seed=seed,
        command=scenario.command,
        messages=scenario.params.messages,
        expect=list(header.expect),
        versions={"mqctl": __version__},
    )
    with folder.history.open("xb", buffering=0) as file:
        writer = Writer(file, header)
        for events in _watched(_batches(simulation.events()), scenario.params.messages, watch):
            writer.write(*events)
            if deadline_s is not None and time.monotonic() > deadline_s:
                raise OperationTimeout("--timeout is over before the run is")
    report, expected = examine(folder.history), scenario.case.expected(scenario.ground)
    done = Trial(
        case=case, seed=seed, folder=folder.path, report=report, doubts=tuple(simulation.doubts), expected=expected
    )
    folder.note(outcome=done.verdict, doubts=done.doubts)
    illustrate(folder.history, report, done.doubts, done.expected)
    return done


def _batches(events: Iterator[Event]) -> Iterator[list[Event]]:
    while batch := list(islice(events, BATCH)):
        yield batch


def _watched(batches: Iterable[list[Event]], total: int, watch: Callable[[Progress], None]) -> Iterator[list[Event]]:
    """The same, while somebody is told how far it is."""
    attempted = came = 0
    for batch in batches:
        attempted += sum(isinstance(event, Publish) for event in batch)
        came += sum(isinstance(event, Delivered) for event in batch)
        watch(Progress(attempted, total, came, attempted >= total))
        yield batch
