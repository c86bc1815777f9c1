"""Topic names: parsing, translation to and from STOMP, wildcard matching."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl import topics
from mqctl.errors import TopicError
from mqctl.model import Dialect, Topic

LEVEL = st.text(st.characters(categories=("L", "N", "P"), exclude_characters="*./>#+"), min_size=1, max_size=5)
LEVELS = st.lists(LEVEL, min_size=1, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("rect", ("rect",)),
        ("finance.stock.market", ("finance", "stock", "market")),
        ("a/b.c", ("a", "b.c")),
        ("a.*.**", ("a", "*", "**")),
    ],
)
def test_levels_are_split_at_dots_or_else_at_slashes(text, levels):
    assert topics.parse(text) == Topic(levels=levels)
    assert topics.text_of(topics.parse(text)) == text


@pytest.mark.parametrize("text", ["/queue/orders", "/exchange/logs/a", "/topic/a.>"])
def test_a_leading_slash_passes_a_name_through(text):
    topic = topics.parse(text)
    assert topic == Topic(native=text)
    assert topics.to_stomp(topic, Dialect.CLASSIC) == text
    assert topics.text_of(topic) == text
    assert not topics.is_wildcard(topic)


def test_native_passes_any_name_through():
    assert topics.parse("a.>", native=True) == Topic(native="a.>")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "needs a name"),
        ("a..b", "no empty level"),
        ("a/", "no empty level"),
        ("a\nb", "control characters"),
        ("/queue/a\x00", "control characters"),
        ("a.>", "no wildcard of mqctl"),
        ("a.#", "no wildcard of mqctl"),
        ("+/a", "no wildcard of mqctl"),
        ("a.b*", "whole level"),
        ("a.**.b", "last level"),
    ],
)
def test_what_is_no_topic_is_refused_in_a_sentence(text, says):
    with pytest.raises(TopicError, match=says):
        topics.parse(text)


@pytest.mark.parametrize(
    ("dialect", "subtree"),
    [(Dialect.CLASSIC, ">"), (Dialect.ARTEMIS, "#"), (Dialect.RABBITMQ, "#"), (Dialect.HUB, ">")],
)
def test_wildcards_are_each_brokers_own_in_a_subscription(dialect, subtree):
    assert topics.to_stomp(topics.parse("a.*.**"), dialect, subscribing=True) == f"/topic/a.*.{subtree}"


@pytest.mark.parametrize("text", ["a.*", "a.**"])
def test_nothing_is_published_to_a_wildcard(text):
    with pytest.raises(TopicError, match="wildcard"):
        topics.to_stomp(topics.parse(text), Dialect.HUB)


def test_a_literal_dot_cannot_be_a_stomp_level():
    with pytest.raises(TopicError, match=r"'b\.c'"):
        topics.to_stomp(topics.parse("a/b.c"), Dialect.CLASSIC)


def test_a_comma_would_be_two_destinations_on_classic_only():
    topic = topics.parse("a,b")
    with pytest.raises(TopicError, match="list of destinations"):
        topics.to_stomp(topic, Dialect.CLASSIC)
    assert topics.to_stomp(topic, Dialect.ARTEMIS) == "/topic/a,b"


@pytest.mark.parametrize("dialect", Dialect)
def test_a_percent_sign_is_itself(dialect):
    assert topics.to_stomp(topics.parse("50%"), dialect) == "/topic/50%"


def test_rabbitmqs_escape_of_a_slash_cannot_be_told_from_a_slash():
    with pytest.raises(TopicError, match="%2F"):
        topics.to_stomp(topics.parse("a%2fb"), Dialect.RABBITMQ)
    assert topics.to_stomp(topics.parse("a%2fb"), Dialect.CLASSIC) == "/topic/a%2fb"
    assert topics.to_stomp(Topic(levels=("a/b",)), Dialect.RABBITMQ) == "/topic/a%2Fb"


def test_what_rabbitmq_sends_is_percent_encoded_throughout():
    assert topics.from_stomp("/topic/a.%ED%95%9C.50%25", Dialect.RABBITMQ) == "a.한.50%"
    assert topics.from_stomp("/topic/a.%25", Dialect.CLASSIC) == "a.%25"
    assert topics.from_stomp("/topic/a%2Fb", Dialect.RABBITMQ) == "/topic/a%2Fb"


@given(LEVELS, st.sampled_from([Dialect.ARTEMIS, Dialect.HUB]))
def test_a_published_name_comes_back_as_it_was_typed(levels, dialect):
    text = topics.text_of(Topic(levels=levels))
    assert topics.from_stomp(topics.to_stomp(Topic(levels=levels), dialect), dialect) == text


@pytest.mark.parametrize("name", ["/queue/orders", "/topic/a/b", "/topic/a..b", "plain", "/topic/"])
def test_a_destination_that_the_short_form_would_not_reach_stays_as_it_is(name):
    assert topics.from_stomp(name, Dialect.CLASSIC) == name


def reference(pattern, levels):
    """The definition, by recursion."""
    if not pattern:
        return not levels
    if pattern == ("**",):
        return True
    return bool(levels) and pattern[0] in ("*", levels[0]) and reference(pattern[1:], levels[1:])


@given(
    st.lists(st.sampled_from("ab*"), max_size=3),
    st.booleans(),
    st.lists(st.sampled_from("ab"), max_size=4).map(tuple),
)
def test_matching_agrees_with_its_definition(head, subtree, levels):
    pattern = (*head, "**") if subtree else tuple(head)
    assert topics.matches(pattern, levels) == reference(pattern, levels)


@pytest.mark.parametrize("subtree", [">", "#", "**"])
def test_the_hub_takes_every_brokers_word_for_a_subtree(subtree):
    assert topics.parse_stomp_pattern(f"a.*.{subtree}") == ("a", "*", "**")


def test_the_hub_refuses_a_subtree_in_the_middle():
    with pytest.raises(TopicError):
        topics.parse_stomp_pattern("a.>.b")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("rect", "rect"),
        ("finance.stock.market", "finance/stock/market"),
        ("a/b", "a/b"),
        ("a/b.c", "a/b.c"),
        ("$SYS.broker.uptime", "$SYS/broker/uptime"),
        ("/a/b", "/a/b"),
    ],
)
def test_a_topic_has_slashes_in_mqtt_and_comes_back(text, name):
    assert topics.to_mqtt(topics.parse(text), None) == name
    assert topics.to_mqtt(topics.parse(topics.from_mqtt(name, None)), None) == name


@pytest.mark.parametrize(
    ("text", "pattern"), [("a.*.b", "a/+/b"), ("a.**", "a/#"), ("**", "#"), ("*", "+"), ("/a/+/#", "/a/+/#")]
)
def test_wildcards_have_mqtts_signs(text, pattern):
    topic = topics.parse(text)
    assert topics.to_mqtt(topic, None, subscribing=True) == pattern
    with pytest.raises(TopicError, match="wildcard"):
        topics.to_mqtt(topic, None)


@pytest.mark.parametrize("dialect", [Dialect.CLASSIC, Dialect.ARTEMIS, Dialect.RABBITMQ])
def test_a_dot_inside_a_level_is_refused_where_the_broker_takes_it_for_a_slash(dialect):
    with pytest.raises(TopicError, match=r"'\.' and '/'"):
        topics.to_mqtt(topics.parse("a/b.c"), dialect)
    assert topics.to_mqtt(topics.parse("a.b", native=True), dialect) == "a.b"


@pytest.mark.parametrize(
    "topic",
    [
        Topic(levels=("a/b",)),
        Topic(levels=("a+",)),
        Topic(levels=("a", "#b")),
        Topic(native="a\0"),
        Topic(native="\ud800"),
        Topic(native="ü" * 32_768),
    ],
)
def test_what_mqtt_cannot_express_is_refused(topic):
    with pytest.raises(TopicError):
        topics.to_mqtt(topic, None)


@pytest.mark.parametrize(
    ("name", "dialect", "text"),
    [
        ("a/b", None, "a.b"),
        ("a.b/c", None, "a.b/c"),
        ("a.b/c", Dialect.CLASSIC, "a.b/c"),
        ("a.b", None, "a.b"),
        ("a//b", None, "a//b"),
        ("/a", None, "/a"),
        ("a/>", None, "a/>"),
        ("a/한국", Dialect.RABBITMQ, "a.한국"),
    ],
)
def test_a_received_name_is_dotted_where_that_leads_back_and_else_as_it_came(name, dialect, text):
    assert topics.from_mqtt(name, dialect) == text


@given(LEVELS)
def test_every_topic_comes_back_from_mqtt(levels):
    topic = Topic(levels=levels)
    name = topics.to_mqtt(topic, None)
    assert topics.parse(topics.from_mqtt(name, None)) == topic


@pytest.mark.parametrize(
    ("text", "channel"), [("rect", "/rect"), ("a.b", "/a/b"), ("a.b/c", "/a.b/c"), ("/service/x", "/service/x")]
)
def test_bayeux_channels(text, channel):
    topic = topics.parse(text)
    assert topics.to_bayeux(topic) == channel
    assert topics.to_bayeux_patterns(topic) == (channel,)
    assert topics.from_bayeux(channel) == (text if topic.levels else "service.x")


@pytest.mark.parametrize(
    ("text", "channels"),
    [("a.*", ("/a/*",)), ("a.b.**", ("/a/b", "/a/b/**")), ("**", ("/**",)), ("*", ("/*",)), ("/a/**", ("/a/**",))],
)
def test_bayeux_patterns(text, channels):
    """A subtree begins with what stands before it, which Bayeux does not count."""
    assert topics.to_bayeux_patterns(topics.parse(text)) == channels


@pytest.mark.parametrize("text", ["a.*.b", "*.**", "a:b", "a.ü", "a.,"])
def test_what_bayeux_cannot_express_to_subscribers(text):
    with pytest.raises(TopicError):
        topics.to_bayeux_patterns(topics.parse(text))


@pytest.mark.parametrize("text", ["a.*", "**", "a:b", "a.ü"])
def test_what_bayeux_cannot_express_to_publishers(text):
    with pytest.raises(TopicError):
        topics.to_bayeux(topics.parse(text))


@pytest.mark.parametrize("channel", ["/", "/a.b", "/a/*", "/a:b", "/a//b", "a"])
def test_a_channel_that_has_no_short_name_keeps_its_own(channel):
    assert topics.from_bayeux(channel) == channel


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("a.b", ["a.b"], ["a", "a.c", "a.*", "a.b.**", "**"]),
        ("a.*", ["a.b", "a.*"], ["a", "a.b.c", "a.**", "*.b"]),
        ("a.**", ["a", "a.b", "a.*", "a.b.c", "a.**", "a.b.**", "a.*.**"], ["b", "**", "*.**", "*"]),
        ("**", ["a", "*", "a.b.**", "**"], []),
        ("*.b", ["a.b", "*.b"], ["a.c", "*.*", "a.b.c"]),
    ],
)
def test_what_a_pattern_covers(pattern, inside, outside):
    """All that another stands for."""
    levels = topics.parse(pattern).levels
    for name in (*inside, *outside):
        assert topics.covers(levels, topics.parse(name).levels) is (name in inside), name
