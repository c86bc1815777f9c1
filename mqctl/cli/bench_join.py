"""`mqctl bench --join`: be a worker of a run that somebody leads on another machine."""

from __future__ import annotations

import os
import platform

from mqctl import topics
from mqctl.adapters.inbox import Inbox
from mqctl.bench import remote
from mqctl.bench.letters import Post
from mqctl.bench.messages import Gone
from mqctl.bench.worker import work
from mqctl.cli.context import AppContext
from mqctl.cli.target import connected_with_hint, target_for
from mqctl.errors import ConnectionLost
from mqctl.model import Topic
from mqctl.profiles import Settings


def join(context: AppContext, settings: Settings, control: Topic, name: str | None, timeout_s: float | None) -> None:
    """Wait for a run, do a part of it, and end with it.

    Raises:
        MqctlError: The broker cannot be reached, no run was called in time, or the part could not be done.
        ConnectionLost: The run's leader or the broker went away.
    """
    name = name or f"{platform.node()}-{os.getpid()}"
    inbox = Inbox()
    target = target_for(context, settings)
    with connected_with_hint(settings, target, inbox.put_batch) as connection:
        context.say(f"worker {name} waits for a run at {topics.text_of(control)} ({connection.greeting.peer})")
        channel = remote.join(Post(connection, inbox), control, name, timeout_s)
        context.say(f"joined the run {channel.run}")
        try:
            error = work(name, target, channel)
        except KeyboardInterrupt:
            channel.send(Gone(f"worker {name} was interrupted"))
            raise
    match error:
        case None:
            context.say(f"the run {channel.run} is over")
        case EOFError():
            raise ConnectionLost(f"the run {channel.run} ended early: {error}")
        case _:
            raise error
