"""When a server of Bayeux forgets a session whose client vanished, and what is lost then.

Several sessions vanish at once, and each comes back after another time: to look at one twice would keep it. Messages
are published all the while. The last answer to each, with a message in it, counts as lost on its way. A session that is
still there has to bring all the rest, and with acknowledgements that one again; one that is gone has lost all of them.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mqctl.experiments.answers import Property
from mqctl.experiments.events import ConnectionLost, ConnectionResumed, End, Fault, Subscribed, Unsubscribed
from mqctl.experiments.planting import Place as Planting
from mqctl.experiments.planting import Planter
from mqctl.laboratory.conversation import Conversation, Forgotten
from mqctl.laboratory.outcome import Outcome
from mqctl.laboratory.steps import Findings, Record, Stream, header, recorded
from mqctl.laboratory.trial import Place
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.verdict import Verdict
from mqctl.topics import to_bayeux

SHARES: Final = (0.25, 0.5, 0.75, 0.9, 1.1)
"""When sessions come back, in parts of the time that the server is to keep them."""

LATE_S: Final = (0.25, 0.5, 1.0, 1.5, 2.0)
"""And so long after it. A server looks after its sessions now and then, CometD's every second."""

SWEEP_S: Final = 1.0
"""Of two that vanished one shortly after the other, the later one may be there for a sweep more."""

FIRST_S: Final = 0.5
FACTOR: Final = 1.5
"""Where nobody knows how long that is: the first comes back then, and each later one so many times later."""

MESSAGES: Final = 40
EVERY_MAX_S: Final = 0.25
"""So many are published over the whole time at least, and one in so long."""

GONE_ENOUGH: Final = 3
"""After so many sessions that are gone, one after the other, no older one is waited for."""

EXPECTED: Final = (Property.FIFO, Property.NO_DUPLICATES, Property.NO_STRANGERS)


@dataclass(slots=True)
class _Away:
    """A session whose client vanished.

    Attributes:
        name: In the history.
        age_s: How long it is to stay away.
        talk: Its client.
        planter: Spoils its record.
        asked_ns, since_ns: When its client sent the last connect, and when the answer came: it vanished in between.
        unheard: How many messages were in the last answer.
        real_s: How long it was away: at least, where the session was still there, and at most, where it was gone.
        gone: How the server said that it does not know it any more; None where it did.
    """

    name: str
    age_s: float
    talk: Conversation
    planter: Planter
    asked_ns: int = 0
    since_ns: int = 0
    unheard: int = 0
    real_s: float = 0.0
    gone: str | None = None


def ages(lives_s: float | None, at_most_s: float) -> list[float]:
    """How long each session stays away.

    Args:
        lives_s: How long the server is to keep them; None where nobody knows.
        at_most_s: The longest in that case.
    """
    if lives_s is not None:
        return sorted([*(share * lives_s for share in SHARES), *(lives_s + late for late in LATE_S)])
    found = [FIRST_S]
    while found[-1] * FACTOR <= at_most_s:
        found.append(found[-1] * FACTOR)
    return found


def expiry(place: Place, *, ack: bool, lives_s: float | None, at_most_s: float, seed: int) -> Outcome:
    """Find out, with acknowledgements or without.

    Args:
        place: Where.
        ack: Whether the sessions have the acknowledgement extension.
        lives_s: How long the server is said to keep them; None is what it says itself, or nothing.
        at_most_s: How long to look for that where it says nothing.
        seed: Of the place of the fault.

    Raises:
        MqctlError: The server cannot be reached, or refuses.
    """
    case = "ack" if ack else "plain"
    scout = Conversation(place.target, ack=ack)
    try:
        if ack and not scout.acknowledges:
            return Outcome(case=case, seed=seed, unsupported="the server has no acknowledgement extension")
        scout.connect()
        said_ms = scout.orders.max_interval_ms
        lives_s = lives_s if lives_s is not None or said_ms is None else said_ms / 1000
    finally:
        scout.leave()
    stay = ages(lives_s, at_most_s)
    with recorded(place, case, seed, header(place, case, case, seed, EXPECTED)) as record:
        try:
            away, lost = _run(record, place, stay, ack=ack)
        except Forgotten as error:
            return _too_brief(record, error.words)
    return _judge(record, away, lost, lives_s, ack=ack)


def _too_brief(record: Record, words: str) -> Outcome:
    why = f"a session was gone that was just spoken to ({words}): the machine is too busy for sessions that end so soon"
    record.folder.note(outcome=Verdict.INCONCLUSIVE, doubts=[why])
    return Outcome(
        case=record.case,
        seed=record.seed,
        verdict=Verdict.INCONCLUSIVE,
        folders=(record.folder.path,),
        against=(f"doubt: {why}",),
    )


def _run(record: Record, place: Place, stay: Sequence[float], *, ack: bool) -> tuple[list[_Away], int]:
    """Let all of them vanish and come back; how it was for each, and how many messages must be lost by that."""
    channel = to_bayeux(record.topic)
    # The first that comes back finds its session if any does: a message that it gets is dropped.
    at = random.Random(record.seed).randint(1, 2)  # noqa: S311 - a place of a fault, no secrets
    plants = [Planter([Planting(at, Fault.DROP)]), *(Planter() for _ in stay[1:])]
    publisher = Conversation(place.target)
    away: list[_Away] = []
    try:
        stream = Stream(publisher, channel, record)
        for i, (age_s, planter) in enumerate(zip(stay, plants, strict=True)):
            away.append(_Away(f"c{i + 1}", age_s, Conversation(place.target, ack=ack), planter))
            _settle(record, away[-1], channel)
        stream.send()
        for each in away:
            _vanish(record, each)
        return away, _wait(record, away, stream, channel)
    finally:
        for each in away:
            each.talk.leave()
        publisher.leave()


