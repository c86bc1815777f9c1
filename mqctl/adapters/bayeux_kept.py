"""A session that is kept: it outlives connections and processes, and what it brought is acknowledged once handled."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from mqctl.adapters.bayeux_file import SessionFile
from mqctl.adapters.bayeux_http import Cookies
from mqctl.errors import ConfigError, MeasuredWrong, UnsupportedError
from mqctl.protocols.bayeux.client import Client
from mqctl.protocols.bayeux.client_actions import Action, Deliver
from mqctl.protocols.bayeux.orders import MAX_INTERVAL_MS
from mqctl.protocols.bayeux.resume import SavedSession, Tally
from mqctl.protocols.bayeux.spec import ConnectionType
from mqctl.target import Target

SAVED_EVERY_S: Final = 1.0
"""How often what changes all the time is written down. Older numbers of batches only let messages come twice."""


class Kept:
    """One session, and the file that it is in. Its methods may be called by any thread.

    Args:
        file: Under lock.
        target: The server that it is to be at.
        channels: What it is to subscribe to.

    Raises:
        ConfigError: The file has a session of another server, user or subscription.
    """

    def __init__(self, file: SessionFile, target: Target, channels: Sequence[str]) -> None:
        self.channels = frozenset(channels)
        self._file = file
        self._target = target
        self._saving = threading.RLock()
        self._saved = file.saved
        self._tally = Tally(self._saved.seen if self._saved else ())
        self._again = False
        self._written = 0.0
        self._go_on: Callable[[], None] = lambda: None
        self._check(self._saved)
        self.cookies = Cookies(self._saved.cookies if self._saved else {})

    def _check(self, saved: SavedSession | None) -> None:
        if saved is None:
            return
        here, there = (self._target.name, self._target.user), (saved.url, saved.user)
        if here != there:
            whose = saved.url if saved.url != self._target.name else f"another user, {saved.user or 'nobody'}"
            raise self._foreign(f"is of {whose}")
        if self.channels != frozenset(saved.channels):
            raise self._foreign(f"is subscribed to {', '.join(saved.channels)}")

    def _foreign(self, what: str) -> ConfigError:
        hint = "name the same server, user and topics again, or another file for another session"
        return ConfigError(f"the session in {self._file.path} {what}", hint=hint)

    def at(self, peer: str) -> SavedSession | None:
        """The session, if that server has it."""
        return self._saved if self._saved is not None and self._saved.peer == peer else None

    @property
    def exists(self) -> bool:
        """Whether there is a session."""
        return self._saved is not None

    @property
    def lives_ms(self) -> float:
        """How long the server keeps it without a connection, as it says or as is usual."""
        return (self._saved and self._saved.max_interval_ms) or MAX_INTERVAL_MS

    @property
    def name(self) -> str:
        """Of the file, for people."""
        return str(self._file.path)

    def begin(self, client: Client, peer: str, connection_type: ConnectionType) -> None:
        """There is a new session.

        Raises:
            UnsupportedError: Its server acknowledges nothing.
            MeasuredWrong: It could not be saved.
        """
        if not client.acknowledges:
            raise UnsupportedError(
                f"{peer} has no acknowledgement extension, so what it sends while nobody listens would be lost",
                hint="CometD has it as AcknowledgedMessagesExtension, and mqctl's hub always",
            )
        with self._saving:
            self._tally.forget()
            self._again = False
            self._saved = SavedSession(
                url=self._target.name,
                peer=peer,
                user=self._target.user,
                connection_type=connection_type,
                client_id=str(client.client_id),
                channels=tuple(sorted(self.channels)),
                max_interval_ms=client.orders.max_interval_ms,
            )
            self._save(())

    def resume(self) -> None:
        """The server still has it, and sends again what it was not told of."""
        with self._saving:
            self._again = True

    def carry_on(self, go_on: Callable[[], None]) -> None:
        """Another connection has the session from now on, to be told when all that came was handled."""
        with self._saving:
            self._go_on = go_on

    def sift(self, actions: list[Action], client: Client) -> list[Action]:
        """Number what is to be delivered, without what was handled before; see to it that a new session is saved."""
        with self._saving:
            self._notice(client)
            sifted: list[Action] = []
            for action in actions:
                if isinstance(action, Deliver):
                    number = self._tally.come(action.message)
                    if number is None:
                        continue
                    action = Deliver(action.message, number)  # noqa: PLW2901 - the same one with its number
                sifted.append(action)
            return sifted

    def _notice(self, client: Client) -> None:
        """The server may have forgotten the session, and made another."""
        if self._saved is not None and client.client_id is not None and client.client_id != self._saved.client_id:
            self._tally.forget()
            self._saved = replace(self._saved, client_id=client.client_id, batch=0)
            self._written = 0.0

    def handled(self, number: int) -> bool:
        """The user is done with a message; whether there is one of that number that was not."""
        with self._saving:
            found = self._tally.handle(number)
            idle, go_on = self._tally.idle, self._go_on
        if idle:
            go_on()
        return found

    def take_stock(self, client: Client, channels: frozenset[str]) -> bool:
        """Whether the next connect may tell the server that we have all that came. If so, that is on record."""
        with self._saving:
            if not self._tally.idle or not self.channels <= channels or self._saved is None:
                return False
            if self._again:
                self._tally.expect_again()
                self._again = False
            else:
                self._tally.acknowledge()
            self._saved = replace(self._saved, batch=client.batch, max_interval_ms=client.orders.max_interval_ms)
            if time.monotonic() - self._written >= SAVED_EVERY_S:
                # What was seen is true for a moment only, and would lose messages later. A disk that is full now is
                # told of at the end, if it still is.
                with contextlib.suppress(MeasuredWrong):
                    self._save(())
            return True

    def finish(self) -> SavedSession | None:
        """Save it for another process, once no connection has it any more; None where there never was one.

        Raises:
            MeasuredWrong: It could not be saved.
        """
        with self._saving:
            if self._saved is not None:
                self._save(self._tally.seen)
            return self._saved

    def _save(self, seen: tuple[str, ...]) -> None:
        assert self._saved is not None
        cookies = dict(self.cookies.values)
        self._saved = replace(self._saved, seen=seen, cookies=cookies, saved_ms=time.time_ns() // 1_000_000)
        self._file.save(self._saved)
        self._written = time.monotonic()
