"""A transaction of STOMP: what is in it, and what becomes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from mqctl.adapters.base import PendingPublish
from mqctl.adapters.pending import Settled
from mqctl.errors import ConnectionLost, UsageError
from mqctl.model import AckToken, Dialect, Outgoing, PublishOutcome, Rejected, Unknown, UnknownCause
from mqctl.protocols.stomp.dialects import refuse_transacted
from mqctl.protocols.stomp.spec import Header


class Desk(Protocol):
    """What a transaction asks of its connection."""

    def addressed(self, message: Outgoing) -> tuple[str, dict[str, str]]:
        """Where a message goes, and with which headers.

        Raises:
            UnsupportedError, UsageError: As `Connection.submit`.
        """
        ...

    def used(self, verb: str, token: AckToken) -> tuple[str, ...]:
        """Take back a token; how ACK or NACK, which is the `verb`, names its message.

        Raises:
            UnsupportedError, UsageError: As `Connection.nack`.
        """
        ...

    def ask(self, send: Callable[[str], object]) -> PendingPublish:
        """Send a frame, given the receipt that it asks for.

        Raises:
            ConnectionLost: The connection is gone.
        """
        ...


class StompTransaction:
    """See `mqctl.adapters.base.Transaction`, which this implements.

    Each frame asks for a receipt: RabbitMQ confirms a COMMIT before it has done what is in it.

    Args:
        desk: The connection that begins it.
        protocol: stomp.py's vocabulary.
        dialect: Whose reading of STOMP.
        name: No other of this connection.
    """

    def __init__(self, desk: Desk, protocol: Any, dialect: Dialect | None, name: str) -> None:
        self._desk, self._protocol, self._dialect, self._name = desk, protocol, dialect, name
        self._over = False
        self._one_by_one = threading.Lock()
        """Nothing may follow COMMIT."""
        self._parts = [desk.ask(lambda receipt: protocol.begin(name, receipt=receipt))]

    def submit(self, message: Outgoing) -> None:
        """See `Transaction.submit`."""
        destination, headers = self._desk.addressed(message)
        headers[Header.TRANSACTION] = self._name

        def send(receipt: str) -> None:
            headers[Header.RECEIPT] = receipt
            self._protocol.send(destination, message.payload, headers=headers)

        self._add(send)

    def ack(self, token: AckToken) -> None:
        """See `Transaction.ack`."""
        self._acknowledge("ack", token)

    def nack(self, token: AckToken) -> None:
        """See `Transaction.nack`."""
        self._acknowledge("nack", token)

    def _acknowledge(self, verb: str, token: AckToken) -> None:
        refuse_transacted(self._dialect, verb)

        def send(receipt: str) -> None:
            which = self._desk.used(verb, token)
            getattr(self._protocol, verb)(*which, transaction=self._name, receipt=receipt)

        self._add(send)

    def _add(self, send: Callable[[str], None]) -> None:
        with self._one_by_one:
            self._refuse_if_over()
            self._parts.append(self._desk.ask(send))

    def commit(self) -> PendingPublish:
        """See `Transaction.commit`."""
        return Whole(self._end("commit"), self._parts)

    def abort(self) -> PendingPublish:
        """See `Transaction.abort`."""
        return self._end("abort")

    def _end(self, verb: str) -> PendingPublish:
        with self._one_by_one:
            self._refuse_if_over()
            self._over = True
            try:
                return self._desk.ask(lambda receipt: getattr(self._protocol, verb)(self._name, receipt=receipt))
            except ConnectionLost as error:
                return Settled(Unknown(str(error), UnknownCause.LOST))

    def _refuse_if_over(self) -> None:
        if self._over:
            raise UsageError("this transaction was committed or aborted before")


class Whole:
    """A commit and all that it is about; a `PendingPublish`."""

    __slots__ = ("_commit", "_parts")

    def __init__(self, commit: PendingPublish, parts: Sequence[PendingPublish]) -> None:
        self._commit = commit
        self._parts = parts

    def done(self) -> bool:
        """Whether `outcome` returns at once."""
        return self._commit.done() and all(part.done() for part in self._parts)

    def outcome(self, timeout_s: float) -> PublishOutcome:
        """Wait for the outcome of all together."""
        deadline = time.monotonic() + timeout_s
        commit, *parts = [each.outcome(max(0.0, deadline - time.monotonic())) for each in (self._commit, *self._parts)]
        if isinstance(commit, Rejected):
            return commit
        for part in parts:
            if isinstance(part, Rejected):
                # ActiveMQ Classic does the rest all the same.
                return Unknown(f"a part of the transaction was refused: {part.reason}", UnknownCause.PARTLY)
        return next((each for each in (commit, *parts) if isinstance(each, Unknown)), commit)
