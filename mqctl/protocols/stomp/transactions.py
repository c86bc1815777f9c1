"""The open transactions of one connection: what each holds until COMMIT, within limits."""

from __future__ import annotations

from typing import Final

from mqctl.protocols.stomp.frame import FrameError
from mqctl.protocols.stomp.requests import Send, Transactable
from mqctl.protocols.stomp.spec import Limits

_REQUEST_BYTES: Final = 256
"""What a held request costs beside its text and body, rounded up."""


class Transactions:
    """All methods raise FrameError where the client errs."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[str, list[Transactable]] = {}
        self._held_bytes = 0

    def begin(self, name: str) -> None:
        """Open a transaction."""
        if name in self._open:
            raise FrameError(f"transaction {name[:64]!r} has begun already")
        if len(self._open) >= self._limits.transactions:
            raise FrameError(f"more than {self._limits.transactions} open transactions", limit="transactions")
        self._open[name] = []

    def hold(self, name: str, request: Transactable) -> None:
        """Keep a request until its transaction commits."""
        held = self._find(name)
        self._held_bytes += _cost_bytes(request)
        if self._held_bytes > self._limits.transaction_bytes:
            raise FrameError(
                f"open transactions hold more than {self._limits.transaction_bytes} bytes", limit="transaction-bytes"
            )
        held.append(request)

    def end(self, name: str) -> tuple[Transactable, ...]:
        """Close a transaction and hand out what it held."""
        held = tuple(self._find(name))
        del self._open[name]
        self._held_bytes -= sum(map(_cost_bytes, held))
        return held

    def _find(self, name: str) -> list[Transactable]:
        held = self._open.get(name)
        if held is None:
            raise FrameError(f"no transaction {name[:64]!r}; BEGIN comes first")
        return held


def _cost_bytes(request: Transactable) -> int:
    if not isinstance(request, Send):
        return _REQUEST_BYTES + len(request.id)
    return _REQUEST_BYTES + len(request.body) + sum(len(name) + len(value) for name, value in request.headers)
