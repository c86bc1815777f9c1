"""The questions, each a function that tries something out and says what it saw."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

from mqctl.errors import MqctlError
from mqctl.model import AckMode, Confirmed, Topic
from mqctl.probe.findings import Outcome, bounds, median_and_max_ms, next_size
from mqctl.probe.ground import Ground, Visit
from mqctl.probe.stores import Store, store
from mqctl.topics import ONE_LEVEL, SUBTREE

ROUND_TRIPS: Final = 20
SMALLEST: Final = 1024
_BEAT_S: Final = 1.0
_BEATS_WAITED: Final = 2
_LATE_S: Final = 0.5
_SHARED_S: Final = 0.05


class Seen(NamedTuple):
    """What a check saw; its question makes it a `Finding`."""

    outcome: Outcome
    words: str
    numbers: Mapping[str, int | float | str] = MappingProxyType({})


def _yes_or_no(is_so: bool, yes: str, no: str) -> Seen:
    return Seen(Outcome.YES, yes) if is_so else Seen(Outcome.NO, no)


def confirmed_publish(ground: Ground) -> Seen:
    """How long a confirmed publish takes, one at a time."""
    topic = ground.fresh_topic()
    took_ns = []
    with ground.visit() as visit:
        for _ in range(ROUND_TRIPS):
            begin_ns = time.monotonic_ns()
            visit.publish(topic, b"probe")
            took_ns.append(time.monotonic_ns() - begin_ns)
    median_ms, max_ms = median_and_max_ms(took_ns)
    words = f"median {median_ms:.2f} ms, longest {max_ms:.2f} ms of {ROUND_TRIPS}"
    return Seen(Outcome.YES, words, {"median_ms": median_ms, "max_ms": max_ms})


def round_trip(ground: Ground) -> Seen:
    """How long a message takes to come back to its publisher, one at a time."""
    topic = ground.fresh_topic()
    took_ns = []
    with ground.visit() as visit:
        visit.subscribe(topic)
        for number in range(1, ROUND_TRIPS + 1):
            begin_ns = time.monotonic_ns()
            visit.publish(topic, b"probe")
            if not visit.wait(number):
                return Seen(Outcome.NO, "a message that was published did not come back")
            took_ns.append(visit.deliveries[-1].received_ns - begin_ns)
    median_ms, max_ms = median_and_max_ms(took_ns)
    words = f"median {median_ms:.2f} ms, longest {max_ms:.2f} ms of {ROUND_TRIPS}"
    return Seen(Outcome.YES, words, {"median_ms": median_ms, "max_ms": max_ms})


def ack_auto(ground: Ground) -> Seen:
    """Whether a message that was delivered in auto mode is gone."""
    with store(ground) as kept:
        kept.fill(b"1")
        with kept.consumer(AckMode.AUTO) as visit:
            visit.need(1)
            visit.settle()
        left = _what_is_left(kept)
    return _yes_or_no(not left, "a delivered message is done", "a delivered message came again")


def ack_client(ground: Ground) -> Seen:
    """Whether an acknowledgement in client mode covers the earlier messages."""
    left = _after_acking_the_second(ground, AckMode.CLIENT)
    words = {
        (b"3",): Seen(Outcome.YES, "an acknowledgement covers all earlier messages; what has none comes again"),
        (b"1", b"3"): Seen(Outcome.PARTLY, "an acknowledgement covers its own message only"),
    }
    return words.get(left, _odd(left))


def ack_individual(ground: Ground) -> Seen:
    """Whether an acknowledgement in individual mode covers its own message only."""
    left = _after_acking_the_second(ground, AckMode.INDIVIDUAL)
    words = {
        (b"1", b"3"): Seen(Outcome.YES, "each message is acknowledged alone; what has none comes again"),
        (b"3",): Seen(Outcome.NO, "an acknowledgement covers all earlier messages too"),
        # MQTT 3.1.1, 4.6: acknowledgements leave in order, so that the second waits for the first.
        (b"1", b"2", b"3"): Seen(Outcome.PARTLY, "acknowledgements leave in order: the second waits for the first"),
    }
    return words.get(left, _odd(left))


def _odd(left: tuple[bytes, ...]) -> Seen:
    names = ", ".join(payload.decode() for payload in left) or "none"
    return Seen(Outcome.UNCLEAR, f"of three messages, the second acknowledged, came again: {names}")


def _after_acking_the_second(ground: Ground, mode: AckMode) -> tuple[bytes, ...]:
    with store(ground) as kept:
        kept.fill(b"1", b"2", b"3")
        with kept.consumer(mode) as visit:
            visit.need(3)
            visit.ack(b"2")
        return _what_is_left(kept)


def _what_is_left(kept: Store) -> tuple[bytes, ...]:
    with kept.consumer(AckMode.INDIVIDUAL) as visit:
        visit.settle()
        # A broker may serve what was left over after what is new: ActiveMQ Classic 5.18 does so over MQTT.
        visit.pause(_LATE_S)
        visit.ack_all()
        return tuple(sorted(visit.payloads))


def nack(ground: Ground) -> Seen:
    """What becomes of a message that was refused."""
    with store(ground) as kept:
        kept.fill(b"1")
        with kept.consumer(AckMode.INDIVIDUAL) as visit:
            visit.need(1)
            visit.nack_first()
            visit.settle()
            again = len(visit.deliveries) > 1
            visit.ack_all()
        left = _what_is_left(kept)
    if again:
        return Seen(Outcome.YES, "a refused message comes again at once")
    return Seen(Outcome.YES, "a refused message comes again later") if left else Seen(Outcome.YES, _GONE)


_GONE: Final = "a refused message does not come again: it is dropped or dead-lettered"


def prefetch(ground: Ground) -> Seen:
    """Whether the broker keeps to a prefetch of one message."""
    with store(ground) as kept:
        kept.fill(b"1", b"2", b"3")
        with kept.consumer(AckMode.INDIVIDUAL, prefetch=1) as visit:
            visit.need(1)
            visit.settle()
            ahead = len(visit.deliveries)
            visit.ack_all()
    return _yes_or_no(ahead == 1, "a prefetch of 1 is kept", f"{ahead} messages came at a prefetch of 1")


def wildcard(ground: Ground, last: str, below: tuple[tuple[str, ...], ...], wanted: set[bytes]) -> Seen:
    """Whether a wildcard takes what it should, of messages at the levels `below`."""
    root = ground.fresh_topic().levels
    with ground.visit() as visit:
        visit.subscribe(Topic(levels=(*root, last)))
        for rest in below:
            visit.publish(Topic(levels=(*root, *rest)), ".".join(rest).encode())
        visit.settle()
        got = set(visit.payloads)
    return _yes_or_no(got == wanted, "takes what it should", f"took {sorted(got)} and not {sorted(wanted)}")


_BELOW: Final = ((), ("a",), ("a", "b"))


def durable(ground: Ground) -> Seen:
    """Whether a durable subscription keeps what is published while nobody is there."""
    topic, name = ground.fresh_topic(), secrets.token_hex(4)
    client_id = f"mqctl-probe-{name}"
    try:
        with ground.visit(client_id=client_id) as visit:
            visit.subscribe(topic, durable=name)
        with ground.visit() as visit:
            visit.publish(topic, b"meanwhile", persistent=True)
        with ground.visit(client_id=client_id) as visit:
            visit.subscribe(topic, durable=name)
            came = visit.wait(1)
    finally:
        ground.tidy(f"the durable subscription {name} of {client_id}", lambda: _forget(ground, topic, name, client_id))
    return _yes_or_no(came, "keeps what is published meanwhile", "lost what was published meanwhile")


def _forget(ground: Ground, topic: Topic, name: str, client_id: str) -> None:
    with ground.visit(client_id=client_id) as visit:
        subscription = visit.subscribe(topic, durable=name)
        visit.connection.unsubscribe(subscription, timeout_s=ground.patience_s, forget=True)


def session(ground: Ground) -> Seen:
    """Whether a session is kept while its client is away."""
    with store(ground) as kept:
        kept.fill(b"meanwhile")
        with kept.consumer(AckMode.AUTO) as visit:
            came = visit.wait(1)
    return _yes_or_no(came, "keeps what is published meanwhile", "lost what was published meanwhile")


def retained(ground: Ground) -> Seen:
    """Whether the broker keeps a retained message for newcomers."""
    topic = ground.fresh_topic()
    try:
        with ground.visit() as visit:
            visit.publish(topic, b"kept", retain=True)
            visit.subscribe(topic)
            visit.settle()
    finally:
        ground.tidy("a retained message", lambda: _clear(ground, topic))
    kept = [delivery for delivery in visit.deliveries if delivery.payload == b"kept"]
    if kept and not kept[0].retained:
        return Seen(Outcome.PARTLY, "a newcomer gets it, but it is not marked as retained")
    return _yes_or_no(bool(kept), "a newcomer gets it", "a newcomer does not get it")


def _clear(ground: Ground, topic: Topic) -> None:
    # An empty retained message takes the place of the one before, and is not kept itself (MQTT 3.1.1, 3.3.1.3).
    with ground.visit() as visit:
        visit.publish(topic, b"", retain=True)


def shared(ground: Ground) -> Seen:
    """Whether the members of a group share the messages."""
    topic, group = ground.fresh_topic(), "probe"
    sent = [str(number).encode() for number in range(20)]
    with ground.visit() as one, ground.visit() as other:
        for member in (one, other):
            member.subscribe(topic, shared=group)
        one.publish(topic, *sent)
        deadline = time.monotonic() + ground.patience_s
        while len(one.deliveries) + len(other.deliveries) < len(sent) and time.monotonic() < deadline:
            one.pause(_SHARED_S)
            other.pause(_SHARED_S)
        for member in (one, other):
            member.settle()
        got = sorted(one.payloads + other.payloads)
    return _yes_or_no(got == sorted(sent), "each message goes to one member", f"{len(got)} deliveries of {len(sent)}")


def qos(ground: Ground, level: int) -> Seen:
    """Which quality of service a subscription gets that asks for `level`."""
    topic = ground.fresh_topic()
    with ground.visit() as visit:
        visit.subscribe(topic, qos=level)
        visit.publish(topic, b"probe", qos=level)
        visit.wait(1)
        granted = visit.deliveries[0].qos if visit.deliveries else None
    if granted is None:
        return Seen(Outcome.NO, "the message did not come")
    seen = f"delivered at {granted}"
    return Seen(Outcome.YES if granted == level else Outcome.PARTLY, seen, {"granted": granted})


def selector(ground: Ground) -> Seen:
    """Whether the broker filters by a header."""
    topic = ground.fresh_topic()
    with ground.visit() as visit:
        visit.subscribe(topic, selector="colour = 'red'")
        for colour in ("blue", "red"):
            visit.publish(topic, colour.encode(), headers={"colour": colour})
        visit.settle()
        got = visit.payloads
    return _yes_or_no(got == [b"red"], "filters", f"let through {got}")


def headers(ground: Ground) -> Seen:
    """Whether a header arrives as it was sent."""
    value = "a:b\\c 값"
    topic = ground.fresh_topic()
    with ground.visit() as visit:
        visit.subscribe(topic)
        visit.publish(topic, b"probe", headers={"mine": value})
        visit.wait(1)
        got = visit.deliveries[0].headers.get("mine") if visit.deliveries else None
    return _yes_or_no(got == value, "arrive as they were sent", f"{value!r} arrived as {got!r}")


def heart_beats(ground: Ground) -> Seen:
    """Whether the broker shows that it lives while nothing else happens."""
    with ground.visit(heart_beat_s=_BEAT_S) as visit:
        if held := visit.connection.greeting.detail.get("timeout"):
            return Seen(Outcome.UNSUPPORTED, f"a connect is answered after {held} at the latest, which tells as much")
        agreed_s = _offered_s(visit) or _BEAT_S
        before = visit.connection.stats().bytes_in
        begin = time.monotonic()
        while visit.connection.stats().bytes_in == before:
            if time.monotonic() > begin + _BEATS_WAITED * agreed_s:
                return Seen(Outcome.NO, f"none came within {_BEATS_WAITED * agreed_s:g} s")
            visit.pause(_BEAT_S / 20)
        took_s = time.monotonic() - begin
    words = f"asked for one every {_BEAT_S:g} s, given {agreed_s:g} s, the first came after {took_s:.1f} s"
    return Seen(Outcome.YES, words, {"agreed_s": agreed_s, "first_s": took_s})


def _offered_s(visit: Visit) -> float:
    """How often a STOMP broker said that it sends one, if our wish does not make it rarer; 0 where it said nothing."""
    offered = visit.connection.greeting.detail.get("heart-beat", "").partition(",")[0]
    return max(_BEAT_S, int(offered) / 1000) if offered.isdigit() and int(offered) else 0.0


def largest(ground: Ground, max_bytes: int) -> Seen:
    """The largest message that is taken and comes back, found by doubling and then by halving."""
    topic = ground.fresh_topic()
    with ground.visit() as visit:
        # Who may not publish here at all learns nothing about sizes.
        visit.subscribe(topic)
        visit.publish(topic, b"probe")
        visit.need(1)
    taken, refused = 0, 0
    size = min(SMALLEST, max_bytes)
    while True:
        if _comes_back(ground, topic, size):
            taken = size
            step = next_size(taken, refused) if refused else min(2 * taken, max_bytes)
        else:
            refused = size
            step = next_size(taken, refused)
        if step is None or step == taken:
            break
        size = step
    seen = bounds(max_bytes, [taken], [refused] if refused else [])
    return Seen(Outcome.YES if taken >= max_bytes else Outcome.PARTLY, seen, {"taken_bytes": taken})


def _comes_back(ground: Ground, topic: Topic, size: int) -> bool:
    # A connection for each: a broker that finds a message too large often hangs up.
    try:
        with ground.visit() as visit:
            visit.subscribe(topic)
            return isinstance(visit.submit(topic, b"x" * size), Confirmed) and visit.wait(1)
    except MqctlError:
        return False


class Check(NamedTuple):
    """A question, the transport's feature without which it is not asked, and the way to the answer."""

    question: str
    needs: str
    run: Callable[[Ground], Seen]


def all_checks(max_bytes: int) -> tuple[Check, ...]:
    """Every question, in the order of asking."""
    return (
        Check("confirmed publish", "", confirmed_publish),
        Check("round trip", "", round_trip),
        Check("wildcard *", "wildcards", partial(wildcard, last=ONE_LEVEL, below=_BELOW, wanted={b"a"})),
        Check("wildcard **", "wildcards", partial(wildcard, last=SUBTREE, below=_BELOW, wanted={b"", b"a", b"a.b"})),
        Check("headers", "headers", headers),
        Check("selector", "selector", selector),
        Check("ack auto", "", ack_auto),
        Check("ack client", "", ack_client),
        Check("ack individual", "", ack_individual),
        Check("nack", "nack", nack),
        Check("prefetch", "prefetch", prefetch),
        Check("durable subscription", "durable", durable),
        Check("kept session", "session", session),
        Check("retained message", "retain", retained),
        Check("shared subscription", "shared", shared),
        *(Check(f"qos {level}", "qos", partial(qos, level=level)) for level in (0, 1, 2)),
        Check("heart-beats", "", heart_beats),
        Check("largest message", "", partial(largest, max_bytes=max_bytes)),
    )
