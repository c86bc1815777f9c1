"""What a server advises its client to do (Bayeux, 2.4.1), and why it refuses what was asked."""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.spec import Advice, error_text

TIMEOUT_MS: Final = 60_000
"""How long servers hold a connect if they do not say, as CometD's clients assume."""

MAX_INTERVAL_MS: Final = 10_000
"""How long servers keep a session without a connect if they do not say: CometD's default, and the hub's."""


class Orders(NamedTuple):
    """The advice that came last.

    Attributes:
        reconnect: What to do next.
        interval_ms: How long to wait before that; below 0 it is never.
        timeout_ms: How long a connect is held.
        max_interval_ms: How long a session lives without a connect; None where the server never said.
    """

    reconnect: str | None = None
    interval_ms: float = 0
    timeout_ms: float = TIMEOUT_MS
    max_interval_ms: float | None = None

    def heed(self, reply: Message) -> Self:
        """The orders after a reply: what is not advised stays as it was, advice that is short has CometD's values."""
        if reply.advice:
            return self._replace(
                reconnect=reply.advice.get(Advice.RECONNECT),
                interval_ms=_number(reply.advice.get(Advice.INTERVAL)) or 0,
                timeout_ms=_or(reply.advice.get(Advice.TIMEOUT), TIMEOUT_MS),
                max_interval_ms=_number(reply.advice.get(Advice.MAX_INTERVAL)) or self.max_interval_ms,
            )
        return self if reply.successful else self._replace(reconnect=None)


def words_of(reply: Message) -> str:
    """Why a server refuses, in its words; some give none."""
    return error_text(reply.error) if isinstance(reply.error, str) and reply.error else "the server does not say why"


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _or(value: object, default: float) -> float:
    number = _number(value)
    return default if number is None else number
