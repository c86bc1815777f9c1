"""How each broker reads STOMP where the specification leaves it open: header names, durability, expiry, NACK.

The table is the one home of these facts. What a broker cannot do is refused here, before anything is sent.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import assert_never

from mqctl.errors import UnsupportedError, UsageError
from mqctl.model import AckMode, Dialect, Outgoing, Topic
from mqctl.protocols.text import is_text
from mqctl.topics import ONE_LEVEL, STOMP_QUEUE_PREFIX, STOMP_TOPIC_PREFIX, SUBTREE, is_wildcard


class Prefetch(enum.Enum):
    """What a broker counts when it limits the messages on their way to a subscriber."""

    NONE = "it has no such limit"
    MESSAGES = "messages"
    BYTES = "bytes"


class Expiry(enum.Enum):
    """How a broker wants the end of a message's life told."""

    NONE = "not at all"
    EPOCH_MS = "the absolute time, in milliseconds since 1970"
    RELATIVE_MS = "milliseconds from now"


class Durable(enum.Enum):
    """What names a subscription that outlives its connection."""

    NONE = "there is none"
    CLIENT_AND_NAME = "the connection's client id and a header"
    SUBSCRIPTION_ID = "the subscription's id and its destination"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One broker's reading of STOMP.

    `forget` are the headers that make UNSUBSCRIBE delete a durable subscription, `{name}` being its name;
    `forget_alone` is set where it must be inactive first, so that a plain UNSUBSCRIBE goes ahead.
    """

    broker: str
    nack: str
    prefetch: Prefetch = Prefetch.NONE
    prefetch_header: str = ""
    usual_prefetch: Mapping[str, str] = field(default_factory=dict)
    """Headers of a subscription that acknowledges and names no prefetch."""
    expiry: Expiry = Expiry.NONE
    expiry_header: str = ""
    durable: Durable = Durable.NONE
    durable_headers: Mapping[str, str] = field(default_factory=dict)
    forget: Mapping[str, str] = field(default_factory=dict)
    forget_alone: bool = False
    selector: bool = False
    wildcards: bool = False
    wildcard_first: bool = True
    """Whether a wildcard may be the first level."""
    intent_send: str = ""
    intent_subscribe: str = ""
    cumulative_per_connection: bool = False
    """Whether a cumulative ACK covers the whole connection instead of one subscription."""
    untransacted: Mapping[str, str] = field(default_factory=dict)
    """What a transaction cannot hold, `ack` or `nack`, and what the broker does with it."""
    nack_cumulative: bool = True
    """Whether NACK in client mode covers the earlier messages too."""
    redelivered_absent: bool | None = None
    """What a message without a `redelivered` header says about that."""
    receipt_despite_error: bool = False
    """Whether RECEIPT follows an ERROR about the same frame, so that it proves nothing then."""
    definite_errors: frozenset[str] = frozenset()
    """`message` headers of an ERROR without receipt-id that mean: one of your frames was not carried out."""
    send_forbidden: frozenset[str] = frozenset()
    """Headers that SEND must not carry."""
    echoed: frozenset[str] = frozenset()
    """Headers of SEND that come back in MESSAGE; sent on with a copy, they would lead it astray."""
    persistent_is_queue: bool = False
    """Whether `persistent:false` asks for a queue that is not durable, which vanishes with its messages."""
    web_server: str = ""
    """What its HTTP server calls itself: all that is known of a broker before it greets."""
    web_socket_beats: bool = True
    """Whether heart-beats promised over WebSocket do no harm."""
    web_socket_mute: str = ""
    """What WebSocket's close frame says where an ERROR ended the connection and did not get through."""
    web_socket_binary: bool = True
    """Whether a frame in a binary message of WebSocket is read like one in a text message."""