def _settle(record: Record, away: _Away, channel: str) -> None:
    record.put(Subscribed(away.name, at_ns=time.monotonic_ns()))
    away.talk.subscribe(channel)
    away.talk.connect()


def _vanish(record: Record, away: _Away) -> None:
    """The last that the server hears of it is a connect that it answered: from there its time counts."""
    away.asked_ns = time.monotonic_ns()
    away.unheard = away.talk.lose()
    away.since_ns = time.monotonic_ns()
    record.put(ConnectionLost(away.name, away.since_ns, "it vanished"))


def _wait(record: Record, away: list[_Away], stream: Stream, channel: str) -> int:
    """Publish, and let each come back at its time; those that do not are not in `away` any more.

    Returns:
        How many messages must be lost by that.
    """
    lost = 0
    every_ns = round(min(away[-1].age_s / MESSAGES, EVERY_MAX_S) * NS_PER_S)
    next_ns = time.monotonic_ns()
    coming = deque(sorted(away, key=lambda each: each.since_ns + each.age_s * NS_PER_S))
    gone = 0
    while coming and gone < GONE_ENOUGH:
        each = coming.popleft()
        due_ns = each.since_ns + round(each.age_s * NS_PER_S)
        while next_ns < due_ns:
            record.wait_until(next_ns)
            stream.send()
            next_ns += every_ns
        record.wait_until(due_ns)
        lost += _come_back(record, each, stream, channel)
        gone = 0 if each.gone is None else gone + 1
    for each in coming:
        away.remove(each)
        each.talk.vanish()
        record.put(Unsubscribed(each.name, time.monotonic_ns()))
    record.put(End(time.monotonic_ns(), drained=True))
    return lost


def _come_back(record: Record, away: _Away, stream: Stream, channel: str) -> int:
    """Connect again, with a new session where the server has forgotten the old one; then one more message comes.

    Returns:
        How many messages must be lost by that.
    """
    away.real_s = (time.monotonic_ns() - away.since_ns) / NS_PER_S
    lost = 0 if away.talk.acknowledges else away.unheard
    try:
        away.talk.drain()
    except Forgotten as error:
        away.gone = error.words
        away.real_s = (time.monotonic_ns() - away.asked_ns) / NS_PER_S
        away.talk.shake_hands()
        _settle(record, away, channel)
        lost = stream.sent
    record.put(ConnectionResumed(away.name, time.monotonic_ns()))
    stream.send()
    away.talk.drain()
    record.came(away.name, away.talk.take(), away.planter)
    record.put(Unsubscribed(away.name, time.monotonic_ns()))
    return lost


def _judge(record: Record, away: Sequence[_Away], must_lose: int, lives_s: float | None, *, ack: bool) -> Outcome:
    findings = Findings(record)
    loss = findings.answer(Property.NO_LOSS)
    findings.unseen(Property.NO_LOSS)
    longest = max((each.real_s for each in away if each.gone is None), default=None)
    first = min((each.real_s for each in away if each.gone is not None), default=None)
    if loss.violations != must_lose:
        findings.wrong.append(f"{loss.violations:,} messages were lost, and {must_lose:,} are explained")
    if not all(each.unheard for each in away):
        findings.doubts.append(
            "no message was in the last answer to some: nothing shows what becomes of one that is lost"
        )
    if longest is None:
        findings.doubts.append("no session was still there: nothing shows what one brings")
    if first is None:
        findings.doubts.append(f"every session was still there after {longest:.2f} s: give a longer --at-most")
    elif longest is not None and longest > first + SWEEP_S:
        findings.wrong.append(f"a session was gone after {first:.2f} s, and another there after {longest:.2f} s")
    if lives_s is not None:
        _compare(findings, lives_s, longest, first)
    lived = sum(each.gone is None for each in away)
    words = next((each.gone for each in away if each.gone is not None), None)
    return findings.outcome(
        expected=_expected(lives_s, ack=ack),
        observed=(
            f"{lived} of {len(away)} were still there, the last after {_s(longest)}; the first was gone after "
            f"{_s(first)}{f' ({words})' if words else ''}; {loss.violations:,} of {loss.chances:,} lost"
        ),
        notes=findings.witnesses(Property.NO_LOSS),
        max_interval_s=lives_s,
        there_after_s=longest,
        gone_after_s=first,
        lost=loss.violations,
        planted=loss.planted,
        found=loss.found,
        lost_expected=must_lose,
        sessions=[{"away_s": each.real_s, "gone": each.gone} for each in away],
    )


def _compare(findings: Findings, lives_s: float, longest: float | None, first: float | None) -> None:
    """With what the server promises."""
    if first is not None and first < lives_s:
        findings.wrong.append(f"a session was gone after {first:.2f} s, before its {lives_s:g} s were over")
    if longest is not None and longest > lives_s + LATE_S[-1]:
        findings.wrong.append(f"a session of {lives_s:g} s was still there after {longest:.2f} s")
    if longest is not None and longest < lives_s * SHARES[0]:
        findings.doubts.append("no session came back in time")


def _expected(lives_s: float | None, *, ack: bool) -> str:
    when = "some time" if lives_s is None else f"{lives_s:g} s, or a little longer"
    kept = "all messages, what was in a lost answer too" if ack else "all messages but what was in a lost answer"
    return f"a session is there for {when}, with {kept}; then it is gone with all of them"


def _s(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"
