"""A server of Bayeux with a broker of twenty lines, a clock that is set, and no transport: what it says is returned."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, cast

from mqctl.errors import RefusedError
from mqctl.protocols.bayeux.channel import matching
from mqctl.protocols.bayeux.house import Link
from mqctl.protocols.bayeux.message import Message, decode, encode
from mqctl.protocols.bayeux.queue import Fate, Parcel
from mqctl.protocols.bayeux.server import Server
from mqctl.protocols.bayeux.session import ServerSession, Terms
from mqctl.protocols.bayeux.spec import Limits

MS = 1_000_000
TYPES = ("websocket", "long-polling")


@dataclass(frozen=True)
class Item:
    """A message that waits."""

    channel: str
    data: bytes
    cost_bytes: int = 100


class Budget:
    """Room for so many."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.room = room

    def admits(self, item: Item, /) -> bool:
        return self.room > 0

    def take(self, item: Item, /) -> None:
        self.room -= 1

    def give(self, item: Item, /) -> None:
        self.room += 1


class House:
    """See above. `refuses` holds what is turned down: a channel, or `handshake` with the error to raise."""

    def __init__(self, *, limits: Limits | None = None, room: int = 1_000_000, **terms: Any) -> None:
        secrets = itertools.count(1)
        self.budget = Budget(room)
        self.server = Server(
            self,
            terms=Terms(**terms),
            limits=limits or Limits(),
            budget=self.budget,
            connection_types=TYPES,
            make_secret=lambda: f"secret{next(secrets)}",
        )
        self.now_ns = 0
        self.epoch_ms = 1_000_000
        self.refuses: dict[str, RefusedError] = {}
        self.subscribed: dict[str, dict[ServerSession, None]] = {}
        self.served: list[tuple[str, bytes]] = []
        self.superseded: list[ServerSession] = []
        self.dismissed: list[tuple[ServerSession, Message | None, str, bool]] = []
        self.lazy: set[str] = set()

    def sleep(self, ms: float) -> None:
        self.now_ns += int(ms * MS)

    def admit(self, session: ServerSession, request: Message, link: Link) -> None:
        self._check("handshake")

    def subscribe(self, session: ServerSession, channel: str) -> None:
        self._check(channel)
        self.subscribed.setdefault(channel, {})[session] = None

    def unsubscribe(self, session: ServerSession, channel: str) -> None:
        del self.subscribed[channel][session]

    def publish(self, session: ServerSession, channel: str, message: Message) -> None:
        self._check(channel)
        self.send(channel, bytes(message.data))

    def send(self, channel: str, *data: bytes, cost_bytes: int = 100) -> list[tuple[Item, Fate]]:
        """Give messages to all who subscribed, once each; what was dropped for them."""
        there = {session: None for name in matching(channel) for session in self.subscribed.get(name, ())}
        parcel = Parcel([Item(channel, each, cost_bytes) for each in data])
        drops = [drop for each in there for drop in each.enqueue(parcel, self.now_ns, lazy=channel in self.lazy)]
        return [(cast("Item", item), fate) for items, fate in drops for item in items]

    def serve(self, session: ServerSession, channel: str, message: Message) -> None:
        self.served.append((channel, bytes(message.data)))

    def supersede(self, session: ServerSession) -> None:
        self.superseded.append(session)

    def dismiss(self, session: ServerSession, last: Message | None, reason: str, *, timed_out: bool) -> None:
        for channel in session.channels:
            del self.subscribed[channel][session]
        self.dismissed.append((session, last, reason, timed_out))

    def _check(self, what: str) -> None:
        if what in self.refuses:
            raise self.refuses[what]


class Caller:
    """A client that says what it is told to, by hand.

    Args:
        house: Whom it calls.
        socket: Whether by a WebSocket; else by requests that carry a cookie.
        ext: Of its handshake.
    """

    def __init__(self, house: House, *, socket: bool = False, ext: dict[str, Any] | None = None) -> None:
        self.house = house
        self.socket = socket
        self.link = Link(address="1.2.3.4", socket=socket)
        self.ids = itertools.count(1)
        (reply,) = self.ask({"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": list(TYPES),
                             **({"ext": ext} if ext else {})})  # fmt: skip
        self.greeting = reply
        self.client_id = reply.get("clientId")

    @property
    def session(self) -> ServerSession:
        return self.house.server.sessions[self.client_id]

    def ask(self, *messages: dict[str, Any]) -> list[dict[str, Any]]:
        """Send them as one request; all that is said to it at once."""
        house = self.house
        if not self.socket:
            self.link = Link(address="1.2.3.4", owner=self.link.owner, ordered=self.link.ordered)
        body = decode(encode([_message(each) for each in messages]))
        answer = house.server.receive(body, self.link, house.now_ns, house.epoch_ms)
        session = answer.session
        found = [_dict(reply) for reply in answer.replies]
        if session is None or answer.handshaken or session.client_id not in house.server.sessions:
            return found
        if answer.connects:
            return [*found, *self.poll(session)] if self.socket else [*self.poll(session, found)]
        return found if self.socket else [*map(_seen, session.take()), *found]

    def say(self, channel: str, **fields: Any) -> list[dict[str, Any]]:
        """Send one message of this session."""
        return self.ask({"id": str(next(self.ids)), "channel": channel, "clientId": self.client_id, **fields})

    def connect(self, **fields: Any) -> list[dict[str, Any]]:
        return self.say("/meta/connect", connectionType=TYPES[not self.socket], **fields)

    def connected(self) -> Caller:
        """Past the first connect, which does not wait."""
        (reply,) = self.connect()
        assert reply["successful"]
        return self

    def subscribe(self, *channels: str) -> Caller:
        assert self.say("/meta/subscribe", subscription=list(channels))[-1]["successful"]
        return self

    def publish(self, channel: str, data: Any = 0) -> list[dict[str, Any]]:
        return self.say(channel, data=data)

    def poll(self, session: ServerSession | None = None, found: Any = ()) -> list[dict[str, Any]]:
        """What comes by itself."""
        items, reply = (session or self.session).poll(self.house.now_ns, pushed=self.socket)
        return [*map(_seen, items), *found, *([_dict(reply)] if reply is not None else [])]


def _message(fields: dict[str, Any]) -> Message:
    from msgspec import json

    return json.decode(json.encode(fields), type=Message)


def _dict(message: Message) -> dict[str, Any]:
    from msgspec import json

    return json.decode(encode(message))


def _seen(item: Any) -> dict[str, Any]:
    from msgspec import json

    return {"channel": item.channel, "data": json.decode(item.data)}
