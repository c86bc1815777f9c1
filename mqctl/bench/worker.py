"""A worker: one process with some of the publishers and subscribers, led by a conductor over a channel."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from typing import Protocol, TypeVar

from mqctl.bench.messages import (
    End,
    Finished,
    FromWorker,
    Go,
    Prepare,
    Ready,
    Remark,
    ToWorker,
    described,
    encode,
    to_worker,
)
from mqctl.bench.team import Team
from mqctl.measurement.sending import SWITCH_S
from mqctl.target import Target

TICK_S = 0.25
"""How often a worker says how far it is."""

FOREVER_S = 3600.0
"""As long as one wait may be; another follows."""

FEW = 4
"""So many members of a worker have the shortest turns."""

PYTHONS_TURN_S = 0.005

LEADERS_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What ends a run early: its leader hears them, and a worker that did too could not tell its books."""

T = TypeVar("T", Prepare, Go)


class Channel(Protocol):
    """To and from the conductor."""

    def send(self, message: FromWorker) -> None:
        """Send a message.

        Raises:
            EOFError: The conductor is gone.
        """
        ...

    def receive(self, timeout_s: float) -> ToWorker | None:
        """The next message; None when none came in time.

        Raises:
            EOFError: The conductor is gone.
        """
        ...


class Released(Exception):
    """The run ended before it began."""


def work(name: str, target: Target, channel: Channel) -> Exception | None:
    """Do one job; an error goes to the conductor, and is returned. EOFError: the conductor is gone.

    Args:
        name: What the report calls this worker.
        target: The broker.
        channel: To the conductor.
    """
    try:
        job = _next(channel, Prepare).job
        sys.setswitchinterval(turn_s(len(job.publishers) + len(job.subscribers)))
        with Team(target, job, lambda text: channel.send(Remark(text))) as team:
            _lead(team, name, channel)
    except Released:
        pass
    except EOFError as error:
        return error
    except Exception as error:  # noqa: BLE001 - the conductor tells it
        with suppress(EOFError):
            channel.send(described(error))
        return error
    return None


def turn_s(members: int) -> float:
    """How long a thread may go on while another waits for its turn.

    Short turns are in time, but each waiting thread wakes up that often to ask for its own: a hundred that get one
    message at once are done after 17 ms at Python's own 5 ms, and after 50 to 160 ms at 0.2 ms.
    """
    return min(SWITCH_S * max(1.0, members / FEW), PYTHONS_TURN_S)


def _lead(team: Team, name: str, channel: Channel) -> None:
    team.connect()
    channel.send(Ready())
    go = _next(channel, Go)
    team.start(go.at_ns if go.at_ns is not None else time.monotonic_ns() + go.after_ns)
    while not isinstance(channel.receive(TICK_S), End):
        channel.send(team.progress())
    channel.send(Finished(team.end(name)))


def _next(channel: Channel, kind: type[T]) -> T:
    """Wait for a message of that kind.

    Raises:
        Released: The run ends before it comes.
    """
    while not isinstance(message := channel.receive(FOREVER_S), kind):
        if isinstance(message, End):
            raise Released
    return message


class PipeChannel:
    """A `Channel` over a pipe to the parent process."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()

    def send(self, message: FromWorker) -> None:
        """See `Channel.send`."""
        try:
            with self._sending:
                self._pipe.send_bytes(encode(message))
        except OSError as error:
            raise EOFError from error

    def receive(self, timeout_s: float) -> ToWorker | None:
        """See `Channel.receive`."""
        try:
            return to_worker.decode(self._pipe.recv_bytes()) if self._pipe.poll(timeout_s) else None
        except OSError as error:
            raise EOFError from error


def main(name: str, target: Target, pipe: Pipe) -> None:
    """A worker process. Signals are for its parent, who tells it what to do; without its parent it ends."""
    for number in LEADERS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    work(name, target, PipeChannel(pipe))
    # No connection's thread holds up the end of the process.
    os._exit(0)
