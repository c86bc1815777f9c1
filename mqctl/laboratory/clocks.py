"""How far a Bayeux server's clock is from ours by CometD's timesync extension, and what that does to one-way latency.

An exchange says when it left (`tc`) and when it came (`ts`, by the server's clock); with when the answer came, that
gives the offset, if both ways take as long. In every second exchange our clock is wrong on purpose, by a known time:
the offset must change by just that.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from mqctl.experiments.answers import Property
from mqctl.experiments.events import Confirmed, Delivered, End, Publish, Subscribed
from mqctl.laboratory.conversation import Conversation
from mqctl.laboratory.outcome import Outcome
from mqctl.laboratory.pace import keep_to
from mqctl.laboratory.steps import Findings, Record, header, recorded
from mqctl.laboratory.trial import Place
from mqctl.protocols.bayeux.extensions import ext_of
from mqctl.protocols.bayeux.spec import Ext

RESOLUTION_MS: Final = 1.0
"""Of the times that the extension tells: whole milliseconds."""

_NS_PER_MS: Final = 1_000_000
_EXPECTED: Final = (Property.NO_LOSS, Property.FIFO)


class Exchange(NamedTuple):
    """One: by our clock when it left and when the answer came, by the server's when it came there; ms since 1970."""

    left_ms: float
    there_ms: float
    held_ms: float
    back_ms: float

    @property
    def lag_ms(self) -> float:
        """How long one way takes, if both take as long."""
        return (self.back_ms - self.left_ms - self.held_ms) / 2

    @property
    def offset_ms(self) -> float:
        """How far the server's clock is ahead, likewise."""
        return self.there_ms - self.left_ms - self.lag_ms

    def up_ms(self, offset_ms: float = 0.0) -> float:
        """From us to the server, with its clock set back by an offset."""
        return self.there_ms - offset_ms - self.left_ms

    def down_ms(self, offset_ms: float = 0.0) -> float:
        """The way back, likewise."""
        return self.back_ms - (self.there_ms + self.held_ms - offset_ms)


class Summary(NamedTuple):
    """Exchanges by one clock of ours, in ms. Spreads are from the 10th to the 90th of a hundred."""

    offset: float
    offset_spread: float
    lag: float
    lag_spread: float
    up: float
    down: float
    up_corrected: float
    down_corrected: float


def summary(exchanges: Sequence[Exchange]) -> Summary:
    """The medians of at least two exchanges."""
    offsets, lags = [each.offset_ms for each in exchanges], [each.lag_ms for each in exchanges]
    offset = statistics.median(offsets)
    return Summary(
        offset,
        _spread(offsets),
        statistics.median(lags),
        _spread(lags),
        statistics.median(each.up_ms() for each in exchanges),
        statistics.median(each.down_ms() for each in exchanges),
        statistics.median(each.up_ms(offset) for each in exchanges),
        statistics.median(each.down_ms(offset) for each in exchanges),
    )


def _spread(values: Sequence[float]) -> float:
    tenths = statistics.quantiles(values, n=10)
    return tenths[-1] - tenths[0]


def clocks(place: Place, *, exchanges: int, tolerance_ms: float, skew_ms: float, seed: int) -> Outcome:
    """Find out.

    Args:
        place: Where.
        exchanges: How many, by each of our two clocks.
        tolerance_ms: How far the server's clock may be from ours.
        skew_ms: How far our clock is ahead of the right time where it is wrong on purpose.
        seed: For the record; nothing is drawn.

    Raises:
        MqctlError: The server cannot be reached, or refuses.
    """
    talk = Conversation(place.target)
    try:
        # The first connect of a session is answered without waiting, and where nothing is synchronized tells that.
        if _exchange(talk, 0.0) is None:
            return Outcome(case="clock", seed=seed, unsupported="the server has no timesync extension")
        first = header(place, "clock", "plain", seed, _EXPECTED, skew_ms=skew_ms)
        with recorded(place, "clock", seed, msgspec.structs.replace(first, clocks="several")) as record:
            right, wrong = _run(record, talk, exchanges, skew_ms)
    finally:
        talk.leave()
    return _judge(record, summary(right), summary(wrong), tolerance_ms, skew_ms)


