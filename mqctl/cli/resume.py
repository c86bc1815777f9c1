"""`--resume`: a Bayeux session in a file, which the next run goes on with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mqctl.adapters.base import Connection, EventSink, SubscribeSpec
from mqctl.cli.context import AppContext
from mqctl.cli.target import connected, target_for
from mqctl.durations import format_duration
from mqctl.errors import UnsupportedError
from mqctl.profiles import Settings
from mqctl.topics import to_bayeux_patterns

if TYPE_CHECKING:
    from mqctl.adapters.bayeux_kept import Kept

_HINTS: Final = {
    "stomp": "over STOMP the broker keeps messages for a durable subscription: --client-id ID --durable NAME",
    "mqtt": "over MQTT the broker keeps messages for a session: --client-id ID --no-clean --qos 1",
}
"""What does the same over other protocols."""


@contextmanager
def resumed(
    context: AppContext, settings: Settings, path: Path, specs: Sequence[SubscribeSpec], sink: EventSink
) -> Iterator[Connection]:
    """Connect with the session in a file, or with a new one; at the end it is left open, and saved.

    Raises:
        UnsupportedError: What is spoken is not Bayeux.
        ConfigError: The file is of another session, in use, or no such file.
        MeasuredWrong: The session could not be saved.
        MqctlError: As `Adapter.connect`.
    """
    target = target_for(context, settings)
    protocol = target.scheme.partition("+")[0]
    if protocol != "bayeux":
        raise UnsupportedError("--resume keeps sessions of Bayeux only", hint=_HINTS.get(protocol))
    from mqctl.adapters.bayeux import BayeuxAdapter
    from mqctl.adapters.bayeux_file import SessionFile
    from mqctl.adapters.bayeux_kept import Kept

    channels = [channel for spec in specs for channel in to_bayeux_patterns(spec.topic)]
    with SessionFile(path) as file:
        kept = Kept(file, target, channels)
        try:
            with connected(target, sink, BayeuxAdapter(kept)) as connection:
                if connection.greeting.detail["session"] == "resumed":
                    context.say(f"going on with the session in {path}")
                yield connection
        finally:
            _leave(context, kept)


def _leave(context: AppContext, kept: Kept) -> None:
    saved = kept.finish()
    if saved is None:
        return
    lives_s = kept.lives_ms / 1000
    until = time.strftime("%H:%M:%S", time.localtime(saved.saved_ms / 1000 + lives_s))
    how = (
        f"as long as the server keeps it: {format_duration(lives_s)}"
        if saved.max_interval_ms
        else (f"if the server keeps it for {format_duration(lives_s)}, as is usual")
    )
    context.say(f"left the session open: {kept.name} resumes it until {until}, {how}")
