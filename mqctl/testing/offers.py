"""What laws need and subjects offer. Both are known before a broker is started: a case that cannot be is not made."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import pytest

TRAITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "queue": "`Subject.queue` makes queues",
        "link": "`Subject.link` breaks connections",
        "nobody": "at `Subject.nobody` nobody listens",
        "stranger": "the broker lets in others than `Subject.stranger`, and says so",
        "forbidden": "the broker takes other messages than `Subject.forbidden`, and says so",
        "order": "confirmed messages arrive in the order they were published in",
        "binary": "payloads need not be UTF-8",
        "large": "5 MiB travel in bearable time",
        "header-lines": "headers may have line breaks",
        "qos-2": "messages are taken at QoS 2",
        "transacted-acks": "transactions hold acknowledgements",
    }
)
"""What a subject may offer beyond the features and ack modes of its adapter."""

MARKERS: Final = (
    "mqctl_needs(*what): a law, or a case of one, of subjects that offer all of it",
    "mqctl_lacks(what): a law, or a case of one, of subjects that do not offer this",
    "mqctl_lacking(*what): what a subject does not offer",
)


def needs(*what: str) -> pytest.MarkDecorator:
    """Mark a law, or a parameter of one, as one of subjects that offer all of it."""
    return pytest.mark.mqctl_needs(*what)


def lacks(what: str) -> pytest.MarkDecorator:
    """Mark a law, or a parameter of one, as one of subjects that do not offer this."""
    return pytest.mark.mqctl_lacks(what)


def lacking(*what: str) -> pytest.MarkDecorator:
    """Mark a contract, or a parameter of its subject, with the features, ack modes and `TRAITS` it does not offer."""
    return pytest.mark.mqctl_lacking(*what)


def offered(case: pytest.Item) -> frozenset[str]:
    """What the subject of a case offers.

    Raises:
        CollectError: Its contract names no adapter, or lacks what nobody has.
    """
    contract = case.getparent(pytest.Class)
    adapter = getattr(contract and contract.obj, "adapter", None)
    if adapter is None:
        raise pytest.Collector.CollectError(
            f"{case.nodeid}: its class needs an `adapter`, whose `info` says what it can"
        )
    everything = adapter.info.features | adapter.info.ack_modes | TRAITS.keys()
    missing = _marked(case, "mqctl_lacking")
    if unknown := missing - everything:
        raise pytest.Collector.CollectError(
            f"{case.nodeid}: lacking {', '.join(sorted(unknown))}, but there is only {', '.join(sorted(everything))}"
        )
    return frozenset(everything - missing)


def applies(case: pytest.Item) -> bool:
    """Whether a case can be: its law finds what it needs, and only that.

    Raises:
        CollectError: As `offered`.
    """
    needed, lacked = _marked(case, "mqctl_needs"), _marked(case, "mqctl_lacks")
    if not needed and not lacked:
        return True
    there = offered(case)
    return needed <= there and not lacked & there


def _marked(case: pytest.Item, marker: str) -> set[str]:
    return {word for mark in case.iter_markers(marker) for word in mark.args}
