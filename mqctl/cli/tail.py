"""`mqctl tail`: print the messages of topics as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from mqctl import topics
from mqctl.adapters.base import Connection, SubscribeSpec
from mqctl.adapters.inbox import Inbox
from mqctl.cli import formats
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.formats import Formatter
from mqctl.cli.help import Command, command_app
from mqctl.cli.interrupts import Interrupts
from mqctl.cli.options import (
    AckOption,
    CountOption,
    DurableOption,
    IdleOption,
    NativeOption,
    PrefetchOption,
    QosOption,
    RetainedOption,
    SelectorOption,
    SharedOption,
    TimeoutOption,
    duration,
    one_of,
)
from mqctl.cli.outages import Outages
from mqctl.cli.receiving import Limits, Receiver, Shield
from mqctl.cli.resume import resumed
from mqctl.cli.target import connected_or_hosted, settings_for
from mqctl.cli.writing import Writer
from mqctl.errors import MeasuredWrong, UsageError
from mqctl.model import AckMode, Retained, SubscriptionId, Topic
from mqctl.profiles import Settings

SUBSCRIBE_TIMEOUT_S = 10.0
"""How long the broker may take to confirm a subscription."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeOptions:
    """What to subscribe to, and how."""

    TITLE: ClassVar = "What to receive"

    topic: Annotated[
        list[str], typer.Argument(metavar="TOPIC...", help="One or more; * is any one level, a last ** a subtree.")
    ]
    ack: AckOption = None
    prefetch: PrefetchOption = None
    selector: SelectorOption = None
    durable: DurableOption = None
    shared: SharedOption = None
    qos: QosOption = None
    retained: RetainedOption = None
    native: NativeOption = None

    @property
    def outlasts(self) -> bool:
        """Whether something keeps for us what comes while we are away."""
        return self.durable is not None

    def specs(self, settings: Settings, command: str, count: int | None) -> list[SubscribeSpec]:
        """A specification for each topic, in order.

        Raises:
            UsageError: Several durable subscriptions under one name, or a name twice.
        """
        if self.durable is not None and len(self.topic) > 1:
            raise UsageError("--durable names one subscription, so it takes one topic")
        if len(set(self.topic)) < len(self.topic):
            raise UsageError("a topic is named twice")
        native = self.native if self.native is not None else settings.command_default(command, "native")
        ack = self.ack or settings.command_default(command, "ack")
        prefetch = self.prefetch or settings.command_default(command, "prefetch")
        qos = settings.command_default(command, "qos") if self.qos is None else self.qos
        wanted = [topics.parse(name, native=bool(native)) for name in self.topic]
        kept = self.outlasts or settings.keeps_session
        modes = [one_of(AckMode, ack, "--ack") if ack else _usual_ack(topic, kept=kept) for topic in wanted]
        return [
            self._spec(topic, mode, prefetch or _ahead(topic, count), qos)
            for topic, mode in zip(wanted, modes, strict=True)
        ]

    def _spec(self, topic: Topic, mode: AckMode, prefetch: int | None, qos: int | None) -> SubscribeSpec:
        return SubscribeSpec(
            topic=topic,
            ack_mode=mode,
            prefetch=None if mode is AckMode.AUTO and self.prefetch is None else prefetch,
            selector=self.selector,
            durable=self.durable,
            shared=self.shared,
            qos=qos,
            retained=one_of(Retained, self.retained or Retained.ALL, "--retained"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TailOptions(SubscribeOptions):
    """The same, with a session that outlives the run, and the end of a durable subscription."""

    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="FILE", help="Keep the session in FILE, and go on with it the next time (Bayeux)."
        ),
    ] = None

    forget: Annotated[
        bool, typer.Option("--forget", help="Delete the --durable subscription and what it kept; print nothing.")
    ] = False

    @property
    def outlasts(self) -> bool:
        """Whether something keeps for us what comes while we are away."""
        return self.durable is not None or self.resume is not None

    def check(self) -> None:
        """Refuse to forget what has no name, and to acknowledge ahead of printing what is to be resumed.

        Raises:
            UsageError: There is no `--durable`, or an `--ack` that does not fit.
        """
        if self.resume is not None and self.ack not in (None, AckMode.INDIVIDUAL):
            raise UsageError("--resume acknowledges each message once it is printed, so it takes no other --ack")
        if self.forget and self.durable is None:
            raise UsageError("--forget needs --durable: only a durable subscription is remembered")


def _usual_ack(topic: Topic, *, kept: bool) -> AckMode:
    """What the broker keeps for us is gone once acknowledged, so it must have been written out first."""
    is_queue = topic.native is not None and topic.native.startswith(topics.STOMP_QUEUE_PREFIX)
    return AckMode.INDIVIDUAL if is_queue or kept else AckMode.AUTO