READINGS: Mapping[Dialect | None, Reading] = MappingProxyType(
    {
        Dialect.CLASSIC: Reading(
            broker="ActiveMQ Classic",
            nack="moves the message to the dead-letter queue at once; a message that is not persistent is lost",
            untransacted={"nack": "refuses a negative acknowledgement in a transaction"},
            nack_cumulative=False,
            redelivered_absent=False,
            web_socket_binary=False,
            prefetch=Prefetch.MESSAGES,
            prefetch_header="activemq.prefetchSize",
            expiry=Expiry.EPOCH_MS,
            expiry_header="expires",
            durable=Durable.CLIENT_AND_NAME,
            durable_headers={"activemq.subscriptionName": "{name}"},
            forget={"activemq.subscriptionName": "{name}"},
            forget_alone=True,
            selector=True,
            wildcards=True,
        ),
        Dialect.ARTEMIS: Reading(
            broker="ActiveMQ Artemis",
            nack="acknowledges: the message is gone, and in client mode all earlier ones with it",
            untransacted=dict.fromkeys(("ack", "nack"), "takes an acknowledgement at once, whatever its transaction"),
            prefetch=Prefetch.BYTES,
            prefetch_header="consumer-window-size",
            expiry=Expiry.EPOCH_MS,
            expiry_header="expires",
            durable=Durable.CLIENT_AND_NAME,
            durable_headers={"durable-subscription-name": "{name}"},
            forget={"durable-subscription-name": "{name}"},
            selector=True,
            wildcards=True,
            # Without prefixes configured at its acceptor, `/topic/` is part of the address and so of its first level.
            wildcard_first=False,
            intent_send="destination-type",
            echoed=frozenset({"destination-type"}),
            intent_subscribe="subscription-type",
        ),
        Dialect.RABBITMQ: Reading(
            broker="RabbitMQ",
            nack="puts the message back into the queue; with the header requeue:false it is dead-lettered or dropped",
            prefetch=Prefetch.MESSAGES,
            prefetch_header="prefetch-count",
            # Without a limit the whole queue comes at once, however slowly it is taken; and a limit of one subscription
            # is inherited by the connection's later ones unless they say otherwise.
            usual_prefetch={"prefetch-count": "1000"},
            expiry=Expiry.RELATIVE_MS,
            expiry_header="expiration",
            durable=Durable.SUBSCRIPTION_ID,
            durable_headers={"durable": "true", "auto-delete": "false"},
            forget={"durable": "true", "auto-delete": "false"},
            wildcards=True,
            cumulative_per_connection=True,
            send_forbidden=frozenset({"message-id"}),
            persistent_is_queue=True,
            receipt_despite_error=True,
            web_server="Cowboy",
            # A connection that promised some breaks when it is held back, in one burst of 2,000 messages out of three.
            web_socket_beats=False,
            web_socket_mute="STOMP died",
            definite_errors=frozenset(
                {
                    *("access_refused", "not_found", "precondition_failed", "resource_locked"),
                    *("Unknown destination", "Invalid destination"),
                }
            ),
        ),
        Dialect.HUB: Reading(
            broker="the hub",
            nack="delivers the message again, up to --max-redeliveries times; then it goes to the dead-letter queue",
            prefetch=Prefetch.MESSAGES,
            prefetch_header="prefetch-count",
            expiry=Expiry.EPOCH_MS,
            expiry_header="expires",
            durable=Durable.CLIENT_AND_NAME,
            durable_headers={"activemq.subscriptionName": "{name}"},
            forget={"activemq.subscriptionName": "{name}"},
            wildcards=True,
            redelivered_absent=False,
        ),
        None: Reading(broker="this broker", nack="is the broker's affair"),
    }
)
"""What each broker does; None is a broker that does not say who it is."""

_SERVERS = (
    ("ActiveMQ-Artemis", Dialect.ARTEMIS),
    ("ActiveMQ", Dialect.CLASSIC),
    ("RabbitMQ", Dialect.RABBITMQ),
    ("mqctl-hub", Dialect.HUB),
)

