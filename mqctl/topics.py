"""Topic names: mqctl's own form, and each protocol's.

mqctl writes a topic as dotted levels, `finance.stock.market`; `*` stands for any one level and a last `**` for a
subtree of zero or more levels. A name with `/` in it uses `/` as the separator and its dots are literal. A name that
starts with `/` is a broker's own and passes through untouched. What a protocol cannot express is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from mqctl.errors import TopicError
from mqctl.model import Dialect, Topic

ONE_LEVEL = "*"
SUBTREE = "**"
STOMP_TOPIC_PREFIX = "/topic/"
STOMP_QUEUE_PREFIX = "/queue/"

STOMP_SUBTREES = (">", "#")
"""What brokers write for a subtree; the hub takes either."""

MQTT_ONE_LEVEL = "+"
MQTT_SUBTREE = "#"
MQTT_SHARED_PREFIX = "$share/"
MQTT_BYTES_MAX = 65_535
"""Of a topic's name (MQTT 3.1.1, 4.7.3)."""

BAYEUX_LEVEL = r"[A-Za-z0-9\-_!~()$@ #+.{}]+"
"""A segment of a channel, as CometD takes it; Bayeux 1.0 has no blank and none of `#+.{}` there."""

_FOREIGN_WILDCARDS = frozenset({">", "#", "+"})
_STOMP_SUBTREE = {Dialect.CLASSIC: ">", Dialect.ARTEMIS: "#", Dialect.RABBITMQ: "#", Dialect.HUB: ">"}


def parse(text: str, *, native: bool = False) -> Topic:
    """Read a topic name as a user types it; `native` passes it through untouched.

    Raises:
        TopicError: It is empty, has an empty level, control characters, or a wildcard out of place.
    """
    if not text:
        raise TopicError("a topic needs a name")
    if not text.isprintable():
        raise TopicError(f"a topic name has no control characters: {text!r}")
    if native or text.startswith("/"):
        return Topic(native=text)
    return Topic(levels=_checked(tuple(text.split("/" if "/" in text else ".")), text))


def _checked(levels: tuple[str, ...], text: str) -> tuple[str, ...]:
    for index, level in enumerate(levels):
        if not level:
            raise TopicError(f"a topic has no empty level: {text!r}")
        if level in _FOREIGN_WILDCARDS:
            raise TopicError(
                f"{level!r} is no wildcard of mqctl: {text!r}",
                hint="'*' is one level, a last '**' a subtree; --native passes a broker's own name through",
            )
        if ONE_LEVEL in level and level not in (ONE_LEVEL, SUBTREE):
            raise TopicError(f"a wildcard is a whole level: {text!r}")
        if level == SUBTREE and index != len(levels) - 1:
            raise TopicError(f"'**' is the last level or none: {text!r}")
    return levels


def text_of(topic: Topic) -> str:
    """The name as `parse` reads it."""
    if topic.native is not None:
        return topic.native
    return ("/" if any("." in level for level in topic.levels) else ".").join(topic.levels)


def is_wildcard(topic: Topic) -> bool:
    """Whether the name stands for many topics; a native name is taken as plain."""
    return ONE_LEVEL in topic.levels or SUBTREE in topic.levels


def matches(pattern: Sequence[str], levels: Sequence[str]) -> bool:
    """Whether the levels of a topic fit the levels of a pattern."""
    if pattern and pattern[-1] == SUBTREE:
        head = len(pattern) - 1
        return len(levels) >= head and _fit(pattern[:head], levels[:head])
    return len(pattern) == len(levels) and _fit(pattern, levels)


