"""`mqctl experiment … --simulate`: cases in simulated time, with what repeats one that did not pass."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags
from mqctl.cli.experiment_options import RunOptions, WhatOptions
from mqctl.errors import UsageError
from mqctl.measurement.verdict import Verdict

if TYPE_CHECKING:
    from mqctl.experiments.cases import Case
    from mqctl.laboratory.trial import Trial


def simulations(
    context: AppContext,
    experiment: str,
    cases: Sequence[Case],
    *,
    what: WhatOptions,
    run: RunOptions,
    flags: Flags,
    restart: str | None,
) -> Iterator[Trial]:
    """Simulate cases, each as often as asked for.

    Raises:
        UsageError: A broker was chosen.
        MqctlError: As `laboratory.simulated.simulated`.
    """
    _refuse_brokers(context, flags, restart=restart)
    from mqctl.cli.experiment_live import shown
    from mqctl.experiments.simulation.scenario import Scenario
    from mqctl.laboratory.simulated import simulated

    params, seed = what.params(run.expect), run.first_seed()
    deadline_s = None if run.timeout is None else time.monotonic() + run.timeout
    for case in cases:
        for number in range(run.repeat):
            scenario = Scenario(
                experiment=experiment, case=case, seed=seed + number, params=params, rate=what.rate, size=what.size
            )
            with shown(context, case.name) as watch:
                done = simulated(scenario, context.cwd / run.run_dir, deadline_s=deadline_s, watch=watch)
            yield done
            if done.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
                context.report(f"to repeat it: {scenario.command}")


def _refuse_brokers(context: AppContext, flags: Flags, *, restart: str | None) -> None:
    """See to it that nobody takes a simulation for a test of a broker.

    Raises:
        UsageError: A broker was chosen.
    """
    before = {"url": context.url, "profile": context.profile, "restart_command": restart}
    given = [name for name, value in {**flags, **before}.items() if (value or flags.get(name)) is not None]
    if given:
        raise UsageError(
            f"--simulate runs mqctl's own broker in memory, so --{given[0].replace('_', '-')} has no meaning",
            hint="leave out one of the two",
        )
