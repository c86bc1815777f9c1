"""Topics: who receives what, and in which order."""

from __future__ import annotations

import pytest

from mqctl.broker import AddressRefused, FanOut, LimitExceeded, NotOpen, UnknownSubscription
from mqctl.broker.router import Router
from mqctl.errors import RefusedError
from tests.unit.broker.scene import CLIENT, Scene, topic


def test_every_subscriber_gets_every_message_in_order() -> None:
    scene = Scene()
    scene.sub("a", topic("t"))
    scene.sub("b", topic("t"))
    scene.pub(topic("t"), "1", "2", "3")
    assert scene.got["a"] == scene.got["b"] == ["1", "2", "3"]


def test_automatic_subscribers_cost_one_effect() -> None:
    """However many they are, in the order they subscribed."""
    scene = Scene()
    for session in ("c", "a", "b"):
        scene.sub(session, topic("t"))
    scene.pub(topic("t"), "1")
    (effect,) = scene.effects
    assert isinstance(effect, FanOut)
    assert [subscriber.session for subscriber in effect.subscribers] == ["c", "a", "b"]


def test_nobody_there_is_no_error() -> None:
    scene = Scene()
    scene.pub(topic("t"), "1")
    assert scene.effects == []
    assert scene.broker.stats().published == 1


def test_publisher_that_subscribes_hears_itself() -> None:
    scene = Scene()
    scene.sub("a", topic("t"))
    scene.pub(topic("t"), "1", by="a")
    assert scene.got["a"] == ["1"]


def test_hub_itself_may_publish() -> None:
    """`session` None is nobody's connection."""
    scene = Scene()
    scene.sub("a", topic("t"))
    scene.pub(topic("t"), "1", by="a")
    message = scene.effects[0].message  # type: ignore[union-attr]  # the fan-out above
    scene.apply(scene.broker.publish(None, message, 0))
    assert scene.got["a"] == ["1", "1"]


@pytest.mark.parametrize(
    ("pattern", "heard"),
    [
        ("a.b", {"a.b"}),
        ("a.*", {"a.b", "a.c"}),
        ("*.b", {"a.b"}),
        ("a.**", {"a", "a.b", "a.c", "a.b.c"}),
        ("**", {"a", "a.b", "a.c", "a.b.c"}),
        ("*.*.*", {"a.b.c"}),
        ("*.**", {"a", "a.b", "a.c", "a.b.c"}),
    ],
)
def test_pattern(pattern: str, heard: set[str]) -> None:
    """`*` is one level, a last `**` any number of levels, none included."""
    scene = Scene()
    scene.sub("a", topic(pattern))
    for name in ("a", "a.b", "a.c", "a.b.c"):
        scene.pub(topic(name), name)
    assert set(scene.got["a"]) == heard


def test_two_subscriptions_of_one_session_both_receive() -> None:
    scene = Scene()
    scene.sub("a", topic("t"), "plain")
    scene.sub("a", topic("*"), "wild")
    scene.pub(topic("t"), "1")
    assert scene.got["a"] == ["1", "1"]


@pytest.mark.parametrize("pattern", ["t", "*", "**"])
def test_subscription_made_or_ended_after_a_publish_counts(pattern: str) -> None:
    """The remembered route is forgotten when a plain or a wildcard subscription comes or goes."""
    scene = Scene()
    scene.pub(topic("t"), "early")
    scene.sub("a", topic(pattern))
    scene.pub(topic("t"), "heard")
    scene.unsub("a")
    scene.pub(topic("t"), "late")
    assert scene.got["a"] == ["heard"]


def test_closed_session_receives_nothing() -> None:
    scene = Scene()
    scene.sub("a", topic("t"))
    scene.sub("b", topic("t"))
    scene.close("a")
    scene.pub(topic("t"), "1")
    assert scene.got == {"b": ["1"]}


def test_router_forgets_what_nobody_subscribes_to() -> None:
    """A trie that keeps its dead branches grows for ever."""
    scene = Scene()
    for name in ("a.b.c", "a.*.c", "a.b.**", "a.b"):
        scene.sub("a", topic(name), name)
    for name in ("a.b.c", "a.*.c", "a.b.**", "a.b"):
        scene.unsub("a", name)
    assert not scene.broker._router._root


def test_route_cache_is_bounded_and_still_right() -> None:
    scene = Scene(route_cache=2)
    scene.sub("a", topic("*"))
    for name in ("x", "y", "z", "x"):
        scene.pub(topic(name), name)
    assert scene.got["a"] == ["x", "y", "z", "x"]
    assert scene.broker.stats().routes_cached == 2


@pytest.mark.parametrize("name", ["", "a..b", ".a", "a.", "*", "a.**"])
def test_cannot_publish_to(name: str) -> None:
    """A pattern or a name with an empty level is refused, not routed by guess."""
    scene = Scene()
    with pytest.raises(AddressRefused):
        scene.pub(topic(name), "1")


@pytest.mark.parametrize("name", ["", "a..b", "a.**.b"])
def test_cannot_subscribe_to(name: str) -> None:
    scene = Scene()
    with pytest.raises(AddressRefused):
        scene.sub("a", topic(name))
    assert scene.broker.stats().subscriptions == 0


def test_levels_are_bounded() -> None:
    router = Router(levels_max=3, cache_max=1)
    router.check("a.b.c")
    with pytest.raises(LimitExceeded) as caught:
        router.check("a.b.c.d")
    assert caught.value.limit == "topic_levels"


def test_subscription_key_is_used_once() -> None:
    scene = Scene()
    scene.sub("a", topic("t"))
    with pytest.raises(UnknownSubscription, match="there already"):
        scene.sub("a", topic("u"))


def test_unknown_subscription_cannot_be_ended() -> None:
    scene = Scene()
    scene.open("a")
    with pytest.raises(UnknownSubscription, match="'s'"):
        scene.unsub("a")


def test_session_must_be_open() -> None:
    """After its end a session can do nothing; what the shell does late for tidiness is passed over."""
    scene = Scene()
    scene.sub("a", topic("t"))
    scene.close("a")
    for call in (lambda: scene.unsub("a"), lambda: scene.broker.ack("a", 1, 0)):
        with pytest.raises(NotOpen):
            call()
    message = scene.broker
    with pytest.raises(NotOpen):
        message.subscribe("a", "s", topic("t"), now_ns=0)
    scene.close("a")
    scene.broker.pause("a")
    scene.resume("a")
    assert scene.effects == []


def test_prefetch_of_nothing_is_refused() -> None:
    scene = Scene()
    with pytest.raises(RefusedError, match="prefetch of 0"):
        scene.sub("a", topic("t"), ack_mode=CLIENT, prefetch=0)
