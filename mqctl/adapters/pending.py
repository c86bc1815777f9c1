"""Requests whose answer is on its way: receipts by id, all of a connection's settled through one condition."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import count

from mqctl.model import PublishOutcome, Rejected, Unknown, UnknownCause


class Pending:
    """One request; a `PendingPublish`."""

    __slots__ = ("_settled", "_verdict", "receipt")

    def __init__(self, receipt: str, settled: threading.Condition) -> None:
        self.receipt = receipt
        self._settled = settled
        self._verdict: PublishOutcome | None = None

    def done(self) -> bool:
        """Whether `outcome` returns at once."""
        return self._verdict is not None

    def outcome(self, timeout_s: float) -> PublishOutcome:
        """Wait for the outcome. After `timeout_s` it is Unknown, and may still be learnt by asking again."""
        if self._verdict is None:
            with self._settled:
                self._settled.wait_for(self.done, timeout_s)
        return self._verdict or Unknown(f"no confirmation within {timeout_s:g} s", UnknownCause.TIMEOUT)

    def settle(self, verdict: PublishOutcome) -> None:
        """Give the outcome; the first one stands. Only `Receipts`, which wakes those who wait, calls this."""
        self._verdict = self._verdict or verdict


class Settled:
    """A publish whose outcome was known when it was made; a `PendingPublish`."""

    __slots__ = ("_verdict",)

    def __init__(self, verdict: PublishOutcome) -> None:
        self._verdict = verdict

    def done(self) -> bool:
        """Always."""
        return True

    def outcome(self, timeout_s: float) -> PublishOutcome:  # noqa: ARG002 - the interface's
        """The outcome, at once."""
        return self._verdict


class Receipts:
    """The open requests of one connection. Once it is lost, every request ends as Unknown, new ones at once."""

    def __init__(self) -> None:
        self._settled = threading.Condition()
        self._open: dict[str, Pending] = {}
        self._numbers = count(1)
        self.lost: Unknown | None = None
        """What new requests end as, once the connection is gone."""

    def open(self, receipt: str | None = None) -> Pending:
        """A new request, with a receipt id that this connection has not used, or one that the protocol gives."""
        pending = Pending(receipt or str(next(self._numbers)), self._settled)
        self._open[pending.receipt] = pending
        # After the entry: `lose` either sees it, or has said that the connection is lost.
        if self.lost is not None:
            self.forget(pending)
            pending.settle(self.lost)
        return pending

    def forget(self, pending: Pending) -> None:
        """Nobody waits for this request any more."""
        self._open.pop(pending.receipt, None)

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def __contains__(self, receipt: object) -> bool:
        """Whether a request with this id is open."""
        return receipt in self._open

    def settle(self, verdicts: Mapping[str, PublishOutcome]) -> None:
        """Give the outcomes that one read brought. Unknown ids are ignored."""
        with self._settled:
            for receipt, verdict in verdicts.items():
                pending = self._open.pop(receipt, None)
                if pending is not None:
                    pending.settle(verdict)
            self._settled.notify_all()

    def lose(self, reason: str) -> None:
        """The connection is gone: what was not answered is unknown."""
        with self._settled:
            self.lost = Unknown(reason, UnknownCause.LOST)
            while self._open:
                self._open.popitem()[1].settle(self.lost)
            self._settled.notify_all()

    def reject_only(self, reason: str) -> None:
        """If exactly one request is open, it is the one that was refused."""
        if len(self._open) == 1:
            self.settle({next(iter(self._open)): Rejected(reason)})

    def wait_for_room(self, limit: int, timeout_s: float) -> bool:
        """Wait until fewer than `limit` requests are open, or the connection is lost; whether it came to that."""
        if len(self._open) < limit:
            return True
        with self._settled:
            return self._settled.wait_for(lambda: len(self._open) < limit or self.lost is not None, timeout_s)

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Wait until every request is answered; whether it came to that."""
        with self._settled:
            return self._settled.wait_for(lambda: not self._open, timeout_s)
