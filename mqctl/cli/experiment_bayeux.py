"""`mqctl experiment transports`, `expiry`, `resume` and `clock`: what is special about servers of Bayeux."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from mqctl.cli.artifacts import refuse_unwritable
from mqctl.cli.bayeux_cases import (
    AT_MOST_S,
    EXCHANGES,
    RATE,
    RESUME_MESSAGES,
    SKEW_S,
    TOLERANCE_S,
    Cases,
    bayeux_place,
    clock_cases,
    expiry_cases,
    resume_cases,
)
from mqctl.cli.bench_options import RATE_MAX
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.experiment_options import (
    DRAIN_S,
    MESSAGES_MAX,
    MESSAGES_MIN,
    QUIET_S,
    REPEAT_MAX,
    RUN_DIR,
    SEED_BITS,
    SIZE_MAX,
    RunOptions,
    WhatOptions,
)
from mqctl.cli.options import TimeoutOption, duration_option
from mqctl.errors import UsageError
from mqctl.measurement.stamp import SIZE_MIN

if TYPE_CHECKING:
    from mqctl.laboratory.outcome import Outcome

MESSAGES = 500
ROUNDS = 3
"""Together enough for the last quantile that is shown."""

EXCHANGES_MIN = 10
"""Fewer have no tenths for a spread."""

RepeatOption = Annotated[
    int, typer.Option("--repeat", min=1, max=REPEAT_MAX, metavar="N", help="Try each case N times.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOptions:
    """Where it is told what came of it."""

    TITLE: ClassVar = "The run"

    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Makes the places of faults the same.")] = None
    run_dir: Annotated[
        Path, typer.Option("--run-dir", metavar="FOLDER", help="Each run gets a folder of its own in it.")
    ] = RUN_DIR
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the verdicts as JUnit's XML too.")
    ] = None
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line of the report.")] = False
    timeout: TimeoutOption = None


@with_groups
def transports(
    ctx: typer.Context,
    *,
    messages: Annotated[
        int, typer.Option("-n", "--messages", min=MESSAGES_MIN, max=MESSAGES_MAX, metavar="N", help="In each round.")
    ] = MESSAGES,
    rate: Annotated[float, typer.Option("--rate", metavar="N", help="Messages per second.")] = RATE,
    size: Annotated[int, typer.Option("--size", min=SIZE_MIN, max=SIZE_MAX, metavar="BYTES", help="Of a message.")] = (
        128
    ),
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, max=REPEAT_MAX, metavar="N", help="The transports take turns so often.")
    ] = ROUNDS,
    quiet_for: Annotated[
        float, duration_option("--quiet-for", "Nothing came for this long, so nothing more will.")
    ] = QUIET_S,
    drain: Annotated[float, duration_option("--drain", "Wait for that at most so long.")] = DRAIN_S,
    kept: KeptOptions,
    flags: Flags,
) -> None:
    """Long-polling, server-sent events and WebSocket at one Bayeux server: how late, and at which cost?

    A transport that loses or disorders messages fails.

    Examples:
        mqctl experiment transports --url bayeux+http://localhost:61680
        mqctl experiment transports --rate 500 --messages 10000 --rounds 5 --json
    """
    from mqctl.cli.experiment_transports import compare

    context: AppContext = ctx.obj
    run = RunOptions(
        repeat=rounds,
        seed=kept.seed,
        quiet_for=quiet_for,
        drain=drain,
        timeout=kept.timeout,
        run_dir=kept.run_dir,
        junit=kept.junit,
        json=kept.json,
    )
    what = WhatOptions(messages=messages, rate=_possible(rate), size=size)
    raise typer.Exit(compare(context, what, run, flags))


@with_groups
def expiry(
    ctx: typer.Context,
    *,
    max_interval: Annotated[
        float | None,
        duration_option("--max-interval", "How long the server is to keep a session; else what it says itself."),
    ] = None,
    at_most: Annotated[float, duration_option("--at-most", "Where nobody says it, look for it so long.")] = AT_MOST_S,
    repeat: RepeatOption = 1,
    kept: KeptOptions,
    flags: Flags,
) -> None:
    """When does a Bayeux server forget a session whose client vanished, and what is lost then?

    Sessions vanish and come back, each after another time, with the acknowledgement extension and without.

    Examples:
        mqctl experiment expiry --url bayeux+http://localhost:8080/cometd
        mqctl experiment expiry --max-interval 10s --junit expiry.xml
        mqctl experiment expiry --at-most 2m
    """
    cases = expiry_cases(max_interval_s=max_interval, at_most_s=at_most)
    _conduct(ctx.obj, "expiry", cases, repeat=repeat, kept=kept, flags=flags, max_interval_s=max_interval)


@with_groups
def resume(
    ctx: typer.Context,
    *,
    messages: Annotated[
        int, typer.Option("-n", "--messages", min=MESSAGES_MIN, max=MESSAGES_MAX, metavar="N", help="In each run.")
    ] = RESUME_MESSAGES,
    rate: Annotated[float, typer.Option("--rate", metavar="N", help="Messages per second.")] = RATE,
    repeat: RepeatOption = 1,
    kept: KeptOptions,
    flags: Flags,
) -> None:
    """A subscriber is cut off in the middle of a stream: what is lost if it goes on with its saved session, or without?

    Examples:
        mqctl experiment resume --url bayeux+ws://localhost:61680
        mqctl experiment resume --messages 5000 --rate 500 --json
    """
    cases = resume_cases(messages=messages, rate=_possible(rate))
    _conduct(ctx.obj, "resume", cases, repeat=repeat, kept=kept, flags=flags)


@with_groups
def clock(
    ctx: typer.Context,
    *,
    exchanges: Annotated[
        int,
        typer.Option("-n", "--exchanges", min=EXCHANGES_MIN, max=MESSAGES_MAX, metavar="N", help="By each clock."),
    ] = EXCHANGES,
    tolerance: Annotated[
        float, duration_option("--tolerance", "How far the server's clock may be from ours.")
    ] = TOLERANCE_S,
    skew: Annotated[
        float, duration_option("--skew", "How wrong our clock is on purpose, which has to be found.")
    ] = SKEW_S,
    repeat: RepeatOption = 1,
    kept: KeptOptions,
    flags: Flags,
) -> None:
    """How far is a Bayeux server's clock from ours, and what does that do to one-way latency?

    Examples:
        mqctl experiment clock --url bayeux+http://localhost:8080/cometd
        mqctl experiment clock --exchanges 500 --tolerance 20ms --json
    """
    cases = clock_cases(exchanges=exchanges, tolerance_s=tolerance, skew_s=skew)
    _conduct(ctx.obj, "clock", cases, repeat=repeat, kept=kept, flags=flags)


def _possible(rate: float) -> float:
    if not 0 < rate <= RATE_MAX:
        raise UsageError(f"--rate is above 0 and at most {RATE_MAX:,}, not {rate:g}")
    return rate


def _conduct(
    context: AppContext,
    experiment: str,
    cases: Cases,
    *,
    repeat: int,
    kept: KeptOptions,
    flags: Flags,
    max_interval_s: float | None = None,
) -> None:
    """Try all, tell what came of each, and end with the worst verdict."""
    from mqctl.cli.experiment_outcome import as_json, as_text, conclude

    refuse_unwritable(context, junit=kept.junit)
    first = random.SystemRandom().getrandbits(SEED_BITS) if kept.seed is None else kept.seed
    done: list[Outcome] = []
    with ExitStack() as stack:
        place = bayeux_place(context, experiment, kept.run_dir, flags, stack, max_interval_s=max_interval_s)
        place = replace(place, deadline=None if kept.timeout is None else time.monotonic() + kept.timeout)
        for attempt in cases.values():
            for seed in range(first, first + repeat):
                done.append(attempt(place, seed))
                context.emit((as_json if kept.json else as_text)(done[-1]))
    raise typer.Exit(conclude(context, experiment, done, kept.junit))