def covers(pattern: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether every topic that fits one pattern fits the other."""
    if wanted[-1] == SUBTREE:
        return pattern[-1] == SUBTREE and matches(pattern, wanted[:-1])
    return matches(pattern, wanted)


def _fit(pattern: Sequence[str], levels: Sequence[str]) -> bool:
    return all(want in (ONE_LEVEL, have) for want, have in zip(pattern, levels, strict=True))


def to_stomp(topic: Topic, dialect: Dialect, *, subscribing: bool = False) -> str:
    """The `destination` header for a topic.

    Raises:
        TopicError: A wildcard where something is published, or a level that STOMP's dots would split.
    """
    if topic.native is not None:
        return topic.native
    name = text_of(topic)
    if is_wildcard(topic) and not subscribing:
        raise TopicError(f"cannot publish to a wildcard: {name!r}")
    for level in topic.levels:
        if "." in level:
            raise TopicError(f"STOMP separates levels by dots, so the level {level!r} of {name!r} cannot be expressed")
        if "," in level and dialect is Dialect.CLASSIC:
            raise TopicError(f"ActiveMQ reads ',' as a list of destinations, so {name!r} cannot be expressed")
    return STOMP_TOPIC_PREFIX + ".".join(_stomp_level(level, dialect) for level in topic.levels)


def _stomp_level(level: str, dialect: Dialect) -> str:
    if level == SUBTREE:
        return _STOMP_SUBTREE[dialect]
    if dialect is Dialect.RABBITMQ and "%2f" in level.lower():
        raise TopicError(f"RabbitMQ reads '%2F' as '/', so {level!r} cannot be expressed")
    # RabbitMQ splits a destination at '/'; of all percent escapes it undoes this one only.
    return level.replace("/", "%2F") if dialect is Dialect.RABBITMQ else level


def from_stomp(destination: str, dialect: Dialect) -> str:
    """The name of a received `destination`: the short form where it leads back there, else the destination itself."""
    name = destination.removeprefix(STOMP_TOPIC_PREFIX)
    if dialect is Dialect.RABBITMQ:
        # What it sends is percent-encoded throughout, whatever it was sent.
        name = unquote(name)
    try:
        there_and_back = to_stomp(parse(name), dialect) == STOMP_TOPIC_PREFIX + name
    except TopicError:
        there_and_back = False
    return name if there_and_back and destination.startswith(STOMP_TOPIC_PREFIX) else destination


_DOTS_ARE_SLASHES = {
    Dialect.CLASSIC: "ActiveMQ swaps '.' and '/' between MQTT and its other protocols",
    Dialect.ARTEMIS: "ActiveMQ Artemis reads '.' and '/' as the same",
    Dialect.RABBITMQ: "RabbitMQ reads '.' and '/' as the same",
}


def to_mqtt(topic: Topic, dialect: Dialect | None, *, subscribing: bool = False) -> str:
    """The topic name or, when subscribing, the topic filter of MQTT (MQTT 3.1.1, 4.7).

    Raises:
        TopicError: A wildcard where something is published, or a name that MQTT or the broker cannot express.
    """
    name = text_of(topic)
    if topic.native is None:
        written = "/".join(_mqtt_level(level, name, dialect) for level in topic.levels)
    else:
        written = topic.native
    if not subscribing and (MQTT_ONE_LEVEL in written or MQTT_SUBTREE in written):
        raise TopicError(f"cannot publish to a wildcard: {name!r}")
    if not _is_mqtt_string(written):
        raise TopicError(f"MQTT's names are UTF-8 without NUL of at most {MQTT_BYTES_MAX} bytes: {name[:40]!r}")
    return written


def _is_mqtt_string(text: str) -> bool:
    """Whether it is one of MQTT's (MQTT 3.1.1, 1.5.3)."""
    try:
        return "\0" not in text and len(text.encode()) <= MQTT_BYTES_MAX
    except UnicodeEncodeError:
        return False


def _mqtt_level(level: str, name: str, dialect: Dialect | None) -> str:
    if level == ONE_LEVEL:
        return MQTT_ONE_LEVEL
    if level == SUBTREE:
        return MQTT_SUBTREE
    for sign in ("/", MQTT_ONE_LEVEL, MQTT_SUBTREE):
        if sign in level:
            raise TopicError(f"MQTT gives {sign!r} a meaning, so the level {level!r} of {name!r} cannot be expressed")
    if "." in level and dialect in _DOTS_ARE_SLASHES:
        raise TopicError(
            f"{_DOTS_ARE_SLASHES[dialect]}, so the level {level!r} of {name!r} cannot be expressed",
            hint="--native passes the broker's own name through",
        )
    return level


def from_mqtt(name: str, dialect: Dialect | None) -> str:
    """The name of a received message: with dots, else with slashes where that leads back, else as it came.

    A name of one level with a dot in it comes as it is, though `parse` would read two levels; `--native` leads back.
    """
    for form in (name.replace("/", "."), name):
        try:
            topic = parse(form)
            if topic.native is None and to_mqtt(topic, dialect) == name:
                return form
        except TopicError:
            continue
    return name


def parse_stomp_pattern(name: str) -> tuple[str, ...]:
    """The levels of what follows `/topic/` at the hub, with every broker's word for a subtree.

    Raises:
        TopicError: It is empty, has an empty level or a wildcard out of place.
    """
    levels = tuple(SUBTREE if level in STOMP_SUBTREES else level for level in name.split("."))
    return _checked(levels, name)


def to_bayeux(topic: Topic) -> str:
    """The channel to publish to.

    Raises:
        TopicError: It is a wildcard, or has a character that channels have not.
    """
    if is_wildcard(topic):
        raise TopicError(f"cannot publish to a wildcard: {text_of(topic)!r}")
    return _channel(topic)


def to_bayeux_patterns(topic: Topic) -> tuple[str, ...]:
    """The channels to subscribe to: `/a/**` does not match `/a`, so that a subtree takes two.

    Raises:
        TopicError: A wildcard before the last level, or a character that channels have not.
    """
    if ONE_LEVEL in topic.levels[:-1]:
        raise TopicError(f"a wildcard of Bayeux is the last level: {text_of(topic)!r}")
    pattern = _channel(topic)
    root = topic.levels[:-1]
    return (_channel(Topic(levels=root)), pattern) if root and topic.levels[-1] == SUBTREE else (pattern,)


def _channel(topic: Topic) -> str:
    if topic.native is not None:
        return topic.native
    for level in topic.levels:
        if level not in (ONE_LEVEL, SUBTREE) and not re.fullmatch(BAYEUX_LEVEL, level):
            raise TopicError(
                f"no channel of Bayeux has such a level: {level!r}",
                hint="letters, digits and -_!~()$@ go everywhere; --native passes the broker's own name through",
            )
    return "".join(f"/{level}" for level in topic.levels)


def from_bayeux(channel: str) -> str:
    """The name of a received message: the short form where it leads back there, else the channel itself."""
    levels = channel.removeprefix("/").split("/")
    name = ("/" if any("." in level for level in levels) else ".").join(levels)
    try:
        there_and_back = to_bayeux(parse(name)) == channel
    except TopicError:
        there_and_back = False
    return name if there_and_back else channel
