"""Leads the workers of a run through it: connect, begin together, wait until all that was sent has come, add up."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

import msgspec

from mqctl import errors
from mqctl.bench.crew import Crew
from mqctl.bench.messages import (
    Beat,
    End,
    Finished,
    FromWorker,
    Go,
    Gone,
    Job,
    Prepare,
    Progress,
    Ready,
    Remark,
    ToWorker,
    Trouble,
)
from mqctl.errors import ConnectionLost, MqctlError, OperationTimeout
from mqctl.measurement.histogram import Buckets, Histogram, merged
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.report import Work

READY_S = 30.0
"""How long all workers together may take to start, connect and subscribe, besides the time to connect."""

HEAD_START_NS = NS_PER_S // 5
"""How long before the begin the workers are told of it, so that all are there in time."""

LINGER_S = 0.2
"""How long after the last message that was expected we listen for what was not: duplicates."""

BEAT_S = 1.0
"""How often workers hear that we are still here."""

NAP_S = 0.1

REMARKS_MAX = 10
"""A broker that complains to a thousand connections is heard so often."""


class Phase(enum.Enum):
    """Where a run is."""

    CONNECTING = "connecting"
    RUNNING = "running"
    DRAINING = "waiting for the rest"
    ENDING = "adding up"
    DONE = "done"


_NOTHING = Progress(attempted=0, came=0, recent=Buckets())


@dataclass(slots=True)
class _Member:
    ready: bool = False
    progress: Progress = _NOTHING
    work: Work | None = None
    gone: str | None = None


class Conductor:
    """One run.

    Args:
        crew: The workers.
        job: What all of them do together.
        drain_s: Once all is sent, so long nothing may come before what is missing counts as lost.
        complain: Told what the user must hear.
    """

    def __init__(self, crew: Crew, job: Job, *, drain_s: float, complain: Callable[[str], None]) -> None:
        self._crew = crew
        self._drain_s = drain_s
        self._members = {name: _Member() for name in crew.clocks}
        self._one_clock = len(set(crew.clocks.values())) == 1
        self._recent: list[Buckets] = []
        self._remarks = 0
        self._came_at = self._beat_at = time.monotonic()
        self._deadline = time.monotonic() + READY_S
        self.complain = complain
        self.phase = Phase.CONNECTING
        for name, part in shared_out(job, crew.clocks).items():
            crew.tell(name, Prepare(part))

    @property
    def attempted(self) -> int:
        """Messages sent so far."""
        return sum(member.progress.attempted for member in self._members.values())

    @property
    def received(self) -> int:
        """Messages that came so far, at all subscribers."""
        return sum(member.progress.came for member in self._members.values())

    @property
    def works(self) -> list[Work]:
        """What the workers did that could still say so."""
        return [member.work for member in self._members.values() if member.work is not None]

    @property
    def dead(self) -> list[str]:
        """A sentence for each worker that could not say what it did."""
        gone = {name: member.gone for name, member in self._members.items() if member.work is None}
        return [
            f"{text or f'worker {name} did not answer'}, and what it did is not in the books"
            for name, text in gone.items()
        ]

    def take_recent(self) -> Histogram:
        """How long the messages took that came since this was last asked."""
        recent, self._recent = self._recent, []
        return merged(recent)

    def step(self, patience_s: float) -> bool:
        """Listen to the workers, at most `patience_s`, and lead on; whether there is more to do.

        Raises:
            MqctlError: A worker met an error that ends the run.
        """
        for name, message in self._crew.hear(patience_s):
            self._heed(name, message)
        now = time.monotonic()
        self._lead(now)
        if now - self._beat_at >= BEAT_S:
            self._beat_at = now
            self._tell_all(Beat())
        return self.phase is not Phase.DONE

    def end(self) -> None:
        """Let the run end now, whatever is still on its way, and add up."""
        if self.phase is Phase.CONNECTING:
            self._tell_all(End())
            self.phase = Phase.DONE
        elif self.phase is not Phase.ENDING:
            self._tell_to_end(time.monotonic())
        while self.step(NAP_S):
            pass

    def _heed(self, name: str, message: FromWorker) -> None:
        member = self._members[name]
        match message:
            case Ready():
                member.ready = True
            case Progress():
                self._note(member, message)
            case Finished(work):
                member.work = work
            case Remark(text):
                self._pass_on(text)
            case Gone(text):
                member.gone = text
                if member.work is None:
                    self.complain(text)
            case Trouble():
                self._tell_all(End())
                raise _error(message)
            case _:
                assert_never(message)

    def _pass_on(self, remark: str) -> None:
        self._remarks += 1
        if self._remarks <= REMARKS_MAX:
            self.complain(remark)
        elif self._remarks == REMARKS_MAX + 1:
            self.complain("and more of the kind, which is not told")

    def _note(self, member: _Member, progress: Progress) -> None:
        if progress.came != member.progress.came:
            self._came_at = time.monotonic()
        if progress.recent.counts:
            self._recent.append(progress.recent)
        member.progress = progress

    def _lead(self, now: float) -> None:
        alive = [member for member in self._members.values() if member.gone is None]
        match self.phase:
            case Phase.CONNECTING:
                self._begin_once_ready(now)
            case Phase.RUNNING | Phase.DRAINING if len(alive) < len(self._members):
                # What it sent and got is not known any more, so that the rest proves nothing.
                self._tell_to_end(now)
            case Phase.RUNNING:
                if all(member.progress.sent for member in alive):
                    self._came_at = max(self._came_at, now)
                    self.phase = Phase.DRAINING
            case Phase.DRAINING:
                due = sum(member.progress.due for member in alive)
                quiet_s = now - self._came_at
                if quiet_s >= (LINGER_S if self.received >= due else max(self._drain_s, LINGER_S)):
                    self._tell_to_end(now)
            case Phase.ENDING:
                if now >= self._deadline or all(member.work for member in alive):
                    self.phase = Phase.DONE
            case Phase.DONE:
                pass
            case _:
                assert_never(self.phase)

    def _begin_once_ready(self, now: float) -> None:
        gone = next((member.gone for member in self._members.values() if member.gone is not None), None)
        if gone is not None:
            raise ConnectionLost(f"{gone} before the run began")
        if all(member.ready for member in self._members.values()):
            at_ns = time.monotonic_ns() + HEAD_START_NS if self._one_clock else None
            self._tell_all(Go(after_ns=HEAD_START_NS, at_ns=at_ns))
            self.phase = Phase.RUNNING
        elif now >= self._deadline:
            late = ", ".join(name for name, member in self._members.items() if not member.ready)
            raise OperationTimeout(f"not connected within {READY_S:g} s: worker {late}")

    def _tell_to_end(self, now: float) -> None:
        self._tell_all(End())
        self._deadline = now + self._crew.end_s
        self.phase = Phase.ENDING

    def _tell_all(self, message: ToWorker) -> None:
        for name in self._members:
            self._crew.tell(name, message)


def shared_out(job: Job, clocks: Mapping[str, str]) -> dict[str, Job]:
    """Each worker's part of a job.

    Under one clock the publishers, and after them the subscribers, go to the workers in turn, so that one worker's
    receiving does not delay another's sending. Under several, each worker gets of both, since only a publisher and a
    subscriber by the same clock can tell how long a message took.
    """
    names = list(clocks)
    ahead = job.load.publishers if len(set(clocks.values())) == 1 else 0
    publishers = {number: names[number % len(names)] for number in range(job.load.publishers)}
    subscribers = {number: names[(ahead + number) % len(names)] for number in range(job.load.subscribers)}
    return {
        name: msgspec.structs.replace(
            job,
            publishers=tuple(number for number, owner in publishers.items() if owner == name),
            subscribers=tuple(number for number, owner in subscribers.items() if owner == name),
            clocks=tuple(clocks[owner] for owner in publishers.values()),
        )
        for name in names
    }


def _error(trouble: Trouble) -> MqctlError:
    """The error that a worker met, as one of ours; what is none of ours is a bug."""
    kind = getattr(errors, trouble.kind, None)
    if isinstance(kind, type) and issubclass(kind, MqctlError):
        return kind(trouble.text, hint=trouble.hint)
    return MqctlError(f"this is a bug in mqctl: {trouble.kind}: {trouble.text}")
