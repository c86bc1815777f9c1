"""The client's session: what it asks for, in which order, and what it makes of every answer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import UNSET, Raw

from mqctl.protocols.bayeux.client import PAUSES, REFUSALS_MAX, Client, Options, State
from mqctl.protocols.bayeux.client_actions import (
    Action,
    Answered,
    Deliver,
    Forgotten,
    Lane,
    Left,
    Listen,
    Lost,
    Send,
    Unsubscribed,
)
from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.orders import TIMEOUT_MS
from mqctl.protocols.bayeux.spec import ConnectionType, Error, Meta

MS = 1_000_000
GRACE_MS = 5_000
AGAIN = {"reconnect": "handshake", "interval": 0}
NEVER = {"reconnect": "none"}


class Talk:
    """A client, and what it wanted last."""

    def __init__(
        self,
        *,
        ack: bool = False,
        ext: Mapping[str, Any] | None = None,
        grace_ms: int | None = GRACE_MS,
        connection_type: ConnectionType = ConnectionType.WEBSOCKET,
        by_hand: bool = False,
        epoch_ns: int | None = None,
    ):
        options = Options(
            connection_type=connection_type,
            ack=ack,
            ext=ext or {},
            grace_ms=grace_ms,
            by_hand=by_hand,
            epoch_ns=epoch_ns,
        )
        self.client = Client(options, random.Random(7))
        self.now_ns = 1_000
        self.actions: list[Action] = []
        self.cycle = Message()

    def wants(self, actions: list[Action]) -> list[Action]:
        self.actions = actions
        for action in actions:
            if isinstance(action, Send) and action.message.channel in (Meta.HANDSHAKE, Meta.CONNECT):
                self.cycle = action.message
        return actions

    def open(self) -> list[Action]:
        return self.wants(self.client.open(self.now_ns))

    def hear(self, *messages: Message) -> list[Action]:
        return self.wants(self.client.receive(messages, self.now_ns))

    def shake(self, client_id: str = "c1", **more: Any) -> list[Action]:
        """The server answers the handshake."""
        said = {"supported_connection_types": ["long-polling", "websocket"], **more}
        return self.hear(reply(self.cycle, client_id=client_id, **said))

    def connected(self, **more: Any) -> list[Action]:
        """The server answers the connect."""
        return self.hear(reply(self.cycle, **more))

    def wake(self, after_ms: float) -> list[Action]:
        self.now_ns += int(after_ms * MS)
        return self.wants(self.client.wake(self.now_ns))

    def wakes_in_ms(self) -> float:
        assert self.client.wake_ns is not None
        return (self.client.wake_ns - self.now_ns) / MS

    def subscribe(self, channel: str) -> None:
        request, _ = self.client.subscribe(channel)
        self.hear(reply(Message(id=request, channel=Meta.SUBSCRIBE), subscription=channel))


def reply(request: Message, *, successful: bool = True, **more: Any) -> Message:
    return Message(id=request.id, channel=request.channel, successful=successful, **more)


def failed(request: Message, error: str = "403::no", **more: Any) -> Message:
    return reply(request, successful=False, error=error, **more)


def sent(actions: list[Action]) -> list[Message]:
    return [action.message for action in actions if isinstance(action, Send)]


@pytest.fixture
def talk() -> Talk:
    """A client with a session, whose first connect is under way."""
    made = Talk()
    made.open()
    made.shake()
    return made


class TestHandshake:
    def test_it_says_what_it_can(self):
        talk = Talk(ack=True, ext={"authentication": {"user": "me"}})
        (send,) = talk.open()
        assert isinstance(send, Send)
        message = send.message
        assert (send.lane, message.channel, message.version) == (Lane.REQUEST, Meta.HANDSHAKE, "1.0")
        assert message.supported_connection_types == ["websocket"]
        assert message.ext == {"authentication": {"user": "me"}, "ack": True}
        assert message.client_id is UNSET
        assert talk.client.state is State.HANDSHAKING

    def test_nothing_to_say_is_not_said(self):
        talk = Talk()
        assert sent(talk.open())[0].ext is UNSET

    def test_the_first_connect_is_to_be_answered_at_once(self, talk):
        (send,) = talk.actions
        assert send.lane is Lane.CONNECT
        assert send.message.connection_type == "websocket"
        assert send.message.client_id == "c1"
        assert send.message.advice == {"timeout": 0}

    def test_what_is_asked_meanwhile_waits(self):
        talk = Talk()
        talk.open()
        assert talk.client.publish("/a", Raw(b"1"), None)[1] == []
        first, second = talk.shake()
        assert (first.message.channel, first.message.client_id) == ("/a", "c1")
        assert second.message.channel == Meta.CONNECT

    def test_an_event_stream_is_opened_before_anything_can_come_by_it(self):
        talk = Talk(connection_type=ConnectionType.EVENT_SOURCE)
        talk.open()
        assert talk.cycle.supported_connection_types == ["eventsource", "long-polling"]
        _, opened = talk.client.subscribe("/a")
        assert opened == []
        listen, *sends = talk.shake(supported_connection_types=["eventsource"])
        assert listen == Listen("c1")
        assert [send.message.channel for send in sends] == [Meta.SUBSCRIBE, Meta.CONNECT]

    @pytest.mark.parametrize(
        ("more", "reason", "denied"),
        [
            ({"successful": False, "error": "403:wrong password:denied"}, "denied (wrong password)", True),
            ({"successful": False}, "the server does not say why", True),
            ({"successful": False, "error": ""}, "the server does not say why", True),
            ({"supported_connection_types": ["long-polling"]}, "the server offers long-polling", True),
            ({"supported_connection_types": UNSET}, "the server offers nothing", True),
            ({"client_id": UNSET}, "the server does not say which session it made", False),
        ],
    )
    def test_no_session(self, more, reason, denied):
        talk = Talk()
        talk.open()
        assert talk.shake(**more) == [Lost(reason, denied, unserved="offers" in reason)]
        assert talk.client.state is State.OVER
        assert talk.shake() == []

    def test_an_answer_to_nothing_is_ignored(self, talk):
        assert talk.hear(Message(id="99", channel=Meta.HANDSHAKE, successful=True)) == []
        assert talk.hear(Message(id="99", channel=Meta.CONNECT, successful=True)) == []
        assert talk.hear(Message(id="99", channel="/a", successful=True)) == []
        assert talk.hear(Message(id="99")) == []

    def test_no_answer(self):
        talk = Talk()
        talk.open()
        assert talk.wakes_in_ms() == GRACE_MS
        assert talk.wake(GRACE_MS - 1) == []
        assert talk.wake(1) == [Lost("the server does not answer any more")]


class TestConnect:
    def test_each_answer_brings_the_next_one(self, talk):
        (send,) = talk.connected()
        assert (send.lane, send.message.channel, send.message.advice) == (Lane.CONNECT, Meta.CONNECT, UNSET)

    def test_never_two_at_a_time(self, talk):
        old = talk.cycle
        talk.connected()
        assert talk.hear(reply(old)) == []

    def test_advice_stays_until_there_is_other(self, talk):
        talk.connected(advice={"reconnect": "retry", "interval": 250, "timeout": 20_000})
        assert talk.wakes_in_ms() == 250
        talk.wake(250)
        assert talk.wakes_in_ms() == 20_000 + GRACE_MS
        assert talk.client.orders.timeout_ms == 20_000
        talk.connected()
        assert talk.wakes_in_ms() == 250
        talk.wake(250)
        talk.connected(advice={"interval": "soon", "timeout": True})
        assert talk.wakes_in_ms() == TIMEOUT_MS + GRACE_MS

    def test_no_answer(self, talk):
        assert talk.wake(TIMEOUT_MS + GRACE_MS) == [Lost("the server does not answer any more")]

    def test_any_time_may_be_enough(self):
        talk = Talk(grace_ms=None)
        talk.open()
        talk.shake()
        assert talk.client.wake_ns is None
        assert talk.wake(1e9) == []

    @pytest.mark.parametrize("advice", [NEVER, {"reconnect": "retry", "interval": -1}])
    def test_the_server_wants_no_more(self, talk, advice):
        assert talk.connected(advice=advice) == [Lost("the server ended the session")]

    def test_the_server_says_why_it_wants_no_more(self, talk):
        assert talk.connected(successful=False, error="401::expired", advice=NEVER) == [Lost("expired")]

    def test_the_servers_goodbye(self, talk):
        assert talk.hear(Message(channel=Meta.DISCONNECT, successful=True)) == [Lost("the server ended the session")]

    def test_what_is_turned_down_is_tried_later_each_time(self, talk):
        ceilings_ms = [PAUSES.ceiling_s(tries) * 1000 for tries in range(REFUSALS_MAX)]
        assert ceilings_ms == sorted(ceilings_ms)
        for ceiling_ms in ceilings_ms:
            talk.connected(successful=False, error="500::busy", advice={"interval": 100})
            pause_ms = talk.wakes_in_ms()
            assert 100 <= pause_ms <= 100 + ceiling_ms
            (send,) = talk.wake(pause_ms)
            assert send.message.advice == {"timeout": 0}, "to be proven again"
        assert talk.connected(successful=False, error="500::busy") == [Lost("busy")]

    def test_one_that_goes_well_makes_up_for_all_before(self, talk):
        for _ in range(REFUSALS_MAX + 1):
            talk.connected(successful=False, error="500::busy")
            talk.wake(talk.wakes_in_ms())
            talk.connected()
        assert talk.client.state is State.OPEN


class TestAcknowledgement:
    def test_the_last_batch_that_came_is_told(self):
        talk = Talk(ack=True)
        talk.open()
        talk.shake(ext={"ack": True})
        assert talk.client.acknowledges
        assert talk.cycle.ext == {"ack": 0}
        talk.connected(ext={"ack": 7})
        assert talk.cycle.ext == {"ack": 7}
        talk.connected()
        assert talk.cycle.ext == {"ack": 7}

    def test_a_server_without_it_is_told_nothing(self):
        talk = Talk(ack=True)
        talk.open()
        talk.shake()
        assert not talk.client.acknowledges
        assert talk.cycle.ext is UNSET


@pytest.mark.parametrize(("said", "waits"), [({}, False), ({"metaConnectDeliverOnly": True}, True)])
def test_whether_messages_wait_for_connects_is_what_the_server_says(said, waits):
    talk = Talk(ext={"metaConnectDeliverOnly": True})
    talk.open()
    assert talk.cycle.ext == {"metaConnectDeliverOnly": True}
    talk.shake(ext=said)
    assert talk.client.waits is waits


class TestRequests:
    def test_a_publish(self, talk):
        request, (send,) = talk.client.publish("/a", Raw(b'{"x":1}'), {"headers": {"a": "b"}})
        message = send.message
        assert (send.lane, message.id, message.channel, message.client_id) == (Lane.REQUEST, request, "/a", "c1")
        assert (bytes(message.data), message.ext) == (b'{"x":1}', {"headers": {"a": "b"}})
        assert request.isalnum()
        assert talk.hear(reply(message)) == [Answered(request, None)]
        assert talk.hear(reply(message)) == [], "once"

    def test_a_refusal_in_the_servers_words(self, talk):
        request, (send,) = talk.client.publish("/a", Raw(b"1"), None)
        assert talk.hear(failed(send.message, "403:not yours:publish_denied")) == [
            Answered(request, "publish_denied (not yours)")
        ]

    def test_an_id_of_somebody_else_is_no_answer(self, talk):
        request, _ = talk.client.publish("/a", Raw(b"1"), None)
        theirs = Message(id=request, channel="/b", data=Raw(b"2"))
        assert talk.hear(theirs) == [Deliver(theirs)]
        assert talk.hear(Message(id=request, channel="/b", successful=True)) == []

    def test_an_answer_with_data_is_both(self, talk):
        request, _ = talk.client.publish("/service/sum", Raw(b"[1,2]"), None)
        answer = Message(id=request, channel="/service/sum", successful=True, data=Raw(b"3"))
        assert talk.hear(answer) == [Deliver(answer), Answered(request, None)]

    def test_subscriptions(self, talk):
        request, (send,) = talk.client.subscribe("/a/**")
        assert (send.message.channel, send.message.subscription) == (Meta.SUBSCRIBE, "/a/**")
        assert talk.hear(reply(send.message, subscription="/a/**")) == [Answered(request, None)]
        request, (send,) = talk.client.unsubscribe("/a/**")
        assert (send.message.channel, send.message.subscription) == (Meta.UNSUBSCRIBE, "/a/**")
        assert talk.hear(reply(send.message)) == [Answered(request, None)]


class TestForgotten:
    @pytest.fixture
    def talk(self, talk: Talk) -> Talk:
        """A client whose session has worked."""
        talk.connected()
        return talk

    @pytest.mark.parametrize("learns_of_it_by", ["connect", "request"])
    def test_a_session_that_never_worked_is_renewed_later_and_not_for_ever(self, learns_of_it_by):
        talk = Talk()
        talk.open()
        for number in range(REFUSALS_MAX + 1):
            talk.shake(f"c{number}")
            if learns_of_it_by == "connect":
                actions = talk.connected(successful=False, error=Error.SESSION_UNKNOWN, advice=AGAIN)
            else:
                _, (send,) = talk.client.publish("/a", Raw(b"1"), None)
                _, *actions = talk.hear(failed(send.message, Error.SESSION_UNKNOWN))
            if number < REFUSALS_MAX:
                assert actions == [Forgotten("session_unknown")]
                (send,) = talk.wake(talk.wakes_in_ms())
                assert send.message.channel == Meta.HANDSHAKE
        assert actions[-1] == Lost("session_unknown")

    def test_a_connect_learns_of_it(self, talk):
        talk.subscribe("/a")
        talk.subscribe("/b")
        forgotten, send = talk.connected(successful=False, error=Error.SESSION_UNKNOWN, advice=AGAIN)
        assert forgotten == Forgotten("session_unknown")
        assert send.message.channel == Meta.HANDSHAKE
        talk.client.publish("/c", Raw(b"1"), None)
        requests = sent(talk.shake("c2"))
        assert [(each.channel, each.subscription) for each in requests[:2]] == [
            (Meta.SUBSCRIBE, "/a"),
            (Meta.SUBSCRIBE, "/b"),
        ]
        assert [each.channel for each in requests[2:]] == ["/c", Meta.CONNECT]
        assert {each.client_id for each in requests} == {"c2"}
        assert requests[-1].advice == {"timeout": 0}
        assert talk.hear(reply(requests[0])) == []
        assert talk.hear(failed(requests[1])) == [Unsubscribed("/b", "no")]

    def test_one_that_was_refused_or_ended_is_not_asked_for_again(self, talk):
        talk.subscribe("/a")
        talk.subscribe("/b")
        _, (send,) = talk.client.subscribe("/c")
        talk.hear(failed(send.message))
        _, (send,) = talk.client.unsubscribe("/a")
        talk.hear(reply(send.message))
        talk.connected(successful=False, error=Error.SESSION_UNKNOWN, advice=AGAIN)
        assert [each.subscription for each in sent(talk.shake("c2"))] == ["/b", UNSET]

    @pytest.mark.parametrize("error", [Error.SESSION_UNKNOWN, "401:c1:Unknown client"])
    def test_a_request_learns_of_it_where_there_is_no_advice(self, talk, error):
        request, (send,) = talk.client.publish("/a", Raw(b"1"), None)
        answered, forgotten, shake = talk.hear(failed(send.message, error))
        assert (answered.request, type(forgotten), shake.message.channel) == (request, Forgotten, Meta.HANDSHAKE)

    def test_a_request_learns_of_it_by_advice(self, talk):
        _, (send,) = talk.client.publish("/a", Raw(b"1"), None)
        assert len(talk.hear(failed(send.message, "403::Unknown client", advice=AGAIN))) == 3

    @pytest.mark.parametrize(
        "more", [{"error": "402::x", "advice": {"reconnect": "retry"}}, {"error": UNSET}, {"error": "403::no"}]
    )
    def test_not_every_refusal_means_it(self, talk, more):
        _, (send,) = talk.client.publish("/a", Raw(b"1"), None)
        assert len(talk.hear(reply(send.message, successful=False, **more))) == 1

    def test_what_was_asked_in_the_old_session_says_nothing_of_the_new(self, talk):
        _, (old,) = talk.client.publish("/a", Raw(b"1"), None)
        talk.connected(successful=False, error=Error.SESSION_UNKNOWN, advice=AGAIN)
        assert len(talk.hear(failed(old.message, Error.SESSION_UNKNOWN))) == 1, "while there is none"
        _, (late,) = (None, (old,))
        talk.shake("c2")
        assert talk.hear(failed(late.message, Error.SESSION_UNKNOWN)) == []

    def test_an_old_request_that_is_answered_late_does_not_end_the_new_session(self, talk):
        request, (old,) = talk.client.publish("/a", Raw(b"1"), None)
        talk.connected(successful=False, error=Error.SESSION_UNKNOWN, advice=AGAIN)
        talk.shake("c2")
        assert talk.hear(failed(old.message, Error.SESSION_UNKNOWN)) == [Answered(request, "session_unknown")]

    def test_a_new_session_that_is_refused_is_asked_for_again_later(self, talk):
        talk.connected(successful=False, error=Error.SESSION_UNKNOWN, advice=AGAIN)
        for _ in range(REFUSALS_MAX):
            assert talk.shake(successful=False, error="503::busy", advice={"interval": 10}) == []
            (send,) = talk.wake(talk.wakes_in_ms())
            assert send.message.channel == Meta.HANDSHAKE
        assert talk.shake(successful=False, error="503::busy") == [Lost("busy")]

    def test_a_new_session_that_is_denied_is_the_end(self, talk):
        talk.connected(successful=False, error=Error.SESSION_UNKNOWN, advice=AGAIN)
        denied = talk.shake(successful=False, error="403::denied", advice=NEVER)
        assert denied == [Lost("denied", denied=True)]

    def test_a_server_may_want_another_one(self, talk):
        forgotten, send = talk.connected(advice=AGAIN)
        assert isinstance(forgotten, Forgotten)
        assert send.message.channel == Meta.HANDSHAKE

    def test_advice_to_shake_hands_holds_for_that_answer_only(self, talk):
        talk.connected(successful=False, error=Error.SESSION_UNKNOWN, advice=AGAIN)
        talk.shake("c2", advice={"reconnect": "retry"})
        assert talk.connected(successful=False, error="500::busy") == []


class TestLeaving:
    def test_the_server_hears_of_it(self, talk):
        (send,) = talk.wants(talk.client.leave())
        assert (send.lane, send.message.channel, send.message.client_id) == (Lane.REQUEST, Meta.DISCONNECT, "c1")
        assert talk.client.wake_ns is None
        assert talk.hear(reply(talk.cycle, advice=NEVER)) == [], "the connect that waited"
        assert talk.hear(reply(send.message)) == [Left()]
        assert talk.client.state is State.OVER

    def test_what_is_under_way_is_answered_before(self, talk):
        request, (publish,) = talk.client.publish("/a", Raw(b"1"), None)
        (send,) = talk.client.leave()
        assert talk.hear(reply(publish.message), reply(send.message)) == [Answered(request, None), Left()]

    def test_a_refusal_while_leaving_makes_no_new_session(self, talk):
        request, (publish,) = talk.client.publish("/a", Raw(b"1"), None)
        talk.client.leave()
        assert talk.hear(failed(publish.message, Error.SESSION_UNKNOWN)) == [Answered(request, "session_unknown")]

    def test_without_a_session_there_is_nothing_to_say(self):
        talk = Talk()
        talk.open()
        assert talk.client.leave() == [Left()]
        assert talk.client.state is State.OVER


class TestByHand:
    def test_a_connect_waits_until_what_came_was_handled(self):
        talk = Talk(ack=True, by_hand=True)
        talk.open()
        assert talk.client.client_id is None
        talk.shake(ext={"ack": True})
        assert talk.client.client_id == "c1"
        assert talk.connected(ext={"ack": 4}, advice={"maxInterval": 9_000}) == []
        assert (talk.client.parked, talk.wakes_in_ms()) == (True, 3_000)
        assert (talk.client.batch, talk.client.orders.max_interval_ms) == (4, 9_000)
        (send,) = talk.wants(talk.client.go_on(talk.now_ns))
        assert send.message.ext == {"ack": 4}
        assert talk.client.go_on(talk.now_ns) == []

    def test_a_session_of_an_earlier_process(self):
        talk = Talk(ack=True, by_hand=True)
        talk.client.resume("c9", 5)
        _, (send,) = talk.client.subscribe("/a")
        assert send.message.client_id == "c9"
        (send,) = talk.wants(talk.client.go_on(talk.now_ns))
        assert (send.message.client_id, send.message.ext, send.message.advice) == ("c9", {"ack": 5}, {"timeout": 0})

    def test_while_it_waits_the_server_hears_of_us(self):
        talk = Talk(ack=True, by_hand=True)
        talk.open()
        talk.shake(ext={"ack": True})
        talk.connected(ext={"ack": 1}, advice={"maxInterval": 9_000})
        assert talk.wake(3_000) == []
        _, (send,) = talk.client.subscribe("/a")
        talk.hear(reply(send.message))
        (send,) = talk.wake(3_000)
        assert (send.message.channel, send.message.subscription, send.message.client_id) == (Meta.SUBSCRIBE, "/a", "c1")
        assert talk.hear(reply(send.message)) == []
        assert talk.client.parked
        (again,) = talk.wake(3_000)
        _, handshake = talk.hear(failed(again.message, "402::unknown"))
        assert handshake.message.channel == Meta.HANDSHAKE
        assert not talk.client.parked
        subscribe, _ = talk.shake("c2", ext={"ack": True})
        assert (subscribe.message.channel, subscribe.message.subscription) == (Meta.SUBSCRIBE, "/a")

    def test_a_session_that_is_lost_while_it_was_never_proven_is_asked_for_later(self):
        talk = Talk(ack=True, by_hand=True)
        talk.client.resume("c9", 5)
        _, (send,) = talk.client.subscribe("/a")
        talk.hear(failed(send.message, "402::unknown"))
        assert (talk.client.parked, talk.client.state) == (False, State.HANDSHAKING)


def test_the_time_is_asked_for_with_handshakes_and_connects():
    talk = Talk(epoch_ns=1_000_000 * MS)
    (send,) = talk.open()
    assert send.message.ext == {"timesync": {"tc": 1_000_000, "l": 0, "o": 0}}
    talk.now_ns += 80 * MS
    (send,) = talk.shake(ext={"timesync": {"tc": 1_000_000, "ts": 1_005_040, "p": 0}})
    assert send.message.ext == {"timesync": {"tc": 1_000_080, "l": 40, "o": 5_000}}
    talk.now_ns += 120 * MS
    talk.connected(ext={"timesync": {"tc": 1_000_080, "ts": 1_005_140, "p": 0}})
    assert (talk.client.clocks.lag_ms, talk.client.clocks.offset_ms) == (50, 5_000)
