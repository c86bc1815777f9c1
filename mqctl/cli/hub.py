"""`mqctl hub`: run the embedded broker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from mqctl.aws import ask_secrets_manager
from mqctl.broker.values import Limits as BrokerLimits
from mqctl.broker.values import SlowConsumer
from mqctl.cli.context import AppContext
from mqctl.cli.expand import with_groups
from mqctl.cli.help import Command, command_app
from mqctl.cli.hub_bayeux import BayeuxOptions
from mqctl.cli.hub_upstream import UpstreamOptions, upstream_of
from mqctl.cli.open_files import allow_connections
from mqctl.cli.options import duration_option, one_of
from mqctl.errors import UsageError
from mqctl.hub.config import DEFAULT_HTTP, DEFAULT_STOMP, DRAIN_S, HubConfig
from mqctl.hub.doorman import read_origin
from mqctl.hub.rules import Rules, read_rule
from mqctl.profiles.readers import reference
from mqctl.profiles.secrets import follow
from mqctl.protocols.bayeux.spec import Limits as BayeuxLimits
from mqctl.protocols.stomp.spec import Limits as StompLimits
from mqctl.target import Endpoint, Secret, parse_endpoint

MIB = 2**20
_BROKER, _STOMP = BrokerLimits(), StompLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """Where the hub listens, and whom it lets in."""

    stomp: Annotated[
        list[str] | None,
        typer.Option(
            "--stomp", metavar="HOST:PORT", help=f"Listen for STOMP; port 0 picks one. Default {DEFAULT_STOMP}."
        ),
    ] = None
    http: Annotated[
        list[str] | None,
        typer.Option(
            "--http",
            metavar="HOST:PORT",
            help=f"Listen for HTTP: a page, STOMP over WebSocket, Bayeux, /healthz, /metrics. Default {DEFAULT_HTTP}. "
            "With only one of --stomp and --http, only that one.",
        ),
    ] = None
    allow_origin: Annotated[
        list[str] | None,
        typer.Option("--allow-origin", metavar="ORIGIN", help="A site whose pages may connect, or *."),
    ] = None
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="Believe X-Forwarded-Proto and X-Forwarded-For.")
    ] = False
    allow_publish: Annotated[
        list[str] | None,
        typer.Option("--allow-publish", metavar="PATTERN", help="What clients may publish to. Default everything."),
    ] = None
    allow_subscribe: Annotated[
        list[str] | None,
        typer.Option("--allow-subscribe", metavar="PATTERN", help="What they may subscribe to. Default everything."),
    ] = None
    user: Annotated[str | None, typer.Option("--user", help="The only user let in; needs --password.")] = None
    password: Annotated[
        str | None,
        typer.Option("--password", metavar="REF", help="env:NAME, file:PATH, command:…, aws-secret:NAME, prompt."),
    ] = None

    def listeners(self) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]:
        """Where to listen for STOMP, and for HTTP: as typed, or both where nothing was."""
        if self.stomp is None and self.http is None:
            return (DEFAULT_STOMP,), (DEFAULT_HTTP,)
        return tuple(map(parse_endpoint, self.stomp or ())), tuple(map(parse_endpoint, self.http or ()))

    def rules(self) -> Rules:
        """What clients may do."""
        return Rules(tuple(map(read_rule, self.allow_publish or ())), tuple(map(read_rule, self.allow_subscribe or ())))


def _bound(flag: str, help_text: str, unit: str = "N") -> Any:
    return typer.Option(flag, min=1, metavar=unit, help=help_text, rich_help_panel="Limits")


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """How much the hub takes."""

    max_frame: Annotated[int, _bound("--max-frame", "Largest frame.", "MIB")] = _STOMP.frame_bytes // MIB
    max_headers: Annotated[int, _bound("--max-headers", "Headers of a frame.")] = _STOMP.headers
    max_header: Annotated[int, _bound("--max-header", "Length of one header.", "BYTES")] = _STOMP.header_line_bytes
    max_connections: Annotated[int, _bound("--max-connections", "Connections at once.")] = _BROKER.connections
    max_subscriptions: Annotated[int, _bound("--max-subscriptions", "Subscriptions of one connection.")] = (
        _BROKER.subscriptions_per_connection
    )
    max_memory: Annotated[int, _bound("--max-memory", "All messages held.", "MIB")] = _BROKER.memory_bytes // MIB
    max_queue: Annotated[int, _bound("--max-queue", "Messages waiting in one queue.")] = _BROKER.queue_messages
    max_backlog: Annotated[int, _bound("--max-backlog", "Messages waiting for one subscriber of a topic.")] = (
        _BROKER.backlog_messages
    )
    slow_consumer: Annotated[
        str,
        typer.Option(
            metavar="|".join(SlowConsumer),
            help="What a full backlog leads to: the oldest dropped, the subscriber disconnected, the publishers held.",
            rich_help_panel="Limits",
        ),
    ] = SlowConsumer.DROP_OLDEST
    max_redeliveries: Annotated[
        int, typer.Option(min=0, help="Refusals before a message goes to the queue DLQ.", rich_help_panel="Limits")
    ] = _BROKER.max_redeliveries
    durable_for: Annotated[
        float, duration_option("--durable-for", "How long an abandoned durable subscription is kept.")
    ] = _BROKER.durable_for_s

    drain: Annotated[
        float, duration_option("--drain", "How long a stop waits for clients to take what is on its way.")
    ] = DRAIN_S

    def stomp_limits(self) -> StompLimits:
        """The bounds of a STOMP session."""
        return replace(
            _STOMP,
            frame_bytes=self.max_frame * MIB,
            headers=self.max_headers,
            header_line_bytes=self.max_header,
        )

    def bayeux_limits(self) -> BayeuxLimits:
        """The bounds of a request of Bayeux."""
        return replace(BayeuxLimits(), body_bytes=self.max_frame * MIB)

    def broker_limits(self) -> BrokerLimits:
        """The bounds of the broker."""
        return replace(
            _BROKER,
            connections=self.max_connections,
            subscriptions_per_connection=self.max_subscriptions,
            memory_bytes=self.max_memory * MIB,
            queue_messages=self.max_queue,
            backlog_messages=self.max_backlog,
            max_redeliveries=self.max_redeliveries,
            durable_for_s=self.durable_for,
        )


app = command_app()


@app.command(cls=Command)
@with_groups
def hub(
    ctx: typer.Context,
    listen: ListenOptions,
    limits: LimitOptions,
    bayeux: BayeuxOptions,
    upstream: UpstreamOptions,
    *,
    events: Annotated[bool, typer.Option("--events", help="Print what happens, a JSON object a line.")] = False,
) -> None:
    """Run the embedded broker until Ctrl-C or SIGTERM, then drain and close.

    Standard output has a line for each URL by which the hub is reached, once it is ready; then the lines of --events.

    Examples:
        mqctl hub
        mqctl hub --stomp 127.0.0.1:0 --http 127.0.0.1:0 --events
        mqctl hub --upstream mqtt://localhost --upstream-topic 'sensors.**'
    """
    from mqctl.cli.hub_events import EventPrinter
    from mqctl.cli.streams import write_out
    from mqctl.hub.listeners import installed, together
    from mqctl.hub.thread import serve

    context: AppContext = ctx.obj
    allow_connections(limits.max_connections)
    printer = EventPrinter(context) if events else None
    stomp, http = listen.listeners()
    others = installed()
    config = HubConfig(
        stomp=stomp,
        http=http,
        allow_origins=tuple(map(read_origin, listen.allow_origin or ())),
        behind_proxy=listen.behind_proxy,
        rules=listen.rules(),
        user=listen.user,
        password=_password(context, listen),
        slow_consumer=one_of(SlowConsumer, limits.slow_consumer, "--slow-consumer"),
        broker_limits=limits.broker_limits(),
        stomp_limits=limits.stomp_limits(),
        bayeux_limits=limits.bayeux_limits(),
        bayeux_terms=bayeux.terms(),
        lazy=bayeux.lazy_rules(),
        no_markup=bayeux.markup_rules(),
        bayeux_timestamps=bayeux.timestamps,
        callback_polling=bayeux.callback_polling,
        drain_s=limits.drain,
        on_event=together([*others.listeners, *([printer] if printer is not None else [])]),
        services=tuple(others.services),
    )

    def on_ready(urls: tuple[str, ...]) -> None:
        write_out(context.stdout, "".join(f"{url}\n" for url in urls).encode())
        if printer is not None:
            printer.start()

    with upstream_of(context, upstream, (*stomp, *http)) as broker:
        ending = serve(replace(config, upstream=broker), on_ready)
    if printer is not None:
        printer.finish()
    if ending.cut_off:
        context.report(f"connections cut off because their clients did not read in time: {ending.cut_off}")
    if ending.waiting:
        context.report(f"messages that were still waiting for somebody, and are gone: {ending.waiting}")


def _password(context: AppContext, listen: ListenOptions) -> Secret | None:
    if listen.password is None:
        if listen.user is not None:
            raise UsageError("--user without --password keeps nobody out", hint="--password env:VARIABLE")
        return None
    try:
        where = reference(listen.password)
    except ValueError as error:
        raise UsageError(f"--password: {error}") from error
    found = follow(
        where,
        environ=context.environ,
        base=str(context.cwd),
        what="password of the hub",
        ask_aws=ask_secrets_manager,
    )
    if found.warning:
        context.report(found.warning)
    return found.secret
