"""What clients may publish and subscribe to, where that is less than everything. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mqctl import topics
from mqctl.broker.refusals import AddressRefused
from mqctl.broker.values import Address, AddressKind
from mqctl.errors import ConfigError, TopicError
from mqctl.model import Dialect


class Rule(NamedTuple):
    """Topics or queues, by a pattern."""

    kind: AddressKind
    levels: tuple[str, ...]

    def covers(self, address: Address) -> bool:
        """Whether all that an address stands for, which may be a pattern too, is among them."""
        return self.kind is address.kind and topics.covers(self.levels, address.name.split("."))


class Rules(NamedTuple):
    """Without rules for it, everything is allowed."""

    publish: tuple[Rule, ...] = ()
    subscribe: tuple[Rule, ...] = ()

    def check_publish(self, address: Address) -> None:
        """Refuse what may not be published to.

        Raises:
            AddressRefused: No rule covers it.
        """
        _check(self.publish, address, "publish to", "--allow-publish")

    def check_subscribe(self, address: Address) -> None:
        """Refuse what may not be subscribed to.

        Raises:
            AddressRefused: No rule covers all of it.
        """
        _check(self.subscribe, address, "subscribe to", "--allow-subscribe")


NO_RULES = Rules()


def _check(rules: Sequence[Rule], address: Address, what: str, option: str) -> None:
    if rules and not any(rule.covers(address) for rule in rules):
        raise AddressRefused(f"clients may not {what} {address}", hint=f"the hub was started with {option}")


def read_rule(text: str) -> Rule:
    """A rule as it is typed: a topic, perhaps with wildcards, or `/queue/NAME`.

    Raises:
        ConfigError: It is none.
    """
    try:
        topic = topics.parse(text)
        written = topics.to_stomp(topic, Dialect.HUB, subscribing=True)
        for prefix, kind in _KINDS:
            if written.startswith(prefix):
                return Rule(kind, topics.parse_stomp_pattern(written.removeprefix(prefix)))
    except TopicError as error:
        raise ConfigError(str(error), hint=error.hint) from error
    raise ConfigError(f"neither a topic nor a queue: {text!r}", hint="write a.b, a.*, a.**, or for a queue /queue/a")


_KINDS = ((topics.STOMP_TOPIC_PREFIX, AddressKind.TOPIC), (topics.STOMP_QUEUE_PREFIX, AddressKind.QUEUE))