def _ahead(topic: Topic, count: int | None) -> int | None:
    """What we will not print of a queue should stay with the broker, for others; queues go by their native names."""
    return None if count is None or topic.native is None else min(count, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """How a message is written."""

    TITLE: ClassVar = "How to print it"

    json: Annotated[bool | None, typer.Option("--json", help="One JSON object a line; 'publish --jsonl' reads it.")] = (
        None
    )
    format: Annotated[
        str | None,
        typer.Option(
            "-F", "--format", help="%t topic, %p payload, %I time, %h headers, %j JSON, \\n …: all are in the manual."
        ),
    ] = None
    raw: Annotated[bool, typer.Option("--raw", help="Payloads and nothing between them.")] = False
    null: Annotated[bool, typer.Option("-0", "--null", help="Payloads, each ended by a NUL byte.")] = False

    def formatter(self, settings: Settings, *, with_topic: bool, escaped: bool) -> Formatter:
        """The function that writes a message.

        Raises:
            UsageError: Two forms at once, or a bad format.
        """
        if sum((bool(self.json), self.format is not None, self.raw, self.null)) > 1:
            raise UsageError("--json, --format, --raw and --null exclude each other")
        if self.raw:
            return formats.raw
        if self.null:
            return formats.ended_by_nul
        if self.format is not None:
            return formats.compile_format(self.format, escaped=escaped)
        if self.json or settings.command_default("tail", "json"):
            return formats.json_lines(escaped=escaped)
        preset = settings.command_default("tail", "format")
        if preset:
            return formats.compile_format(preset, escaped=escaped)
        return formats.text(with_topic=with_topic, escaped=escaped)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOptions:
    """When the run ends by itself."""

    TITLE: ClassVar = "When to end"

    count: CountOption = None
    timeout: TimeoutOption = None
    idle: IdleOption = None

    def limits(self, settings: Settings, command: str) -> Limits:
        """The same, with what the profile presets."""
        preset = settings.command_default(command, "idle") if self.idle is None else self.idle
        return Limits(count=self.count, timeout_s=self.timeout, idle_s=None if preset is None else duration(preset))


app = command_app()


@app.command(cls=Command)
@with_groups
def tail(ctx: typer.Context, what: TailOptions, output: OutputOptions, end: EndOptions, flags: Flags) -> None:
    r"""Print the messages of topics as they arrive, until Ctrl-C.

    Examples:
        mqctl tail chart
        mqctl tail --json 'sensors.**' --count 10 --timeout 1m
        mqctl tail --format '%I %t %p\n' rect chart
        mqctl tail /queue/orders --ack individual
    """
    context: AppContext = ctx.obj
    what.check()
    settings = settings_for(context, flags)
    specs = what.specs(settings, "tail", end.count)
    many = len(specs) > 1 or topics.is_wildcard(specs[0].topic)
    formatter = output.formatter(settings, with_topic=many, escaped=context.on_terminal)
    inbox = Inbox()
    with ExitStack() as stack:
        shield: Shield = nullcontext
        if what.resume is None:
            connection = stack.enter_context(connected_or_hosted(context, settings, inbox.put_batch))
        else:
            connection = stack.enter_context(resumed(context, settings, what.resume, specs, inbox.put_batch))
            shield = stack.enter_context(Interrupts()).held
        modes = _subscribe(connection, specs)
        tell = partial(_tell_subscribed, context, connection, specs)
        if what.forget:
            tell()
            _forget(context, connection, modes)
            return
        receiver = Receiver(
            connection=connection,
            inbox=inbox,
            ack_modes=modes,
            limits=end.limits(settings, "tail"),
            handle=Writer(context.stdout, formatter, modes),
            complain=context.report,
            outages=Outages(context.say),
            shield=shield,
        )
        receive_all(context, receiver, tell)


def _forget(context: AppContext, connection: Connection, subscriptions: Iterable[SubscriptionId]) -> None:
    for subscription in subscriptions:
        connection.unsubscribe(subscription, timeout_s=SUBSCRIBE_TIMEOUT_S, forget=True)
    context.say("forgot the durable subscription")


def receive_all(context: AppContext, receiver: Receiver, begin: Callable[[], None] = lambda: None) -> None:
    """Receive until the end, then say how many messages came; also to who ends it as soon as `begin` said it began.

    Raises:
        MeasuredWrong: Some were dropped.
        MqctlError: As `Receiver.step`.
    """
    try:
        begin()
        while receiver.step():
            pass
    finally:
        context.say(receiver.summary())
    if receiver.dropped:
        raise MeasuredWrong(f"{receiver.dropped} messages were dropped")


def subscribed(
    context: AppContext, connection: Connection, specs: list[SubscribeSpec]
) -> dict[SubscriptionId, AckMode]:
    """Subscribe to everything, and say so once the broker confirmed it all: scripts wait for that line."""
    modes = _subscribe(connection, specs)
    _tell_subscribed(context, connection, specs)
    return modes


def _subscribe(connection: Connection, specs: list[SubscribeSpec]) -> dict[SubscriptionId, AckMode]:
    return {connection.subscribe(spec, timeout_s=SUBSCRIBE_TIMEOUT_S): spec.ack_mode for spec in specs}


def _tell_subscribed(context: AppContext, connection: Connection, specs: list[SubscribeSpec]) -> None:
    names = ", ".join(topics.text_of(spec.topic) for spec in specs)
    greeting = connection.greeting
    context.say(f"subscribed to {names} at {greeting.peer} ({greeting.server or 'a broker without a name'})")
