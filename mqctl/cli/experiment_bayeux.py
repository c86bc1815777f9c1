"""`mqctl experiment transports`, `expiry`, `resume` and `clock`: what is special about servers of Bayeux."""

from __future__ import annotations

from typing import Annotated

import typer

from mqctl.cli.bench_options import RATE_MAX
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.experiment_options import MESSAGES_MAX, MESSAGES_MIN, SIZE_MAX, RunOptions, WhatOptions
from mqctl.errors import UsageError
from mqctl.measurement.stamp import SIZE_MIN


@with_groups
def transports(
    ctx: typer.Context,
    *,
    messages: Annotated[
        int, typer.Option("-n", "--messages", min=MESSAGES_MIN, max=MESSAGES_MAX, metavar="N", help="In each round.")
    ] = 1000,
    rate: Annotated[float, typer.Option("--rate", metavar="N", help="Messages per second.")] = 100.0,
    size: Annotated[int, typer.Option("--size", min=SIZE_MIN, max=SIZE_MAX, metavar="BYTES", help="Of a message.")] = (
        128
    ),
    run: RunOptions,
    flags: Flags,
) -> None:
    """Long-polling, server-sent events and WebSocket at one Bayeux server: how late, and at which cost?

    The transports take turns, --repeat times. A transport that loses or disorders messages fails.

    Examples:
        mqctl experiment transports --url bayeux+http://localhost:61680
        mqctl experiment transports --rate 500 --messages 10000 --repeat 5 --json
    """
    from mqctl.cli.experiment_transports import compare

    context: AppContext = ctx.obj
    if not 0 < rate <= RATE_MAX:
        raise UsageError(f"--rate is above 0 and at most {RATE_MAX:,}, not {rate:g}")
    what = WhatOptions(messages=messages, rate=rate, size=size)
    raise typer.Exit(compare(context, what, run, flags))
