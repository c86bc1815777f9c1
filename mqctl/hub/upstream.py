"""What a hub wants of the broker that it stands in front of, whoever carries messages there and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mqctl.broker.values import Address, Message
from mqctl.model import PublishOutcome

if TYPE_CHECKING:
    from mqctl.hub.exchange import Exchange, Port

Settled = Callable[[PublishOutcome], None]
"""Told, in the hub's thread, what became of a message upstream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamStats:
    """What is counted of a broker upstream."""

    connected: bool
    waiting: int
    """Messages on their way there that it has not confirmed."""
    forwarded: int
    confirmed: int
    rejected: int
    unknown: int
    received: int
    dropped: int


class Upstream(Protocol):
    """Carries messages to a broker and back. All calls are made in the hub's thread."""

    def attach(self, exchange: Exchange) -> None:
        """Give what comes to this hub, from now on."""
        ...

    def serves(self, address: Address) -> bool:
        """Whether an address is the broker's: the hub gives it what is published there, and to nobody else."""
        ...

    def forward(self, port: Port, message: Message, now_ns: int, settled: Settled) -> None:
        """Take a message along; `settled` is called once its fate is known.

        Raises:
            RefusedError: It cannot go there.
        """
        ...

    def stats(self) -> UpstreamStats:
        """The counts."""
        ...

    async def drain(self, timeout_s: float) -> None:
        """Wait until the fate of all that was taken along is known."""
        ...

    def detach(self) -> None:
        """The hub is gone: give it nothing more."""
        ...
