"""What a Bayeux server is part of: who decides about clients and messages, and what these came by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mqctl.errors import RefusedError
from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.session import ServerSession
from mqctl.protocols.bayeux.spec import ConnectionType


class Denied(RefusedError):
    """A client will never be let in as what it says it is."""


class House(Protocol):
    """What the server is part of, and what decides what the server does not.

    What a client asks may be refused with `RefusedError`, and then has not happened.
    """

    def admit(self, session: ServerSession, request: Message, link: Link) -> None:
        """A client shakes hands. `Denied` is for ever, any other refusal for a while."""
        ...

    def subscribe(self, session: ServerSession, channel: str) -> None:
        """A client wants what goes to a channel or pattern, which it did not have until now."""
        ...

    def unsubscribe(self, session: ServerSession, channel: str) -> None:
        """A client wants that no more."""
        ...

    def publish(self, session: ServerSession, channel: str, message: Message) -> None:
        """A client has something for all who subscribed."""
        ...

    def serve(self, session: ServerSession, channel: str, message: Message) -> None:
        """A client has something for a service."""
        ...

    def supersede(self, session: ServerSession) -> None:
        """The connect that waits will not be answered: there is a newer one."""
        ...

    def dismiss(self, session: ServerSession, last: Message | None, reason: str, *, timed_out: bool) -> None:
        """The session is gone. `last` is the reply to the connect that waited."""
        ...


@dataclass(slots=True, kw_only=True)
class Link:
    """What the messages of one request, or of one socket, came by.

    Args:
        address: Where the client is.
        owner: The cookie that came with it.
        socket: Whether it is a socket, to which one session is bound; else it is a request.
        login: User and password that came with it, outside of the messages.
        via: What it is called.
        ordered: Whether what it asks is done one after the other, so that connects alone deliver.
    """

    address: str
    via: str = ConnectionType.LONG_POLLING
    owner: str | None = None
    socket: bool = False
    ordered: bool = False
    login: tuple[str | None, str | None] | None = None
    bound: ServerSession | None = None
    """The session of a socket."""
