"""Topic names: mqctl's own form, and each protocol's.

mqctl writes a topic as dotted levels, `finance.stock.market`; `*` stands for any one level and a last `**` for a
subtree of zero or more levels. A name with `/` in it uses `/` as the separator and its dots are literal. A name that
starts with `/` is a broker's own and passes through untouched. What a protocol cannot express is an error.
"""

from __future__ import annotations

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


def parse_stomp_pattern(name: str) -> tuple[str, ...]:
    """The levels of what follows `/topic/` at the hub, with every broker's word for a subtree.

    Raises:
        TopicError: It is empty, has an empty level or a wildcard out of place.
    """
    levels = tuple(SUBTREE if level in STOMP_SUBTREES else level for level in name.split("."))
    return _checked(levels, name)