_INTENTS = ((STOMP_QUEUE_PREFIX, "ANYCAST"), (STOMP_TOPIC_PREFIX, "MULTICAST"))

_SAY_DIALECT = "if you know which broker it is, say so with --dialect"


def dialect_of(server: str | None) -> Dialect | None:
    """Which broker greets with this `server` header of CONNECTED; None when it hides or is unknown."""
    name = (server or "").partition("/")[0].partition(" ")[0]
    return next((dialect for prefix, dialect in _SERVERS if name == prefix), None)


def send_headers(dialect: Dialect | None, message: Outgoing, destination: str, *, now_ms: int) -> dict[str, str]:
    """The headers of SEND beyond the destination. What the message says itself wins over a header of that name.

    `now_ms` counts from 1970.

    Raises:
        UnsupportedError: The broker cannot carry this message.
    """
    reading = READINGS[dialect]
    headers = _intent(reading.intent_send, destination) | _user_headers(reading, message.headers)
    if message.persistent:
        headers["persistent"] = "true"
    if message.priority is not None:
        headers["priority"] = str(message.priority)
    if message.expires_ms is not None:
        headers |= _expiry(reading, message.expires_ms, now_ms)
    if message.content_type is not None:
        headers["content-type"] = message.content_type
    if message.reply_to is not None:
        headers["reply-to"] = message.reply_to
    return headers


def _user_headers(reading: Reading, headers: Mapping[str, str]) -> dict[str, str]:
    for name in headers:
        if name in reading.send_forbidden:
            raise UnsupportedError(f"{reading.broker} accepts no {name} header on a published message")
    taken = dict(headers)
    if reading.persistent_is_queue and taken.get("persistent") != "true":
        # A message without it is not persistent, which is all that was meant.
        taken.pop("persistent", None)
    return taken


def _expiry(reading: Reading, expires_ms: int, now_ms: int) -> dict[str, str]:
    match reading.expiry:
        case Expiry.EPOCH_MS:
            return {reading.expiry_header: str(now_ms + expires_ms)}
        case Expiry.RELATIVE_MS:
            return {reading.expiry_header: str(expires_ms)}
        case Expiry.NONE:
            raise UnsupportedError(f"no way is known to let a message expire at {reading.broker}", hint=_SAY_DIALECT)
        case _:
            assert_never(reading.expiry)