def _exchange(talk: Conversation, skew_ms: float) -> Exchange | None:
    """Ask for the time by a clock of ours; None where the server says nothing of it."""
    left_ms = _now_ms() + skew_ms
    reply = talk.connect({Ext.TIMESYNC: {"tc": int(left_ms), "l": 0, "o": 0}})
    back_ms = _now_ms() + skew_ms
    said = ext_of(reply, Ext.TIMESYNC)
    if not isinstance(said, Mapping) or not isinstance(there_ms := said.get("ts"), int | float):
        return None
    held_ms = said.get("p")
    return Exchange(left_ms, there_ms, held_ms if isinstance(held_ms, int | float) else 0, back_ms)


def _now_ms() -> float:
    return time.time_ns() / _NS_PER_MS


def _run(record: Record, talk: Conversation, count: int, skew_ms: float) -> tuple[list[Exchange], list[Exchange]]:
    """Exchanges by the right clock and by the wrong one, in turn. The history has those by the right one."""
    found: tuple[list[Exchange], list[Exchange]] = ([], [])
    record.put(Subscribed("server", topic="up"))
    record.put(Subscribed("client", topic="down"))
    for n in range(1, count + 1):
        keep_to(record.deadline)
        for exchanges, skew in zip(found, (0.0, skew_ms), strict=True):
            if (exchange := _exchange(talk, skew)) is not None:
                exchanges.append(exchange)
        _tell(record, n, found[0][-1])
    record.put(End(time.monotonic_ns(), drained=True))
    return found


def _tell(record: Record, n: int, exchange: Exchange) -> None:
    """The way there, and the way back."""
    left, there, back = (_ns(each) for each in (exchange.left_ms, exchange.there_ms, exchange.back_ms))
    answered = there + _ns(exchange.held_ms)
    record.put(Publish("up", n, "up", left, left))
    record.put(Delivered("server", "up", n, there, left))
    record.put(Confirmed("up", n, back))
    record.put(Publish("down", n, "down", answered, answered))
    record.put(Delivered("client", "down", n, back, answered))
    record.put(Confirmed("down", n, back))


def _ns(ms: float) -> int:
    return round(ms * _NS_PER_MS)


def _judge(record: Record, right: Summary, wrong: Summary, tolerance_ms: float, skew_ms: float) -> Outcome:
    findings = Findings(record)
    found_ms = right.offset - wrong.offset
    # Each offset is as uncertain as its lag: nobody knows how a round is shared out between the two ways.
    within_ms = right.lag + wrong.lag + RESOLUTION_MS
    if abs(found_ms - skew_ms) > within_ms:
        findings.doubts.append(
            f"our clock was wrong by {skew_ms:g} ms on purpose, and {found_ms:.1f} ms of that were found"
        )
    uncertain_ms = right.lag + RESOLUTION_MS
    if abs(right.offset) > tolerance_ms + uncertain_ms:
        findings.wrong.append(f"the server's clock is {right.offset:+.1f} ms from ours, and may be {tolerance_ms:g} ms")
    elif abs(right.offset) + uncertain_ms > tolerance_ms:
        findings.doubts.append(f"the offset is known within {uncertain_ms:.1f} ms only: too little for the tolerance")
    return findings.outcome(
        expected=f"the server's clock is within {tolerance_ms:g} ms of ours",
        observed=(
            f"{right.offset:+.1f} ms (spread {right.offset_spread:.1f}), lag {right.lag:.1f} ms "
            f"(spread {right.lag_spread:.1f}); our clock {skew_ms:g} ms wrong: {found_ms:.1f} ms found"
        ),
        notes=(_ways("by the clocks as they are", right, skew_ms=0.0), _ways("ours wrong", wrong, skew_ms=skew_ms)),
        offset_ms=right.offset,
        offset_spread_ms=right.offset_spread,
        lag_ms=right.lag,
        lag_spread_ms=right.lag_spread,
        skew_ms=skew_ms,
        skew_found_ms=found_ms,
        one_way_ms={"as_is": right._asdict(), "skewed": wrong._asdict()},
    )


def _ways(name: str, found: Summary, *, skew_ms: float) -> str:
    by = f" by {skew_ms:g} ms" if skew_ms else ""
    return (
        f"one way, {name}{by}: up {found.up:.1f} ms, down {found.down:.1f} ms; "
        f"corrected: up {found.up_corrected:.1f} ms, down {found.down_corrected:.1f} ms"
    )
