"""`mqctl watch`: draw the messages of topics live, or print their values where there is no terminal."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar

import typer

from mqctl import application, topics
from mqctl.adapters.inbox import Inbox, WhenFull
from mqctl.cli.board import Board, Drawing, show
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.help import Command, command_app
from mqctl.cli.options import duration_option
from mqctl.cli.outages import Outages
from mqctl.cli.receiving import Receiver
from mqctl.cli.tail import EndOptions, SubscribeOptions, subscribed
from mqctl.cli.target import connected_or_hosted, settings_for
from mqctl.errors import UsageError
from mqctl.model import Topic
from mqctl.profiles import Settings
from mqctl.views.base import View, ViewOptions
from mqctl.views.layout import Pane, Status
from mqctl.views.registry import VIEWS, view_of
from mqctl.views.theme import ASCII, UNICODE, Look

LIVE_INBOX = 20_000
"""Messages that may wait for one frame to be drawn; a live view wants the newest, so the oldest give way."""

LIVE_REST_S = 0.01
"""How long reading rests between two batches: nobody sees more of a message than the next frame."""

FPS = 30
WINDOW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewFlags:
    """What is drawn, and how."""

    TITLE: ClassVar = "How to draw it"

    view: Annotated[str | None, typer.Option("--view", metavar="|".join(VIEWS), help="For all topics.")] = None
    field: Annotated[str | None, typer.Option("--field", metavar="A.B", help="Where in the JSON the value is.")] = None
    labels: Annotated[str | None, typer.Option("--labels", metavar="A,B,…", help="Names of the bars.")] = None
    window: Annotated[float, duration_option("--window", "How much time a line chart shows.")] = WINDOW_S
    transition: Annotated[
        bool, typer.Option("--transition/--no-transition", help="Ease a rectangle to its angle, or let it jump.")
    ] = True
    fps: Annotated[int | None, typer.Option("--fps", min=1, max=120, help=f"Frames a second; {FPS} if absent.")] = None
    ascii: Annotated[bool, typer.Option("--ascii", help="Draw without Unicode.")] = False


app = command_app()


@app.command(cls=Command)
@with_groups
def watch(ctx: typer.Context, what: SubscribeOptions, how: ViewFlags, end: EndOptions, flags: Flags) -> None:
    """Draw the messages of topics live. In a pipe: a line for each value, and the last picture at the end.

    Examples:
        mqctl watch rect chart
        mqctl watch 'sensors.**' --field reading.celsius
        mqctl watch load --view chart --window 10m
    """
    context: AppContext = ctx.obj
    settings = settings_for(context, flags)
    specs = what.specs(settings, "watch", end.count)
    look = look_for(context, ascii_only=how.ascii)
    drawings = [drawing_for(spec.topic, how, settings, look) for spec in specs]
    live = Inbox(limit=LIVE_INBOX, when_full=WhenFull.DROP_OLDEST, rest_s=LIVE_REST_S)
    inbox = live if context.can_draw else Inbox()
    with connected_or_hosted(context, settings, inbox.put_batch) as connection:
        modes = subscribed(context, connection, specs)
        greeting = connection.greeting
        board = Board(
            dict(zip(modes, drawings, strict=True)), Status(f"{greeting.peer} {greeting.server or ''}".strip()), look
        )
        receiver = Receiver(
            connection=connection,
            inbox=inbox,
            ack_modes=modes,
            limits=end.limits(settings, "watch"),
            complain=context.report,
            outages=Outages(context.say),
        )
        show(context, board, receiver, how.fps or _fps(settings))


def look_for(context: AppContext, *, ascii_only: bool) -> Look:
    """Unicode, where the user's locale has it."""
    return UNICODE if context.has_unicode and not ascii_only else ASCII


def drawing_for(topic: Topic, how: ViewFlags, settings: Settings, look: Look) -> Drawing:
    """The pane of a topic: as typed, as the profile says of the topic or of `watch`, as the name suggests.

    Raises:
        UsageError: No such view, or no such field is possible.
    """
    said = settings.topic(topic)
    preset = functools.partial(settings.command_default, "watch")
    labels = how.labels.split(",") if how.labels else said.labels or preset("labels") or ()
    field = how.field or preset("field")
    options = ViewOptions(
        look=look,
        transition=how.transition,
        labels=tuple(labels),
        window_s=how.window,
        zone=datetime.now().astimezone().tzinfo or UTC,
    )
    view = _view(topic, how.view or said.view or preset("view"))
    return Drawing(Pane(topics.text_of(topic), view(options)), application.field(field) if field else None)


def _view(topic: Topic, name: str | None) -> type[View]:
    if name is None:
        return VIEWS["table"] if topics.is_wildcard(topic) else view_of(topics.text_of(topic))
    if name not in VIEWS:
        near = difflib.get_close_matches(name, VIEWS, n=1)
        raise UsageError(f"no view {name!r}", hint=f"did you mean {near[0]}?" if near else f"views: {', '.join(VIEWS)}")
    return VIEWS[name]


def _fps(settings: Settings) -> int:
    preset = settings.command_default("watch", "fps")
    return FPS if preset is None else int(preset)
