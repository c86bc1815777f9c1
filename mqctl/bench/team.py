"""The publishers and subscribers of one worker."""

from __future__ import annotations

import gc
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from mqctl.adapters.base import Connection, SubscribeSpec
from mqctl.adapters.inbox import Inbox
from mqctl.adapters.registry import adapter_for
from mqctl.bench.hearer import Ear, Hearer
from mqctl.bench.limits import within_limits
from mqctl.bench.messages import Job, Progress
from mqctl.bench.sender import Sender
from mqctl.bench.usage import Usage
from mqctl.measurement.histogram import Buckets, difference, merged
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.ranges import Ranges
from mqctl.measurement.report import Work
from mqctl.model import AckMode, Fault
from mqctl.target import NO_RECONNECT, Target

SUBSCRIBE_TIMEOUT_S = 10.0
"""How long the broker may take to confirm a subscription."""

END_S = 0.3
"""How long threads that were told to end may take."""

CLOSE_S = 0.5
"""How long each connection may take to say goodbye: everything that matters was confirmed before."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def clock() -> str:
    """A name for the monotonic clock that this process reads; those who have the same name read the same clock."""
    # Linux promises that all processes share CLOCK_MONOTONIC, until the next boot.
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text(encoding="ascii").strip()
    return f"{platform.node()}-{time.monotonic_ns()}"


class Team:
    """Connects, works and adds up. As a context manager it closes its connections.

    Args:
        target: The broker.
        job: What to do.
        remark: Told of complaints.
    """

    def __init__(self, target: Target, job: Job, remark: Callable[[str], None]) -> None:
        self._target = replace(target, reconnect=NO_RECONNECT)
        self._job = job
        self._remark = remark
        self._stack = ExitStack()
        self._lines: list[tuple[Connection, Inbox]] = []
        self._ears: list[tuple[Connection, Inbox]] = []
        self._senders: list[Sender] = []
        self._hearers: list[Hearer] = []
        self._usage = Usage(0.0)
        self._before = Progress(attempted=0, came=0, recent=Buckets())
        self._told = Buckets()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def connect(self) -> None:
        """Connect all, and subscribe those who listen.

        Raises:
            MqctlError: As `Adapter.connect` and `Connection.subscribe`.
            UsageError: The system allows no more connections or threads.
        """
        job = self._job
        spec = SubscribeSpec(topic=job.topic, ack_mode=job.ack, prefetch=job.prefetch, qos=job.qos, shared=job.group)
        with within_limits():
            for number in job.subscribers:
                connection, inbox = self._connected(f"subscriber-{number}")
                connection.subscribe(spec, timeout_s=SUBSCRIBE_TIMEOUT_S)
                self._ears.append((connection, inbox))
            self._lines = [self._connected(f"publisher-{number}") for number in job.publishers]

    def _connected(self, member: str) -> tuple[Connection, Inbox]:
        inbox = Inbox()
        target = self._target
        if target.client_id is not None:
            # A broker lets nobody in twice under one name, or throws the first one out.
            target = replace(target, client_id=f"{target.client_id}-{member}")
        connection = adapter_for(target.scheme).connect(target, sink=inbox.put_batch)
        self._stack.callback(connection.close, timeout_s=CLOSE_S)
        return connection, inbox

    def start(self, start_ns: int) -> None:
        """Begin at that time of the monotonic clock.

        Raises:
            UsageError: The system allows no more threads.
        """
        job = self._job
        own = clock()
        clocked = [each == own for each in job.clocks]
        ears = [
            Ear(line, job, subscriber, clocked, start_ns=start_ns, remark=self._remark)
            for line, subscriber in zip(self._ears, job.subscribers, strict=True)
        ]
        waiting = job.ack is not AckMode.AUTO
        groups = [[ear] for ear in ears] if waiting or not ears else [ears]
        self._hearers = [Hearer(group, waiting=waiting) for group in groups]
        self._senders = [
            Sender(connection, job, publisher, start_ns)
            for (connection, _), publisher in zip(self._lines, job.publishers, strict=True)
        ]
        self._usage = Usage((start_ns + job.load.warmup_ns) / NS_PER_S)
        # What is there now stays; looking through it again and again would make messages late.
        gc.freeze()
        with within_limits():
            for each in self._members:
                each.start()

    @property
    def _members(self) -> list[Sender | Hearer]:
        return [*self._hearers, *self._senders]

    def progress(self) -> Progress:
        """How far everybody is.

        Raises:
            Exception: What went wrong in a thread.
        """
        for each in self._members:
            if each.error is not None:
                raise each.error
        for _, inbox in self._lines:
            for event in inbox.take(0):
                if isinstance(event, Fault):
                    self._remark(f"the broker says: {event.reason}")
        now = merged(each.corrected for each in self._hearers).buckets()
        recent, self._told = difference(now, self._told), now
        sent = all(each.done for each in self._senders)
        progress = Progress(
            attempted=sum(each.attempted for each in self._senders),
            came=sum(each.came for each in self._hearers),
            recent=recent,
            sent=sent,
            due=self._due() if sent else 0,
        )
        self._usage.note(working=(progress.attempted, progress.came) != (self._before.attempted, self._before.came))
        self._before = progress
        return progress

    def _due(self) -> int:
        """What was confirmed must come, and what is unknown may."""
        sent = [each.result() for each in self._senders]
        possible = sum(each.attempted - Ranges(each.rejected).count() for each in sent)
        return possible * self._job.load.due_per_message

    def end(self, worker: str) -> Work:
        """Let nobody go on, and add up."""
        for members in (self._senders, self._hearers):
            _end(members)
        return Work(
            worker,
            tuple(each.result() for each in self._senders),
            tuple(heard for each in self._hearers for heard in each.results()),
            self._usage.share(),
        )


def _end(members: Sequence[Sender] | Sequence[Hearer]) -> None:
    for each in members:
        each.end()
    deadline = time.monotonic() + END_S
    for each in members:
        each.join(max(0.0, deadline - time.monotonic()))
