"""A session that outlives the client's process: what is written down of it, and which of its messages were handled.

What the server was not told yet that we have, it sends again. So a session is gone on with from the last batch of which
every message was handled, and of what comes again the part that was handled already is left out. No IO.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import msgspec

from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.spec import ConnectionType

VERSION: Final = 1
_DIGEST_BYTES: Final = 12


class SavedError(Exception):
    """These bytes are no saved session, or none that we understand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSession:
    """All that another process needs to go on.

    Attributes:
        version: Of this form.
        url: The server as the user names it, and `peer` the one of its endpoints that has the session.
        user: Whose session it is.
        connection_type: How it is spoken to: sessions made over WebSocket are unknown to HTTP.
        client_id: The secret that names it.
        batch: The last of which every message was handled (`ext.ack`).
        seen: What was handled of the messages after that batch, in order; see `Tally`.
        channels: What it subscribed to.
        cookies: What the server wants to hear again.
        max_interval_ms: How long the server keeps it without a connect; None where it does not say.
        saved_ms: When this was written, since 1970.
    """

    version: int = VERSION
    url: str
    peer: str
    user: str | None = None
    connection_type: ConnectionType
    client_id: str
    batch: int = 0
    seen: tuple[str, ...] = ()
    channels: tuple[str, ...]
    cookies: dict[str, str] = field(default_factory=dict)
    max_interval_ms: float | None = None
    saved_ms: int = 0


class _Form(msgspec.Struct):
    version: int


_FORM: Final = msgspec.json.Decoder(_Form)
_SESSION: Final = msgspec.json.Decoder(SavedSession)


def write(session: SavedSession) -> bytes:
    """A session as it is kept."""
    return msgspec.json.encode(session) + b"\n"


def read(data: bytes) -> SavedSession:
    """The reverse.

    Raises:
        SavedError: It is none.
    """
    try:
        version = _FORM.decode(data).version
        if version > VERSION:
            raise SavedError(f"a newer mqctl wrote it (version {version}; this one knows {VERSION})")
        return _SESSION.decode(data)
    except msgspec.DecodeError as error:
        raise SavedError(f"it is no session that mqctl saved: {error}") from error


class Tally:
    """Which messages came since the last batch that the server was told we have, and which of them were handled.

    Args:
        seen: What was handled of them by another process.
    """

    def __init__(self, seen: Iterable[str] = ()) -> None:
        self._last = 0
        self._pending: dict[int, str | None] = {}
        self._handled = list(seen)
        self._again: deque[str] = deque()

    @property
    def idle(self) -> bool:
        """Whether all that came was handled."""
        return not self._pending

    @property
    def seen(self) -> tuple[str, ...]:
        """What was handled, in order, be it that it has not come again yet."""
        return (*self._handled, *self._again)

    def expect_again(self) -> None:
        """The connection was lost: what came since the last batch comes again, and ahead of all else.

        So does what had not come again yet when another connection was lost.
        """
        self._again = deque(self.seen)
        self._handled = []

    def come(self, message: Message) -> int | None:
        """The number of a message, for `handle`; None where it came before and was handled."""
        digest = _digest(message)
        if self._again and self._again[0] == digest:
            self._handled.append(self._again.popleft())
            return None
        # Something else came: to take what follows for what we had could lose a message that only looks the same.
        self._again.clear()
        self._last += 1
        self._pending[self._last] = digest
        return self._last

    def handle(self, number: int) -> bool:
        """A message was handled; whether there is one of that number that was not."""
        if number not in self._pending:
            return False
        digest = self._pending.pop(number)
        if digest is not None:
            self._handled.append(digest)
        return True

    def acknowledge(self) -> None:
        """The server is told that we have it all."""
        self._handled.clear()
        self._again.clear()

    def forget(self) -> None:
        """There is another session: nothing comes again."""
        self.acknowledge()
        self._pending = dict.fromkeys(self._pending)


def _digest(message: Message) -> str:
    """What tells a message from others. The same one comes again with the same data."""
    return blake2b(str(message.channel).encode() + b"\n" + bytes(message.data), digest_size=_DIGEST_BYTES).hexdigest()
