"""The times without a connection: told as they come and go, and counted for the last line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isinf
from typing import assert_never

from mqctl.durations import format_duration
from mqctl.model import Interrupted, Resumed


@dataclass(slots=True)
class Outages:
    """Those of one run.

    Attributes:
        tell: Takes a sentence for the person at the keyboard.
        missing: Whether there is no connection now.
        reconnects: How often there was one again.
        longest_s: The longest time that there was none, of those that ended.
        reasons: Why connections were lost.
    """

    tell: Callable[[str], None] = lambda _text: None
    missing: bool = False
    reconnects: int = 0
    longest_s: float = 0.0
    reasons: set[str] = field(default_factory=set)

    def heed(self, event: Interrupted | Resumed) -> None:
        """Take in that a connection went or came, and tell."""
        match event:
            case Interrupted(reason=reason, within_s=within_s):
                self.missing = True
                self.reasons.add(reason)
                until = "until there is one again" if isinf(within_s) else f"for up to {rounded(within_s)}"
                self.tell(f"connection lost: {reason}; trying again {until}")
            case Resumed(peer=peer, attempts=attempts, missing_ns=missing_ns):
                self.missing = False
                self.reconnects += 1
                missing_s = missing_ns / 1e9
                self.longest_s = max(self.longest_s, missing_s)
                tries = f"{attempts} attempt{'s' * (attempts != 1)}"
                self.tell(f"connected again to {peer} after {rounded(missing_s)}, {tries}")
            case _:
                assert_never(event)

    def summary(self) -> str:
        """What to add to the last line of a run; empty where the connection lasted."""
        if not self.reconnects:
            return ""
        return f", reconnects {self.reconnects}, longest outage {rounded(self.longest_s)}"


def rounded(seconds: float) -> str:
    """A duration as exact as people want it: tenths of seconds from one second on, milliseconds below."""
    return format_duration(round(seconds, 1 if seconds >= 1 else 3))
