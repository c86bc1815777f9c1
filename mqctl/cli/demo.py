"""`mqctl demo`: a hub, a publisher and two views in one process: something moves within a second."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from mqctl import topics
from mqctl.adapters.base import Connection, SubscribeSpec
from mqctl.adapters.inbox import Inbox
from mqctl.cli.board import Board, Drawing, show
from mqctl.cli.context import AppContext
from mqctl.cli.expand import with_groups
from mqctl.cli.help import Command, command_app
from mqctl.cli.options import duration_option
from mqctl.cli.receiving import Limits, Receiver
from mqctl.cli.sources import Encoder, from_generator
from mqctl.cli.tail import subscribed
from mqctl.cli.target import connected
from mqctl.cli.watch import FPS, look_for
from mqctl.errors import ConnectError, OperationTimeout
from mqctl.generators import parse_generator
from mqctl.hub.config import DEFAULT_STOMP, HubConfig
from mqctl.hub.thread import HubThread
from mqctl.model import Outgoing
from mqctl.target import Endpoint, Target, parse_url
from mqctl.views.base import ViewOptions
from mqctl.views.layout import Pane, Status
from mqctl.views.registry import view_of

FEEDS = {"rect": "rotate", "chart": "bars"}
"""What is published: topic and generator."""

WITHOUT_TERMINAL_S = 5.0
"""How long the demo runs where nobody can press Ctrl-C."""

app = command_app()


@app.command(cls=Command)
@with_groups
def demo(
    ctx: typer.Context,
    *,
    for_: Annotated[
        float | None, duration_option("--for", "End after this; 5s where standard output is no terminal.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Makes the values repeat themselves.")] = None,
) -> None:
    """See a rectangle turn and a chart move, with nothing else installed. Ctrl-C ends it."""
    context: AppContext = ctx.obj
    duration_s = for_ if for_ is not None or context.can_draw else WITHOUT_TERMINAL_S
    look = look_for(context, ascii_only=False)
    inbox = Inbox()
    with ExitStack() as stack:
        target = stack.enter_context(_hub())
        connection = stack.enter_context(connected(target, inbox.put_batch))
        modes = subscribed(context, connection, [SubscribeSpec(topic=topics.parse(name)) for name in FEEDS])
        stack.enter_context(_feeding(target, random.Random(seed)))  # noqa: S311 - made values, no secrets
        options = ViewOptions(look=look, zone=datetime.now().astimezone().tzinfo or UTC)
        drawings = [Drawing(Pane(name, view_of(name)(options))) for name in FEEDS]
        status = Status(f"try in another terminal: mqctl publish rect 45{_address(target)}")
        receiver = Receiver(
            connection=connection,
            inbox=inbox,
            ack_modes=modes,
            limits=Limits(timeout_s=duration_s),
            complain=context.report,
        )
        try:
            show(context, Board(dict(zip(modes, drawings, strict=True)), status, look), receiver, FPS)
        except (OperationTimeout, KeyboardInterrupt):
            return


@contextmanager
def _hub() -> Iterator[Target]:
    """A hub at its usual address, so that other commands find it, or at a free port where that one is taken."""
    with ExitStack() as stack:
        try:
            hub = stack.enter_context(HubThread(HubConfig()))
        except ConnectError:
            hub = stack.enter_context(HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))))
        url = parse_url(hub.urls[0])
        yield Target(scheme=url.scheme, endpoints=url.endpoints)


@contextmanager
def _feeding(target: Target, rng: random.Random) -> Iterator[None]:
    """Publish a value of each feed once in each interval, from a thread, until the end."""
    ended = threading.Event()
    with connected(target, Inbox().put_batch) as connection:
        thread = threading.Thread(target=_feed, args=(connection, rng, ended), name="mqctl.demo.feed")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _feed(connection: Connection, rng: random.Random, ended: threading.Event) -> None:
    encoder = Encoder.for_run(enveloped=True, rng=rng)
    generators = {name: parse_generator(spec) for name, spec in FEEDS.items()}
    sources = [
        from_generator(generator.values(rng), Outgoing(topic=topics.parse(name), payload=b""), encoder)
        for name, generator in generators.items()
    ]
    interval_s = max(generator.interval_s for generator in generators.values())
    while True:
        for source in sources:
            message = next(source)
            assert isinstance(message, Outgoing)
            connection.submit(message)
        if ended.wait(interval_s):
            return


def _address(target: Target) -> str:
    return "" if target.endpoints == (DEFAULT_STOMP,) else f" --url {target.name}"
