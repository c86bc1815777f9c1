"""`mqctl bench`: measure a broker under a load, and say what the measurement is worth."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from mqctl import topics
from mqctl.adapters.inbox import Inbox
from mqctl.bench.messages import Job
from mqctl.cli.bench_options import (
    PUBLISHERS_MAX,
    SUBSCRIBERS_MAX,
    WORKERS_USUAL,
    HowOptions,
    LoadOptions,
    RunOptions,
)
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.help import Command, command_app
from mqctl.cli.open_files import allow_connections
from mqctl.cli.target import connected_with_hint, settings_for, target_for
from mqctl.errors import ExitCode, UsageError
from mqctl.measurement.load import Load
from mqctl.model import Connected, Topic
from mqctl.profiles import Settings
from mqctl.target import Target

if TYPE_CHECKING:
    from mqctl.bench.crew import Crew

_FILES = 3
"""Open files that a connection may take: Bayeux by long-polling has the most."""

_QUEUES = (topics.STOMP_QUEUE_PREFIX, "/amq/queue/")
"""What native names of queues begin with: their subscribers share the messages."""

app = command_app()


@app.command(cls=Command)
@with_groups
def bench(
    ctx: typer.Context,
    topic: Annotated[str | None, typer.Argument(metavar="TOPIC", help="A fresh one if absent.")] = None,
    *,
    load: LoadOptions,
    how: HowOptions,
    run: RunOptions,
    flags: Flags,
) -> None:
    """Measure a broker: rate, latency from when each message was due, and whether every message came.

    Examples:
        mqctl bench --rate 1000 --duration 30s --warmup 5s
        mqctl bench --publishers 4 --subscribers 10 --rate 2000 --size 1024 --json
        mqctl bench /queue/load --subscribers 3 --ack individual --count 10000
        mqctl bench --remote 2 --publishers 4 --subscribers 4
    """
    context: AppContext = ctx.obj
    control = _control(run.control)
    _check_use(_typed(ctx))
    allow_connections(_FILES * (PUBLISHERS_MAX + SUBSCRIBERS_MAX))
    if run.join is not None:
        from mqctl.cli.bench_join import join

        return join(context, settings_for(context, Flags({**flags, "url": run.join})), control, run.name, run.timeout)
    settings = settings_for(context, flags)
    number = random.SystemRandom().getrandbits(63)
    where = topics.parse(topic or f"mqctl.bench.{number:016x}", native=bool(how.native))
    job = how.job(load.load(number), where)
    # Once: it may ask for a password.
    target = target_for(context, settings)
    if is_shared(where, how.shared, target.scheme):
        job = msgspec.structs.replace(job, load=replace(job.load, shared=True))
    led = _local if run.remote is None else _remote
    raise typer.Exit(led(context, settings, target, job, run))


def _local(context: AppContext, settings: Settings, target: Target, job: Job, run: RunOptions) -> ExitCode:
    """Lead processes of this machine."""
    from mqctl.bench.crew import LocalCrew

    # The first connection only asks who is there, so that a mistake is told once and at once.
    with connected_with_hint(settings, target, _ignore) as scout:
        greeting = scout.greeting
    with LocalCrew(target, _workers(run.workers, job.load, target.scheme)) as crew:
        return _led(context, crew, job, run, greeting)


def _remote(context: AppContext, settings: Settings, target: Target, job: Job, run: RunOptions) -> ExitCode:
    """Lead workers on other machines."""
    from mqctl.bench.letters import Post
    from mqctl.bench.remote import RemoteCrew

    most = max(job.load.publishers, job.load.subscribers)
    assert run.remote is not None
    if run.remote > most:
        raise UsageError(f"--remote {run.remote} is more than the publishers and more than the subscribers: {most}")
    inbox = Inbox()
    with connected_with_hint(settings, target, inbox.put_batch) as connection:
        crew = RemoteCrew(Post(connection, inbox), _control(run.control), f"{job.load.run:016x}")
        crew.gather(run.remote, run.wait, context.say)
        return _led(context, crew, job, run, connection.greeting)


def _led(context: AppContext, crew: Crew, job: Job, run: RunOptions, greeting: Connected) -> ExitCode:
    from mqctl.cli.bench_live import lead
    from mqctl.cli.bench_report import publish_report

    title = f"{greeting.peer} {greeting.server or ''} {topics.text_of(job.topic)}"
    outcome = lead(context, crew, job, drain_s=run.drain, timeout_s=run.timeout, title=title)
    return publish_report(context, outcome, job, greeting, as_json=run.json)


_OF_JOINERS = {"--join", "--as", "--control", "--timeout"}
_NEED = {
    "--as": ({"--join"}, "--as names a worker, so it needs --join"),
    "--wait": ({"--remote"}, "--wait is for the workers of --remote"),
    "--control": ({"--join", "--remote"}, "--control is for --join and --remote"),
}
_EXCLUDE = {
    ("--count", "--duration"): "--count and --duration exclude each other",
    ("--rate", "--in-flight"): "--in-flight is for a closed loop: with --rate no message waits for another",
    ("--remote", "--workers"): "--workers are of this machine, --remote of others: choose one",
}


def _typed(ctx: typer.Context) -> list[str]:
    """TOPIC and the options of a run as they stand on the command line."""
    ours = {"topic", *(member.name for group in (LoadOptions, HowOptions, RunOptions) for member in fields(group))}
    sources = {param: ctx.get_parameter_source(param.name or "") for param in ctx.command.params if param.name in ours}
    typed = [param for param, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    return ["TOPIC" if param.name == "topic" else max(param.opts, key=len) for param in typed]


def _check_use(typed: Sequence[str]) -> None:
    """Nobody is to wonder what an option did that did nothing.

    Raises:
        UsageError: Options that have nothing to do with each other.
    """
    if "--join" in typed:
        for option in typed:
            if option not in _OF_JOINERS:
                raise UsageError(f"--join takes no {option}: whoever leads the run says what to do")
    for option, (needed, text) in _NEED.items():
        if option in typed and not needed & set(typed):
            raise UsageError(text)
    for pair, text in _EXCLUDE.items():
        if set(pair) <= set(typed):
            raise UsageError(text)


def _control(text: str) -> Topic:
    topic = topics.parse(text)
    if topic.native is not None or topics.is_wildcard(topic):
        raise UsageError(f"--control is a topic of levels, not {text!r}")
    return topic


def _ignore(_events: object) -> None:
    """Nobody listens."""


def is_shared(topic: Topic, group: str | None, scheme: str) -> bool:
    """Whether the subscribers get each message once in all. MQTT has no queues, whatever a topic is called."""
    is_queue = topic.native is not None and topic.native.startswith(_QUEUES)
    return group is not None or (is_queue and not scheme.startswith("mqtt"))


def _workers(asked: int | None, load: Load, scheme: str) -> int:
    """How many processes.

    Raises:
        UsageError: More than can have something to do.
    """
    members = load.publishers + load.subscribers
    if scheme == "mem":
        if (asked or 1) > 1:
            raise UsageError("mem:// is a broker inside one process, so it takes --workers 1")
        return 1
    if asked is not None and asked > members:
        raise UsageError(f"--workers {asked} for {members} publishers and subscribers leaves some without work")
    return asked or min(WORKERS_USUAL, members, os.cpu_count() or 1)
