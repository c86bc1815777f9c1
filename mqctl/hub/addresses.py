"""What clients name: destinations, subscriptions, themselves; each as long as a name may be."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from mqctl import topics
from mqctl.broker.refusals import AddressRefused, LimitExceeded
from mqctl.broker.values import Address, AddressKind
from mqctl.errors import TopicError

NAME_MAX: Final = 1024
"""Characters of a name. Names outlive their frames, in routes and caches, so that they must not be as long as those."""

_WILDCARDS: Final = frozenset({topics.ONE_LEVEL, topics.SUBTREE, *topics.STOMP_SUBTREES})


def bounded(name: str) -> str:
    """The name itself.

    Raises:
        LimitExceeded: It is longer than names may be.
    """
    if len(name) > NAME_MAX:
        raise LimitExceeded("name_length", NAME_MAX)
    return name


def address_of(destination: str) -> Address:
    """Where a destination leads.

    Raises:
        AddressRefused: It is neither a topic nor a queue, or its name is malformed.
        LimitExceeded: It is too long.
    """
    return _address(bounded(destination))


@lru_cache(maxsize=4096)
def _address(destination: str) -> Address:
    if destination.startswith(topics.STOMP_TOPIC_PREFIX):
        try:
            levels = topics.parse_stomp_pattern(destination.removeprefix(topics.STOMP_TOPIC_PREFIX))
        except TopicError as error:
            raise AddressRefused(str(error), hint=error.hint) from error
        return Address(AddressKind.TOPIC, ".".join(levels))
    name = destination.removeprefix(topics.STOMP_QUEUE_PREFIX)
    if name == destination or not name:
        raise AddressRefused(f"no destination {destination[:64]!r}: this hub has /topic/NAME and /queue/NAME")
    if not _WILDCARDS.isdisjoint(name.split(".")):
        raise AddressRefused(f"not the name of a queue: {name!r}", hint="wildcards are for topics")
    return Address(AddressKind.QUEUE, name)
