"""Which topics are the broker's upstream: what is published to them goes there, and comes back from there. No IO."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Final

from mqctl import topics
from mqctl.broker.values import Address, AddressKind
from mqctl.errors import ConfigError, TopicError
from mqctl.model import Topic
from mqctl.target import Endpoint

EVERYTHING: Final = ("**",)
"""The patterns of a hub that was told none."""

_OWN: Final = (("ActiveMQ", "Advisory", topics.SUBTREE), ("activemq", "notifications"))
"""Where brokers speak of themselves."""
_BAYEUX: Final = ("meta", "service")
"""First levels of what is between a client of Bayeux and its server (Bayeux 1.0, Channels)."""
_ROUTES_KEPT: Final = 4_096
_WILD_HOSTS: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not listened on
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Scope:
    """Topics, by patterns of which no two have a topic in common: a broker may send what fits two of them twice."""

    def __init__(self, patterns: Sequence[tuple[str, ...]]) -> None:
        self.patterns = tuple(patterns)
        self.covers = lru_cache(_ROUTES_KEPT)(self._covers)

    def subscriptions(self) -> tuple[Topic, ...]:
        """What to subscribe to at the broker."""
        return tuple(Topic(levels=pattern) for pattern in self.patterns)

    def _covers(self, address: Address) -> bool:
        """Whether an address of the hub is the broker's."""
        if address.kind is not AddressKind.TOPIC:
            return False
        levels = address.name.split(".")
        return not is_internal(levels) and any(topics.matches(pattern, levels) for pattern in self.patterns)


def is_internal(levels: Sequence[str]) -> bool:
    """Whether a topic is between a server and its own clients, or tells of the server itself."""
    return (
        levels[0].startswith("$")
        or levels[0] in _BAYEUX
        or any(topics.matches(pattern, levels) for pattern in _OWN)
    )  # fmt: skip


def read_scope(texts: Iterable[str]) -> Scope:
    """The scope that the user's patterns make.

    Raises:
        ConfigError: One is no pattern of topics, or two have topics in common.
    """
    patterns = [_pattern(text) for text in texts]
    for one, other in combinations(patterns, 2):
        if overlap(one, other):
            names = " and ".join(topics.text_of(Topic(levels=each)) for each in (one, other))
            raise ConfigError(
                f"the patterns {names} have topics in common, whose messages would come twice",
                hint="leave out the narrower one, or name one that has both",
            )
    return Scope(patterns)


def _pattern(text: str) -> tuple[str, ...]:
    try:
        topic = topics.parse(text)
    except TopicError as error:
        raise ConfigError(str(error), hint=error.hint) from error
    if topic.native is not None or any("." in level for level in topic.levels):
        raise ConfigError(f"not a pattern of topics: {text!r}", hint="write a.b, a.*, or a.**; queues stay in the hub")
    return topic.levels


def overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether some topic fits both patterns."""
    for mine, theirs in zip(one, other, strict=False):
        if topics.SUBTREE in (mine, theirs):
            return True
        if mine != theirs and topics.ONE_LEVEL not in (mine, theirs):
            return False
    longer = one if len(one) > len(other) else other
    rest = longer[min(len(one), len(other)) :]
    return not rest or rest[0] == topics.SUBTREE


def refuse_itself(upstream: Iterable[Endpoint], listeners: Iterable[Endpoint]) -> None:
    """Refuse a hub that would be its own upstream.

    Raises:
        ConfigError: It would.
    """
    ours = tuple(listeners)
    for there in upstream:
        if any(there.port == here.port and _same_host(there.host, here.host) for here in ours):
            raise ConfigError(
                f"the broker upstream, {there}, is this hub itself", hint="let the hub listen at another port"
            )


def _same_host(there: str, here: str) -> bool:
    return there == here or (there in _LOOPBACK and here in _LOOPBACK | _WILD_HOSTS)
