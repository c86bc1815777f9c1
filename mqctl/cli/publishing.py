"""Sending messages and keeping the books: every message attempted ends as confirmed, rejected or unknown."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple, assert_never

from mqctl.adapters.base import Connection, PendingPublish
from mqctl.adapters.inbox import Inbox
from mqctl.cli.interrupts import Interrupts
from mqctl.cli.outages import Outages
from mqctl.cli.resent import Resending
from mqctl.cli.sources import BadInput, Lines, Source
from mqctl.durations import format_duration
from mqctl.errors import ExitCode, MqctlError, UnsupportedError, UsageError
from mqctl.model import (
    Confirmation,
    Confirmed,
    ConnectionEvent,
    Disconnected,
    Fault,
    Interrupted,
    Outgoing,
    PublishOutcome,
    Rejected,
    Resumed,
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

REASONS_TOLD = 20
"""Most reasons that are told of messages that were rejected or are unknown: a broker may find one for each."""

LONG_S = 3600.0
"""As long as one wait for a connection may be; another follows."""


@dataclass(slots=True)
class Tally:
    """The books of one run. `lost` and `late` are the two kinds of unknown; `cut` is why the connection went for good.

    A message is counted once, however often it is sent; `resent` counts how often one was sent again. `unconfirmable`
    are those that left in a way that no broker answers, so that more than that will never be known. `reasons` are why
    messages were rejected or are unknown, each once; `untold` counts the messages that had others.
    """

    attempted: int = 0
    confirmed: int = 0
    rejected: int = 0
    lost: int = 0
    late: int = 0
    unconfirmable: int = 0
    resent: int = 0
    bad_input: int = 0
    cut: str | None = None
    error: MqctlError | None = None
    asked: Confirmation = Confirmation.BROKER
    reasons: list[str] = field(default_factory=list)
    untold: int = 0

    def count(self, outcome: PublishOutcome) -> None:
        """Enter the fate of one message."""
        match outcome:
            case Confirmed(level) if level < self.asked:
                self.unconfirmable += 1
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
        if reason in self.reasons:
            return
        if len(self.reasons) < REASONS_TOLD:
            self.reasons.append(reason)
        else:
            self.untold += 1

    @property
    def unknown(self) -> int:
        """What is neither confirmed nor rejected."""
        return self.attempted - self.confirmed - self.rejected

    @property
    def given_up(self) -> bool:
        """Whether confirmations are outstanding that nobody waits for any more."""
        return self.asked is Confirmation.BROKER and self.unknown > self.unconfirmable

    def line(self) -> str:
        """The last line of a run."""
        asked = "" if self.asked is Confirmation.BROKER else f" (--confirm {self.asked.name.lower()})"
        if self.unconfirmable:
            asked += f" ({self.unconfirmable} sent at QoS 0, which no broker confirms)"
        resent = f", resent {self.resent}" if self.resent else ""
        return (
            f"attempted {self.attempted}, confirmed {self.confirmed}, rejected {self.rejected}, unknown {self.unknown}"
            f"{asked}{resent}"
        )

    def exit_code(self) -> ExitCode:
        """What the run as a whole amounts to; the gravest finding decides."""
        findings = (
            (self.rejected, ExitCode.REFUSED),
            (self.error, self.error.exit_code if self.error else ExitCode.OK),
            (self.lost or self.cut is not None, ExitCode.CONNECTION),
            (self.late, ExitCode.INCONCLUSIVE),
            (self.bad_input, ExitCode.USAGE),
        )
        return next((code for count, code in findings if count), ExitCode.OK)


class Sent(NamedTuple):
    """A message on its way."""

    message: Outgoing
    pending: PendingPublish


@dataclass(slots=True, kw_only=True)
class Publisher:
    """Sends what a source gives, `interval_s` apart, at most `WINDOW` ahead of the confirmations.

    With `resending`, what was on its way when a connection was lost is sent again over the next one, in its order and
    before what follows.
    """

    connection: Connection
    inbox: Inbox
    tally: Tally
    complain: Callable[[str], None]
    interval_s: float
    confirm_timeout_s: float
    keep_going: bool
    interrupts: Interrupts
    outages: Outages = field(default_factory=Outages)
    resending: Resending | None = None
    _pending: deque[Sent] = field(default_factory=deque)
    _again: deque[Outgoing] = field(default_factory=deque)
    _awaiting: bool = False
    """Whether the connection is gone, and nothing is known yet of another."""
    _stopped: bool = False

    def run(self, source: Source, count: int | None) -> None:
        """Send until the source ends, `count` messages are sent, a line is bad, or the connection is gone for good."""
        due = monotonic()
        while self._has_more(count) and self._listen(due - monotonic()):
            if self._again:
                self._send_again()
            elif not self._send_next(source):
                break
            due = max(due + self.interval_s, monotonic() - CATCH_UP_S)

    def _has_more(self, count: int | None) -> bool:
        return not self._stopped and (bool(self._again) or self.tally.attempted != count)

    def _send_next(self, source: Source) -> bool:
        """Send what comes next; whether there was anything, and still a connection when it came."""
        item = next(source, None)
        # A source may take its time.
        if item is None or not self._listen(0):
            return False
        if not isinstance(item, BadInput):
            item = self._send(item, source.number if isinstance(source, Lines) else None)
        if isinstance(item, BadInput):
            self._refuse(item)
        else:
            self._settle_what_is_known()
        return True

    def _send(self, message: Outgoing, line: int | None) -> BadInput | None:
        """Send a message; what was wrong with the line that it came from, if only the transport could tell."""
        self.interrupts.hold()
        # Counted first: should a second signal end this call half-way, the message is unknown, and not forgotten.
        self.tally.attempted += 1
        try:
            self._submit(message, self._marked(message))
        except MqctlError as error:
            self.tally.attempted -= 1
            if line is None or not isinstance(error, UsageError):
                raise
            return BadInput(line, str(error))
        finally:
            self.interrupts.release()
        return None

    def _marked(self, message: Outgoing) -> Outgoing:
        if self.resending is None:
            return message
        return self.resending.first(message, self.connection.greeting.dialect)

    def _send_again(self) -> None:
        assert self.resending is not None
        message = self._again.popleft()
        self.interrupts.hold()
        self.tally.resent += 1
        try:
            self._submit(message, self.resending.again(message))
        finally:
            self.interrupts.release()
        self._settle_what_is_known()

    def _submit(self, message: Outgoing, marked: Outgoing) -> None:
        """Send a message with its marks, or without where the transport cannot carry them."""
        try:
            pending = self.connection.submit(marked, confirmation=self.tally.asked)
        except UnsupportedError:
            if marked is message or self.resending is None:
                raise
            self.resending.has_headers = False
            marked, pending = message, self.connection.submit(message, confirmation=self.tally.asked)
        self._pending.append(Sent(marked, pending))

    def settle(self, timeout_s: float, *, again: bool = True) -> None:
        """Wait for the fate of everything that was sent.

        Args:
            timeout_s: The longest wait for all confirmations that are under way together.
            again: Whether to wait for another connection and send again what is to be.
        """
        deadline = monotonic() + timeout_s
        while self._pending or self._again:
            while self._pending and not self._awaiting:
                self._settle_first(max(0.0, deadline - monotonic()), timeout_s)
            if (self._awaiting or self._again) and not (again and self._may_go_on()):
                self._give_up()
            while self._again and not self._awaiting:
                self._send_again()
                deadline = monotonic() + timeout_s
        for event in self.inbox.take(0):
            # A complaint that names no message may be why one stays unknown.
            if isinstance(event, Fault):
                self.complain(f"the broker says: {event.reason}")

    def _may_go_on(self) -> bool:
        return self.tally.cut is None and self._listen(0)

    def _give_up(self) -> None:
        """What was to be sent again is unknown after all."""
        self.resending = None
        self._awaiting = False
        while self._again:
            self._again.popleft()
            self.tally.count(Unknown("the connection was lost", UnknownCause.LOST))

    def _settle_what_is_known(self) -> None:
        while self._pending and not self._awaiting and self._is_due(self._pending[0]):
            self._settle_first(self.confirm_timeout_s, self.confirm_timeout_s)

    def _settle_first(self, wait_s: float, whole_s: float) -> None:
        """Enter the fate of what was sent first, unless it was lost and is to be sent again."""
        outcome = self._pending[0].pending.outcome(wait_s)
        if self.resending is not None and _is_lost(outcome) and self.tally.cut is None:
            # The event that tells of the loss is on its way; then all that was lost is collected.
            self._awaiting = True
            return
        self._pending.popleft()
        if isinstance(outcome, Unknown) and outcome.cause is UnknownCause.TIMEOUT:
            outcome = Unknown(f"no confirmation within {format_duration(whole_s)}", UnknownCause.TIMEOUT)
        self.tally.count(outcome)

    def _is_due(self, first: Sent) -> bool:
        return first.pending.done() or len(self._pending) >= WINDOW

    def _collect_lost(self) -> None:
        """What was lost with its connection is to be sent again, ahead of what waits for that already."""
        if self.resending is None:
            return
        lost: deque[Outgoing] = deque()
        kept: deque[Sent] = deque()
        for sent in self._pending:
            if sent.pending.done() and _is_lost(sent.pending.outcome(0)):
                lost.append(sent.message)
            else:
                kept.append(sent)
        self._pending, self._again = kept, lost + self._again

    def _listen(self, wait_s: float) -> bool:
        """Wait for the next message's time, and for a connection, with an ear for the broker; whether there is one."""
        deadline = monotonic() + wait_s
        while wait_s > 0 or len(self.inbox) or self._awaiting:
            for event in self.inbox.take(LONG_S if self._awaiting else max(0.0, wait_s)):
                self._heed(event)
            if self.tally.cut is not None:
                return False
            wait_s = deadline - monotonic()
        return True

    def _heed(self, event: ConnectionEvent) -> None:
        match event:
            case Interrupted():
                self._awaiting = True
                self.outages.heed(event)
            case Resumed():
                self._awaiting = False
                self.outages.heed(event)
                self._collect_lost()
            case Disconnected(reason=reason, error=error):
                self.tally.cut, self.tally.error = reason, error
                self.complain(f"connection lost: {reason}")
            case Fault(reason=reason):
                self.complain(f"the broker says: {reason}")
            case _:
                pass

    def _refuse(self, bad: BadInput) -> None:
        self.tally.bad_input += 1
        self._stopped = not self.keep_going
        rest = "" if self.keep_going else "; the rest is not sent (--keep-going sends it)"
        self.complain(f"line {bad.line}: {bad.reason}{rest}")


def _is_lost(outcome: PublishOutcome) -> bool:
    return isinstance(outcome, Unknown) and outcome.cause is UnknownCause.LOST
