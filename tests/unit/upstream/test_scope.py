"""Which topics are the broker's, and that no two patterns bring the same message."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl import topics
from mqctl.broker.values import Address, AddressKind
from mqctl.errors import ConfigError
from mqctl.model import Topic
from mqctl.target import Endpoint
from mqctl.upstream.scope import EVERYTHING, overlap, read_scope, refuse_itself

LEVELS = ("a", "b")
NAMES = [name for length in range(1, 5) for name in itertools.product(LEVELS, repeat=length)]
patterns = st.builds(
    lambda head, last: (*head, *last),
    st.lists(st.sampled_from([*LEVELS, "*"]), max_size=3).map(tuple),
    st.sampled_from([(), ("**",)]),
).filter(bool)


def covered(name: str, *texts: str, kind: AddressKind = AddressKind.TOPIC) -> bool:
    return read_scope(texts).covers(Address(kind, name))


@given(patterns, patterns)
def test_patterns_overlap_where_some_topic_fits_both(one, other):
    both = any(topics.matches(one, name) and topics.matches(other, name) for name in NAMES)
    assert overlap(one, other) == overlap(other, one) == both


def test_a_topic_is_the_brokers_where_a_pattern_covers_it():
    assert covered("a.b", "a.*", "b.**")
    assert covered("b", "a.*", "b.**")
    assert not covered("a.b.c", "a.*", "b.**")
    assert covered("a.b.c", *EVERYTHING)


def test_queues_stay_in_the_hub():
    assert not covered("a", *EVERYTHING, kind=AddressKind.QUEUE)


@pytest.mark.parametrize(
    "name",
    [
        "$SYS.broker.uptime", "meta.connect", "service.chat", "ActiveMQ.Advisory.Connection", "activemq.notifications",
    ],
)  # fmt: skip
def test_what_is_between_a_server_and_its_clients_stays_there(name):
    assert not covered(name, *EVERYTHING)
    assert covered(f"a.{name}", *EVERYTHING)


def test_each_pattern_is_a_subscription():
    assert read_scope(["a.*", "b.**"]).subscriptions() == (Topic(levels=("a", "*")), Topic(levels=("b", "**")))


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["a.*", "*.b"], "a.* and *.b have topics in common"),
        (["a", "a"], "a and a have topics in common"),
        (["/queue/a"], "not a pattern of topics"),
        (["a.b/c"], "not a pattern of topics"),
        (["a..b"], "no empty level"),
    ],
)
def test_what_is_no_scope_is_refused(texts, says):
    with pytest.raises(ConfigError) as caught:
        read_scope(texts)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("there", "here", "same"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", True),
        ("localhost:1", "127.0.0.1:1", True),
        ("127.0.0.1:1", "0.0.0.0:1", True),
        ("broker:1", "0.0.0.0:1", False),
        ("broker:1", "broker:1", True),
        ("127.0.0.1:2", "127.0.0.1:1", False),
    ],
)
def test_a_hub_is_not_its_own_upstream(there, here, same):
    def endpoint(text: str) -> Endpoint:
        host, _, port = text.partition(":")
        return Endpoint(host, int(port))

    if not same:
        refuse_itself([endpoint(there)], [endpoint(here)])
        return
    with pytest.raises(ConfigError, match="is this hub itself"):
        refuse_itself([Endpoint("elsewhere", 1), endpoint(there)], [endpoint(here)])
