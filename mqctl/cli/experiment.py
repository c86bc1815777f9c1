"""`mqctl experiment`: what a broker does about order and acknowledgement, with a verdict that can be believed."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mqctl.cli.artifacts import annotate, refuse_unwritable
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.experiment_bayeux import clock, expiry, resume, transports
from mqctl.cli.experiment_matrix import matrix
from mqctl.cli.experiment_options import RunOptions, SimulateOption, WhatOptions
from mqctl.cli.help import Command, command_app
from mqctl.cli.target import connected, could_be_hosted, hosting, settings_for
from mqctl.errors import ConnectError, UsageError
from mqctl.model import Connected
from mqctl.profiles import Settings
from mqctl.target import NO_RECONNECT, Target

if TYPE_CHECKING:
    from mqctl.experiments.cases import Case
    from mqctl.laboratory.trial import Place, Trial

PREFIX = "mqctl.experiment"
"""What the names of all topics and queues begin with."""

app = command_app(
    help="Find out what a broker does about order and acknowledgement, with a verdict.", no_args_is_help=True
)


@app.callback()
def experiments() -> None:
    """Find out what a broker does about order and acknowledgement, with a verdict."""


@app.command("ordering", cls=Command)
@with_groups
def ordering(
    ctx: typer.Context, *, simulate: SimulateOption = False, what: WhatOptions, run: RunOptions, flags: Flags
) -> None:
    """In which order do messages come? Each case is a run with faults planted in it, which must be found.

    Examples:
        mqctl experiment ordering
        mqctl experiment ordering --case many-producers --producers 8 --messages 100000
        mqctl experiment ordering --case one-producer --expect fifo,no-loss --repeat 10 --junit order.xml
    """
    from mqctl.experiments.ordering import CASES

    conduct(ctx.obj, "ordering", chosen(CASES, what.case), what=what, run=run, flags=flags, simulate=simulate)


@app.command("ack", cls=Command)
@with_groups
def ack(
    ctx: typer.Context,
    *,
    restart_command: Annotated[
        str | None,
        typer.Option(
            "--restart-command", metavar="COMMAND", help="What restarts the broker, and returns when it serves."
        ),
    ] = None,
    simulate: SimulateOption = False,
    what: WhatOptions,
    run: RunOptions,
    flags: Flags,
) -> None:
    """What is lost, and what comes twice, when connections break? Expected and observed, side by side.

    Examples:
        mqctl experiment ack --profile rabbitmq
        mqctl experiment ack --case individual-killed --messages 10000 --repeat 20
        mqctl experiment ack --case individual-restart --restart-command "systemctl restart activemq"
    """
    from mqctl.experiments.acknowledgement import CASES

    cases = chosen(CASES, what.case)
    conduct(ctx.obj, "ack", cases, what=what, run=run, flags=flags, restart=restart_command, simulate=simulate)


app.command("matrix", cls=Command)(matrix)
for each in (transports, expiry, resume, clock):
    app.command(each.__name__, cls=Command)(each)


def chosen(cases: Mapping[str, Case], names: Sequence[str] | None) -> list[Case]:
    """The cases that the user named, or all.

    Raises:
        UsageError: There is no such case.
    """
    for name in names or ():
        if name not in cases:
            raise UsageError(f"there is no case {name!r}", hint=f"cases: {', '.join(cases)}")
    return [cases[name] for name in names or cases]


def conduct(
    context: AppContext,
    experiment: str,
    cases: Sequence[Case],
    *,
    what: WhatOptions,
    run: RunOptions,
    flags: Flags,
    restart: str | None = None,
    simulate: bool = False,
) -> None:
    """Run cases one after the other, tell what came of each, and end with the worst verdict."""
    from mqctl.cli.experiment_report import as_json, as_text, build_cases, exit_code, summary, write_junit
    from mqctl.cli.experiment_simulate import simulations
    from mqctl.experiments.builds import annotated

    # Mistakes first.
    what.params(run.expect)
    refuse_unwritable(context, junit=run.junit)
    done: list[Trial] = []
    if simulate:
        results = simulations(context, experiment, cases, what=what, run=run, flags=flags, restart=restart)
    else:
        results = _at_broker(context, experiment, cases, what=what, run=run, flags=flags, restart=restart)
    for each in results:
        done.append(each)
        context.emit((as_json if run.json else as_text)(each))
    context.report(summary(done))
    if run.junit is not None:
        write_junit(context, run.junit, experiment, done)
    annotate(context, annotated(build_cases(done)))
    raise typer.Exit(exit_code(done))


def _at_broker(
    context: AppContext,
    experiment: str,
    cases: Sequence[Case],
    *,
    what: WhatOptions,
    run: RunOptions,
    flags: Flags,
    restart: str | None,
) -> Iterator[Trial]:
    """Run cases at the broker that the user chose."""
    with ExitStack() as stack:
        place = place_of(context, settings_for(context, flags), experiment, context.cwd / run.run_dir, stack)
        place = replace(place, ground=replace(place.ground, restartable=restart is not None))
        context.say(f"{place.ground.broker} at {place.target.name}")
        yield from trials(context, cases, place, what=what, run=run, restart=restart)


def place_of(context: AppContext, settings: Settings, experiment: str, run_dir: Path, stack: ExitStack) -> Place:
    """Connect once to learn who is there, so that a mistake is told once and at once.

    Args:
        context: Of the command.
        settings: Name the broker.
        experiment: What it is for.
        run_dir: Where runs are kept.
        stack: Ends the hub that is hosted where nobody chose a broker and none is there.

    Raises:
        MqctlError: As `Adapter.connect`.
    """
    target = replace(settings.target(), reconnect=NO_RECONNECT)
    return place_at(target, _greeted(context, settings, target, stack), experiment, run_dir)


def _greeted(context: AppContext, settings: Settings, target: Target, stack: ExitStack) -> Connected:
    try:
        with connected(target, lambda _events: None) as scout:
            return scout.greeting
    except ConnectError as error:
        if not could_be_hosted(settings, error):
            raise
    stack.enter_context(hosting(context, target))
    with connected(target, lambda _events: None) as scout:
        return scout.greeting


def place_at(target: Target, greeting: Connected, experiment: str, run_dir: Path) -> Place:
    """Where a broker greeted, and what can be done there."""
    from mqctl.adapters.registry import adapter_for
    from mqctl.experiments.plan import Ground
    from mqctl.laboratory.trial import Place
    from mqctl.laboratory.wiring import why_unbreakable

    adapter = adapter_for(target.scheme)
    ground = Ground(
        protocol=target.scheme.partition("+")[0],
        dialect=greeting.dialect,
        broker=greeting.server or "a broker that does not say who it is",
        features=adapter.info.features,
        unbreakable=why_unbreakable(target),
        restartable=False,
        name=PREFIX,
    )
    return Place(
        adapter=adapter, target=target, greeting=greeting, ground=ground, run_dir=run_dir, experiment=experiment
    )


def trials(
    context: AppContext,
    cases: Sequence[Case],
    place: Place,
    *,
    what: WhatOptions,
    run: RunOptions,
    restart: str | None,
) -> Iterator[Trial]:
    """Run cases, each as often as asked for.

    Args:
        context: Of the command.
        cases: Which.
        place: Where.
        what: What the user asked for.
        run: How, and how often.
        restart: The command that restarts the broker.

    Raises:
        MqctlError: As `laboratory.trial.trial`.
    """
    from mqctl.cli.experiment_live import shown
    from mqctl.laboratory.run import Terms
    from mqctl.laboratory.trial import named, trial

    params, seed = what.params(run.expect), run.first_seed()
    deadline = None if run.timeout is None else time.monotonic() + run.timeout
    for case in cases:
        for number in range(run.repeat):
            name = f"{PREFIX}.{secrets.token_hex(6)}"
            terms = Terms(
                number=random.SystemRandom().getrandbits(63),
                name=name,
                size=what.size,
                rate=what.rate,
                quiet_s=run.quiet_for,
                drain_s=run.drain,
                restart=restart,
                timeout_s=None if deadline is None else deadline - time.monotonic(),
            )
            with shown(context, case.name) as watch, _told_where(context) as begun:
                here = replace(place, watch=watch, begun=begun)
                done = trial(case, params, terms, named(here, name), seed + number)
            yield done


@contextmanager
def _told_where(context: AppContext) -> Iterator[Callable[[Path], None]]:
    """Where a run does not come to its end, say where its history so far is."""
    folders: list[Path] = []
    try:
        yield folders.append
    except BaseException:
        for folder in folders:
            context.report(f"the run is not finished; its history so far is in {folder}")
        raise
