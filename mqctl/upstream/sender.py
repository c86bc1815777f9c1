"""The two threads that take a hub's messages to its broker: one sends, one waits for what becomes of each."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from mqctl.adapters.base import Connection, PendingPublish
from mqctl.adapters.pending import Settled
from mqctl.errors import MqctlError, TopicError, UnsupportedError, UsageError
from mqctl.model import Outgoing, PublishOutcome, Rejected
from mqctl.upstream.translation import bare

CONFIRM_S: Final = 30.0
"""How long the broker may take to confirm a message; then its fate is unknown."""
VERDICTS_MAX: Final = 500
"""Fates that are told at once."""
_JOIN_S: Final = 0.2


class Letter(NamedTuple):
    """A message on its way, and who wants to know what becomes of it."""

    message: Outgoing
    settled: Callable[[PublishOutcome], None]


class Verdict(NamedTuple):
    """What became of a message."""

    letter: Letter
    outcome: PublishOutcome


class _Sent(NamedTuple):
    letter: Letter
    pending: PendingPublish
    until_s: float


class Sender:
    """Sends in the order of `post`, without waiting for one confirmation before the next message.

    Args:
        connection: To the broker. While it is lost, sending waits.
        tell: Takes verdicts, in the order of sending, from a thread of its own.
    """

    def __init__(self, connection: Connection, tell: Callable[[Sequence[Verdict]], None]) -> None:
        self._connection = connection
        self._tell = tell
        self._posted: queue.SimpleQueue[Sequence[Letter] | None] = queue.SimpleQueue()
        self._sent: queue.SimpleQueue[_Sent | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=run, name=f"mqctl.upstream.{name}", daemon=True)
            for name, run in (("send", self._send), ("confirm", self._confirm))
        ]
        for thread in self._threads:
            thread.start()

    def post(self, letters: Sequence[Letter]) -> None:
        """Send these after all others. Never blocks; how many are under way is bounded by who calls."""
        self._posted.put(letters)

    def close(self) -> None:
        """Send nothing more."""
        self._posted.put(None)
        for thread in self._threads:
            # One that waits for a connection ends when that is closed.
            thread.join(_JOIN_S)

    def _send(self) -> None:
        while (letters := self._posted.get()) is not None:
            for letter in letters:
                pending = self._submit(letter.message)
                self._sent.put(_Sent(letter, pending, time.monotonic() + CONFIRM_S))
        self._sent.put(None)

    def _submit(self, message: Outgoing) -> PendingPublish:
        try:
            return self._connection.submit(message)
        except TopicError as error:
            return Settled(Rejected(str(error)))
        except (UnsupportedError, UsageError):
            return self._submit_bare(message)
        except MqctlError as error:
            return Settled(Rejected(str(error)))

    def _submit_bare(self, message: Outgoing) -> PendingPublish:
        """MQTT before 5 has no headers; the payload goes all the same."""
        try:
            return self._connection.submit(bare(message))
        except MqctlError as error:
            return Settled(Rejected(str(error)))

    def _confirm(self) -> None:
        """What is known by now is told together: one wake-up of the hub for many messages."""
        verdicts: list[Verdict] = []
        while True:
            if verdicts and (self._sent.empty() or len(verdicts) >= VERDICTS_MAX):
                self._tell(verdicts)
                verdicts = []
            sent = self._sent.get()
            if sent is None:
                break
            if verdicts and not sent.pending.done():
                self._tell(verdicts)
                verdicts = []
            verdicts.append(_judged(sent))
        if verdicts:
            self._tell(verdicts)


def _judged(sent: _Sent) -> Verdict:
    return Verdict(sent.letter, sent.pending.outcome(max(0.0, sent.until_s - time.monotonic())))
