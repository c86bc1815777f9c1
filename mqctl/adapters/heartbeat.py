"""STOMP's heart-beats as numbers: what two sides agree on, and what is due when. No clock in here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from mqctl.errors import ProtocolError

SEND_SHARE: Final = 0.5
"""Part of the agreed interval after which a heart-beat leaves. ActiveMQ Classic grants no grace beyond the interval."""

RECEIVE_SCALE: Final = 3.0
"""Agreed intervals of silence after which the broker counts as gone. ActiveMQ Classic may let two pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartBeat:
    """What was agreed, in seconds; 0 is never. We send that often, and hear something that often."""

    send_s: float = 0.0
    receive_s: float = 0.0

    @property
    def silence_s(self) -> float:
        """How long the broker may be silent before it counts as gone."""
        return self.receive_s * RECEIVE_SCALE

    def send_in_s(self, idle_s: float) -> float:
        """In how many seconds to send something, having sent nothing for `idle_s`."""
        return self.send_s * SEND_SHARE - idle_s if self.send_s else math.inf

    def gone_in_s(self, quiet_s: float) -> float:
        """In how many seconds the broker counts as gone, having been silent for `quiet_s`."""
        return self.silence_s - quiet_s if self.receive_s else math.inf


def agree(announced_s: float, header: str | None) -> HeartBeat:
    """What our announcement and the `heart-beat` of CONNECTED come to (STOMP 1.2, Heart-beating).

    Raises:
        ProtocolError: The header is not two numbers.
    """
    try:
        server_sends_s, server_wants_s = (int(part) / 1000 for part in (header or "0,0").split(","))
    except ValueError:
        raise ProtocolError(f"the broker's heart-beat header is not two numbers: {header!r}") from None
    return HeartBeat(
        send_s=max(announced_s, server_wants_s) if announced_s and server_wants_s else 0.0,
        receive_s=max(announced_s, server_sends_s) if announced_s and server_sends_s else 0.0,
    )