def _intent(header: str, destination: str) -> dict[str, str]:
    """Artemis takes every address for pub/sub unless the frame says which kind is meant."""
    if not header:
        return {}
    return next(({header: kind} for prefix, kind in _INTENTS if destination.startswith(prefix)), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a subscription asks for, as far as brokers differ about it."""

    topic: Topic
    destination: str
    ack_mode: AckMode
    prefetch: int | None
    selector: str | None
    durable: str | None
    client_id: str | None


def subscribe_headers(dialect: Dialect | None, wish: Wish) -> dict[str, str]:
    """The headers of SUBSCRIBE beyond `destination`, `id` and `ack`.

    Raises:
        UnsupportedError: The broker cannot do it.
        UsageError: Nobody could, or a client id is missing.
    """
    reading = READINGS[dialect]
    _refuse_wildcards(reading, wish.topic)
    headers = _intent(reading.intent_subscribe, wish.destination) | _prefetch(reading, wish)
    if wish.selector is not None:
        if not reading.selector:
            raise UnsupportedError(f"{reading.broker} has no selectors over STOMP")
        headers["selector"] = wish.selector
    if wish.durable is not None:
        _refuse_durable(reading, wish)
        headers |= _named(reading.durable_headers, wish.durable)
    return headers


def _refuse_wildcards(reading: Reading, topic: Topic) -> None:
    if not is_wildcard(topic):
        return
    if not reading.wildcards:
        raise UnsupportedError(f"it is not known how {reading.broker} writes wildcards", hint=_SAY_DIALECT)
    if not reading.wildcard_first and topic.levels[0] in (ONE_LEVEL, SUBTREE):
        raise UnsupportedError(
            f"{reading.broker} has no wildcard in the first level of a topic",
            hint="name the first level, as in finance.**",
        )


def _prefetch(reading: Reading, wish: Wish) -> dict[str, str]:
    if wish.prefetch is None:
        return {} if wish.ack_mode is AckMode.AUTO else dict(reading.usual_prefetch)
    if wish.prefetch < 1:
        raise UsageError("a prefetch is at least 1")
    match reading.prefetch:
        case Prefetch.MESSAGES:
            return {reading.prefetch_header: str(wish.prefetch)}
        case Prefetch.BYTES:
            # A window of zero bytes: the next message comes when the last one is acknowledged, which keeps any limit.
            return {reading.prefetch_header: "0"}
        case Prefetch.NONE:
            raise UnsupportedError(f"no way is known to limit the prefetch of {reading.broker}", hint=_SAY_DIALECT)
        case _:
            assert_never(reading.prefetch)


def _refuse_durable(reading: Reading, wish: Wish) -> None:
    if reading.durable is Durable.NONE:
        raise UnsupportedError(f"no way is known to subscribe durably at {reading.broker}", hint=_SAY_DIALECT)
    if wish.destination.startswith(STOMP_QUEUE_PREFIX):
        raise UsageError("a durable subscription is one to a topic; a queue keeps its messages anyway")
    if reading.durable is Durable.CLIENT_AND_NAME and wish.client_id is None:
        raise UsageError(
            f"a durable subscription at {reading.broker} needs a client id", hint="give one with --client-id"
        )


def forget_headers(dialect: Dialect | None, durable: str) -> dict[str, str]:
    """The headers that make UNSUBSCRIBE delete the durable subscription of that name."""
    return _named(READINGS[dialect].forget, durable)


def refuse_ack_modes(dialect: Dialect | None, wanted: AckMode, present: Collection[AckMode]) -> None:
    """Refuse a subscription whose cumulative ACK would reach into another's messages, or the reverse.

    Raises:
        UnsupportedError: The broker acknowledges cumulatively over the whole connection.
    """
    if wanted is AckMode.AUTO or not READINGS[dialect].cumulative_per_connection:
        return
    others = [mode for mode in present if mode is not AckMode.AUTO]
    if others and AckMode.CLIENT in (wanted, *others):
        raise UnsupportedError(
            f"{READINGS[dialect].broker} lets an acknowledgement in client mode cover the whole connection, "
            "so such a subscription must be its connection's only one that acknowledges",
            hint="use --ack individual, or a connection for each subscription",
        )


def promises_beats(dialect: Dialect | None, web_server: str) -> bool:
    """Whether to promise heart-beats over WebSocket, to an HTTP server that calls itself that."""
    if dialect is not None:
        return READINGS[dialect].web_socket_beats
    return all(each.web_socket_beats for each in READINGS.values() if each.web_server == web_server)


def refuse_binary(dialect: Dialect | None, payload: bytes) -> None:
    """Refuse a payload that a broker would not get over WebSocket.

    Raises:
        UnsupportedError: It is not UTF-8, and the broker reads only text messages.
    """
    if not (READINGS[dialect].web_socket_binary or is_text(payload)):
        raise UnsupportedError(
            f"{READINGS[dialect].broker} reads only text over WebSocket, and this payload is not UTF-8",
            hint="use stomp:// or stomp+ssl://",
        )


def refuse_transacted(dialect: Dialect | None, verb: str) -> None:
    """Refuse what a broker does not take into a transaction: `ack` or `nack`.

    Raises:
        UnsupportedError: It would be done at once, or refused.
    """
    reading = READINGS[dialect]
    if verb in reading.untransacted:
        raise UnsupportedError(f"{reading.broker} {reading.untransacted[verb]}")


def _named(headers: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value.format(name=name) for key, value in headers.items()}
