"""The hub's end of simulated requests: who waits for what, and who is given up."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import json

from mqctl.broker import Address, AddressKind, Broker, Deliver, Message
from mqctl.errors import ProtocolError
from mqctl.experiments.simulation.bayeux_house import BayeuxHouse, Bodies, Jar, RequestEnd, framed
from mqctl.experiments.simulation.bayeux_peer import BayeuxPeer
from mqctl.experiments.simulation.hub import Hub
from mqctl.experiments.simulation.weather import drawn
from mqctl.experiments.simulation.wire import Pipe, Wire
from mqctl.experiments.simulation.world import NS_PER_S, World

NO_SUBSCRIBER: Any = None


def message() -> Message:
    return Message(id="1", address=Address(AddressKind.TOPIC, "a"), payload=b"7", wire={"channel": "/a"})


class Caller:
    """A client with a cookie, and as many connections as it likes."""

    def __init__(self) -> None:
        self.world = World(1)
        self.weather = drawn(self.world.rng)
        self.hub = Hub(self.world, Broker())
        self.house = BayeuxHouse(self.hub)
        self.jar = Jar("here")
        self.session = ""
        (reply,) = self.ask("/meta/handshake", version="1.0", supportedConnectionTypes=["long-polling"])
        self.session = reply["clientId"]
        self.connect()

    def connection(self) -> tuple[RequestEnd, list[list[dict]]]:
        """And what comes by it."""
        pipe, answers, bodies = Pipe(self.world, self.weather), [], Bodies()
        pipe.arrive = lambda data: answers.extend(map(json.decode, bodies.feed(data)))
        return RequestEnd(self.house, pipe, self.jar), answers

    def run(self, seconds: float) -> None:
        until_ns = self.world.now_ns + int(seconds * NS_PER_S)
        self.world.at(until_ns, lambda: None)
        while self.world.now_ns < until_ns:
            self.world.step()

    def say(self, end: RequestEnd, channel: str, **fields: Any) -> None:
        end.receive(framed(json.encode([{"id": "1", "channel": channel, "clientId": self.session, **fields}])))

    def ask(self, channel: str, **fields: Any) -> list[dict]:
        end, answers = self.connection()
        self.say(end, channel, **fields)
        self.run(1)
        return answers[0]

    def publish(self) -> None:
        self.hub.apply(self.hub.broker.publish(None, message(), self.world.now_ns))
        self.hub.flush()
        self.run(1)

    def connect(self) -> tuple[RequestEnd, list[list[dict]]]:
        end, answers = self.connection()
        self.say(end, "/meta/connect", connectionType="long-polling")
        self.run(1)
        return end, answers


def test_of_two_connects_the_newer_one_is_answered():
    caller = Caller()
    caller.ask("/meta/subscribe", subscription="/a")
    (_, old), (_, new) = caller.connect(), caller.connect()
    caller.publish()
    assert old == []
    assert [(each["channel"], each.get("data")) for each in new[0]] == [("/a", 7), ("/meta/connect", None)]


def test_what_comes_while_nobody_waits_comes_with_the_next_connect():
    caller = Caller()
    caller.ask("/meta/subscribe", subscription="/a")
    end, answers = caller.connect()
    end.lost()
    end.lost()
    caller.publish()
    assert answers == []
    _, answers = caller.connect()
    assert [each.get("data") for each in answers[0]] == [7, None]


def test_nothing_comes_to_who_unsubscribed():
    caller = Caller()
    caller.ask("/meta/subscribe", subscription="/a")
    caller.ask("/meta/unsubscribe", subscription="/a")
    _, answers = caller.connect()
    caller.publish()
    assert answers == []


def test_a_client_that_does_not_come_back_is_forgotten():
    caller = Caller()
    assert caller.hub.broker.stats().sessions == 1
    caller.run(3601)
    assert caller.hub.broker.stats().sessions == 0


def test_so_is_one_that_says_goodbye():
    caller = Caller()
    (session,) = caller.house._server.sessions.values()
    caller.ask("/meta/disconnect")
    assert caller.hub.broker.stats().sessions == 0
    caller.run(3601)
    session.port.flush()


def test_what_no_experiment_asks_for_is_refused():
    (reply,) = Caller().ask("/service/a", data=1)
    assert not reply["successful"]


def test_a_single_message_waits_as_any_other():
    caller = Caller()
    (session,) = caller.house._server.sessions.values()
    session.port.deliver(Deliver(NO_SUBSCRIBER, message(), None, redelivered=False, delivery_count=1))
    session.port.unfinished()
    assert session.waiting == 1


def test_a_message_of_bayeux_cannot_be_refused():
    caller = Caller()
    peer = BayeuxPeer(
        caller.world, NO_SUBSCRIBER, lambda _lane, _client: Wire(caller.world, caller.weather), None, None
    )
    with pytest.raises(ProtocolError):
        peer.nack("1")


def test_a_body_is_found_however_it_is_cut():
    text = framed(b"one") + framed(b"") + framed(b"two")
    bodies = Bodies()
    assert [body for at in range(len(text)) for body in bodies.feed(text[at : at + 1])] == [b"one", b"", b"two"]
    assert list(Bodies().feed(text)) == [b"one", b"", b"two"]
