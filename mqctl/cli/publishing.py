"""Sending messages and keeping the books: every message attempted ends as confirmed, rejected or unknown."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import assert_never

from mqctl.adapters.base import Connection, PendingPublish
from mqctl.adapters.inbox import Inbox
from mqctl.cli.interrupts import Interrupts
from mqctl.cli.sources import BadInput, Lines, Source
from mqctl.durations import format_duration
from mqctl.errors import ExitCode, MqctlError, UsageError
from mqctl.model import (
    Confirmation,
    Confirmed,
    Disconnected,
    Fault,
    Outgoing,
    PublishOutcome,
    Rejected,
    Unknown,
    UnknownCause,
)

WINDOW = 1000
"""Messages sent and not yet confirmed; more of them make a publish no faster and a loss larger."""

CONFIRM_TIMEOUT_S = 10.0
"""How long a confirmation may take before its message counts as unknown."""

CATCH_UP_S = 0.1
"""How far behind its rate a run makes up for; what it missed before that, it does not send in a burst."""

GRACE_S = 1.0
"""How long an interrupted run still waits for confirmations that are under way."""


@dataclass(slots=True)
class Tally:
    """The books of one run. `lost` and `late` are the two kinds of unknown; `cut` is why the connection went."""

    attempted: int = 0
    confirmed: int = 0
    rejected: int = 0
    lost: int = 0
    late: int = 0
    bad_input: int = 0
    cut: str | None = None
    asked: Confirmation = Confirmation.BROKER
    reasons: list[str] = field(default_factory=list)

    def count(self, outcome: PublishOutcome) -> None:
        """Enter the fate of one message."""
        match outcome:
            case Confirmed():
                self.confirmed += self.asked is not Confirmation.NONE
            case Rejected(reason):
                self.rejected += 1
                self._tell(reason)
            case Unknown(reason, cause):
                self.lost += cause is UnknownCause.LOST
                self.late += cause is UnknownCause.TIMEOUT
                self._tell(reason)
            case _:
                assert_never(outcome)

    def _tell(self, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)

    @property
    def unknown(self) -> int:
        """What is neither confirmed nor rejected."""
        return self.attempted - self.confirmed - self.rejected

    @property
    def given_up(self) -> bool:
        """Whether confirmations are outstanding that nobody waits for any more."""
        return self.asked is Confirmation.BROKER and self.unknown > 0

    def line(self) -> str:
        """The last line of a run."""
        asked = "" if self.asked is Confirmation.BROKER else f" (--confirm {self.asked.name.lower()})"
        return (
            f"attempted {self.attempted}, confirmed {self.confirmed}, rejected {self.rejected}, unknown {self.unknown}"
            f"{asked}"
        )

    def exit_code(self) -> ExitCode:
        """What the run as a whole amounts to; the gravest finding decides."""
        findings = (
            (self.rejected, ExitCode.REFUSED),
            (self.lost or self.cut is not None, ExitCode.CONNECTION),
            (self.late, ExitCode.INCONCLUSIVE),
            (self.bad_input, ExitCode.USAGE),
        )
        return next((code for count, code in findings if count), ExitCode.OK)


@dataclass(slots=True, kw_only=True)
class Publisher:
    """Sends what a source gives, `interval_s` apart, at most `WINDOW` ahead of the confirmations."""

    connection: Connection
    inbox: Inbox
    tally: Tally
    complain: Callable[[str], None]
    interval_s: float
    confirm_timeout_s: float
    keep_going: bool
    interrupts: Interrupts
    _pending: deque[PendingPublish] = field(default_factory=deque)
    _stopped: bool = False

    def run(self, source: Source, count: int | None) -> None:
        """Send until the source ends, `count` messages are sent, a line is bad, or the connection is gone."""
        due = monotonic()
        while not self._stopped and self.tally.attempted != count:
            if not self._listen(due - monotonic()):
                break
            item = next(source, None)
            if item is None:
                break
            if not isinstance(item, BadInput):
                item = self._send(item, source.number if isinstance(source, Lines) else None)
            if isinstance(item, BadInput):
                self._refuse(item)
            else:
                self._settle_what_is_known()
                due = max(due + self.interval_s, monotonic() - CATCH_UP_S)

    def _send(self, message: Outgoing, line: int | None) -> BadInput | None:
        """Send a message; what was wrong with the line that it came from, if only the transport could tell."""
        self.interrupts.hold()
        # Counted first: should a second signal end this call half-way, the message is unknown, and not forgotten.
        self.tally.attempted += 1
        try:
            self._pending.append(self.connection.submit(message, confirmation=self.tally.asked))
        except MqctlError as error:
            self.tally.attempted -= 1
            if line is None or not isinstance(error, UsageError):
                raise
            return BadInput(line, str(error))
        finally:
            self.interrupts.release()
        return None

    def settle(self, timeout_s: float) -> None:
        """Wait for the fate of everything that was sent, at most `timeout_s` for all of it."""
        deadline = monotonic() + timeout_s
        while self._pending:
            outcome = self._pending[0].outcome(max(0.0, deadline - monotonic()))
            self._pending.popleft()
            if isinstance(outcome, Unknown) and outcome.cause is UnknownCause.TIMEOUT:
                outcome = Unknown(f"no confirmation within {format_duration(timeout_s)}", UnknownCause.TIMEOUT)
            self.tally.count(outcome)
        for event in self.inbox.take(0):
            # A complaint that names no message may be why one stays unknown.
            if isinstance(event, Fault):
                self.complain(f"the broker says: {event.reason}")

    def _settle_what_is_known(self) -> None:
        while self._pending and (self._pending[0].done() or len(self._pending) >= WINDOW):
            outcome = self._pending[0].outcome(self.confirm_timeout_s)
            self._pending.popleft()
            self.tally.count(outcome)

    def _listen(self, wait_s: float) -> bool:
        """Wait for the next message's time with an ear for the broker; whether the connection still stands."""
        deadline = monotonic() + wait_s
        while wait_s > 0 or len(self.inbox):
            for event in self.inbox.take(max(0.0, wait_s)):
                match event:
                    case Disconnected(reason=reason):
                        self.tally.cut = reason
                        self.complain(f"connection lost: {reason}")
                        return False
                    case Fault(reason=reason):
                        self.complain(f"the broker says: {reason}")
                    case _:
                        pass
            wait_s = deadline - monotonic()
        return True

    def _refuse(self, bad: BadInput) -> None:
        self.tally.bad_input += 1
        self._stopped = not self.keep_going
        rest = "" if self.keep_going else "; the rest is not sent (--keep-going sends it)"
        self.complain(f"line {bad.line}: {bad.reason}{rest}")
