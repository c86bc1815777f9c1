"""A live MQTT connection against a broker that misbehaves on purpose."""

from __future__ import annotations

import queue
import threading
import time

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.mqtt import MqttAdapter
from mqctl.adapters.mqtt_connection import STRANGERS_AFTER_NS
from mqctl.errors import ConnectionLost, OperationTimeout, RefusedError, TopicError, UnsupportedError, UsageError
from mqctl.model import (
    AckMode,
    Confirmation,
    Confirmed,
    Delivery,
    Dialect,
    Fault,
    Outgoing,
    Rejected,
    Retained,
    Topic,
    Unknown,
    UnknownCause,
)
from mqctl.target import MqttOptions
from mqctl.testing.recorder import Recorder
from tests.unit.adapters.fake_mqtt import PATIENCE_S, USUAL, FakeBroker, packet, session, target, text

T = Topic(levels=("t",))
CONFIRMING = USUAL | {"PUBLISH", "PUBREL"}
NOT_AUTHORIZED = b"\x87"
NO_SUBSCRIBERS = b"\x10"


def outgoing(payload: bytes = b"x", **more: object) -> Outgoing:
    return Outgoing(topic=T, payload=payload, **more)


def subscribe(connection, mode=AckMode.AUTO, topic=T, **more):
    return connection.subscribe(SubscribeSpec(topic=topic, ack_mode=mode, **more), timeout_s=PATIENCE_S)


def connack(*properties: bytes) -> bytes:
    said = b"".join(properties)
    return b"\0\0" + bytes((len(said),)) + said


class TestPublish:
    @pytest.mark.parametrize(
        ("fields", "confirmation", "flags"),
        [
            ({}, Confirmation.BROKER, 0b0010),
            ({}, Confirmation.SOCKET, 0b0000),
            ({"persistent": True}, Confirmation.NONE, 0b0010),
            ({"qos": 0}, Confirmation.BROKER, 0b0000),
            ({"qos": 2, "persistent": True}, Confirmation.SOCKET, 0b0100),
            ({"retain": True, "qos": 1}, Confirmation.BROKER, 0b0011),
        ],
    )
    def test_the_quality_of_service_is_what_the_confirmation_needs(self, fields, confirmation, flags):
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            connection.submit(outgoing(**fields), confirmation=confirmation)
            assert peer.next("PUBLISH").flags == flags

    @pytest.mark.parametrize(("qos", "level"), [(0, Confirmation.SOCKET), (1, 2), (2, 2)])
    def test_no_more_is_claimed_than_is_known(self, qos, level):
        with FakeBroker(answers=CONFIRMING) as broker, session(broker) as (connection, _, _):
            assert connection.submit(outgoing(qos=qos)).outcome(PATIENCE_S) == Confirmed(Confirmation(level))

    def test_qos_2_is_confirmed_by_pubcomp_and_not_before(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            pending = connection.submit(outgoing(qos=2))
            peer.answer("PUBREC", 1)
            assert peer.next("PUBREL").mid == 1
            assert not pending.done()
            peer.answer("PUBCOMP", 1)
            assert pending.outcome(PATIENCE_S) == Confirmed(Confirmation.BROKER)

    @pytest.mark.parametrize(("qos", "kind"), [(1, "PUBACK"), (2, "PUBREC")])
    def test_a_refused_message_is_rejected_in_words_and_its_flow_ends(self, qos, kind):
        with FakeBroker(five=True) as broker, session(broker) as (connection, peer, _):
            pending = connection.submit(outgoing(qos=qos))
            peer.answer(kind, 1, NOT_AUTHORIZED + b"\x06\x1f" + text("no!"))
            assert pending.outcome(PATIENCE_S) == Rejected("not authorized: no!")
            connection.submit(outgoing(qos=0))
            assert peer.next("PUBLISH").flags == qos << 1
            assert peer.next("PUBLISH").flags == 0, "and no PUBREL"

    def test_a_message_that_nobody_wants_is_confirmed_all_the_same(self):
        with FakeBroker(five=True) as broker, session(broker) as (connection, peer, _):
            pending = connection.submit(outgoing())
            peer.answer("PUBACK", 1, NO_SUBSCRIBERS)
            assert pending.outcome(PATIENCE_S) == Confirmed(Confirmation.BROKER)

    def test_an_answer_to_nothing_is_ignored(self):
        with FakeBroker(five=True) as broker, session(broker) as (connection, peer, _):
            for kind in ("PUBACK", "PUBCOMP", "PUBREC"):
                peer.answer(kind, 9, NOT_AUTHORIZED if kind == "PUBREC" else b"")
            subscribe(connection)

    def test_messages_leave_at_once_however_many_are_under_way(self):
        """paho would send 20, and the others later and from another thread."""
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            for number in range(30):
                connection.submit(outgoing(b"%d" % number))
            assert [peer.next("PUBLISH").body[5:] for _ in range(30)] == [b"%d" % number for number in range(30)]

    def test_no_more_is_under_way_than_the_broker_takes(self):
        with FakeBroker(connack(b"\x21\0\2"), five=True) as broker, session(broker) as (connection, peer, _):
            pending = [connection.submit(outgoing(b"1")), connection.submit(outgoing(b"2"))]
            third = threading.Thread(target=lambda: pending.append(connection.submit(outgoing(b"3"))))
            third.start()
            assert [peer.next("PUBLISH").body[-1:] for _ in range(2)] == [b"1", b"2"]
            peer.nothing_but("none", within_s=0.1)
            peer.answer("PUBACK", 1)
            assert peer.next("PUBLISH").body[-1:] == b"3"
            third.join(PATIENCE_S)

    def test_nobody_waits_for_ever_for_a_broker_that_confirms_nothing(self, monkeypatch):
        monkeypatch.setattr("mqctl.adapters.mqtt_connection.ROOM_WITHIN_S", 0.01)
        with FakeBroker(connack(b"\x21\0\1"), five=True) as broker, session(broker) as (connection, peer, _):
            first = connection.submit(outgoing(b"1"))
            outcome = connection.submit(outgoing(b"2")).outcome(0)
            assert isinstance(outcome, Unknown)
            assert outcome.cause is UnknownCause.TIMEOUT
            assert "confirmed none" in outcome.reason
            peer.next("PUBLISH")
            peer.answer("PUBACK", 1)
            assert first.outcome(PATIENCE_S) == Confirmed(Confirmation.BROKER)
            connection.submit(outgoing(b"3"))
            assert peer.next("PUBLISH").body.endswith(b"3")

    def test_whoever_waits_for_room_learns_that_the_connection_is_lost(self):
        with FakeBroker(connack(b"\x21\0\1"), five=True) as broker, session(broker) as (connection, peer, _):
            connection.submit(outgoing())
            outcomes = []
            waiting = threading.Thread(target=lambda: outcomes.append(connection.submit(outgoing()).outcome(1)))
            waiting.start()
            peer.next("PUBLISH")
            peer.sock.shutdown(2)
            waiting.join(PATIENCE_S)
            assert isinstance(outcomes[0], Unknown)
            assert outcomes[0].cause is UnknownCause.LOST

    def test_an_id_still_in_use_is_not_given_again(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            connection.submit(outgoing())
            for _ in range(65_534):
                connection._client.outbox.new_id()
            connection.submit(outgoing())
            ids = [int.from_bytes(peer.next("PUBLISH").body[3:5], "big") for _ in range(2)]
            assert ids == [1, 2]

    @pytest.mark.parametrize("version", ["3.1", "3.1.1"])
    def test_what_an_earlier_connection_left_under_an_id_is_ended_first(self, version):
        """The broker would take the new message for that one, and drop it (MQTT 3.1.1, 4.4)."""
        present = b"\1\0" if version == "3.1.1" else b"\0\0"
        known = {"client_id": "c", "mqtt": MqttOptions(version=version)}
        with FakeBroker(present) as broker, session(broker, **known) as (connection, peer, _):
            pending = connection.submit(outgoing(qos=2))
            assert peer.next("PUBREL").mid == 1
            assert peer.next("PUBLISH").flags == 4
            for kind in ("PUBCOMP", "PUBREC"):
                peer.answer(kind, 1)
                assert not pending.done()
            assert peer.next("PUBREL").mid == 1
            peer.answer("PUBCOMP", 1)
            assert pending.outcome(PATIENCE_S) == Confirmed(Confirmation.BROKER)

    @pytest.mark.parametrize(("options", "qos"), [({}, 2), ({"client_id": "c"}, 1)])
    def test_where_nothing_can_be_left_nothing_is_ended(self, options, qos):
        with FakeBroker() as broker, session(broker, **options) as (connection, peer, _):
            connection.submit(outgoing(qos=qos))
            peer.next("CONNECT")
            assert peer._packets.get(timeout=PATIENCE_S).kind == "PUBLISH"

    @pytest.mark.parametrize(
        ("said", "message", "says"),
        [
            (b"\x24\1", outgoing(qos=2), "up to QoS 1, not 2"),
            (b"\x25\0", outgoing(retain=True), "no retained messages"),
            (b"\x27\0\0\0\x0b", outgoing(b"12345"), "up to 11 bytes, and this one has 13"),
        ],
    )
    def test_what_the_broker_does_not_take_is_refused_before_a_byte(self, said, message, says):
        with FakeBroker(connack(said), five=True) as broker, session(broker) as (connection, peer, _):
            with pytest.raises(UnsupportedError, match=says):
                connection.submit(message)
            connection.submit(outgoing(b"ok"))
            assert peer.next("PUBLISH").body.endswith(b"ok")

    def test_the_largest_packet_that_a_broker_takes_is_sent(self):
        with FakeBroker(connack(b"\x27\0\0\0\x0b"), five=True) as broker, session(broker) as (connection, peer, _):
            connection.submit(outgoing(b"123"))
            assert 2 + len(peer.next("PUBLISH").body) == 11

    @pytest.mark.parametrize(
        ("message", "kind", "says"),
        [
            (outgoing(qos=0, persistent=True), UsageError, "cannot be persistent"),
            (Outgoing(topic=Topic(levels=("a", "*")), payload=b""), TopicError, "wildcard"),
            (outgoing(headers={"a": "b"}), UnsupportedError, "MQTT 3.1.1 has no headers"),
            (outgoing(expires_ms=0), UnsupportedError, "no expiry"),
            (outgoing(priority=1), UnsupportedError, "no priorities"),
        ],
    )
    def test_what_cannot_be_said_is_refused_before_a_byte(self, message, kind, says):
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            with pytest.raises(kind, match=says):
                connection.submit(message)
            subscribe(connection)
            assert peer.next("CONNECT")
            assert peer.next("SUBSCRIBE")

    def test_headers_travel_as_properties_and_back(self):
        with FakeBroker(five=True) as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            connection.submit(outgoing(headers={"a": "b"}, content_type="t/x", reply_to="r", qos=0))
            body = peer.next("PUBLISH").body
            assert body[3:] == b"\x11\x26\0\1a\0\1b\x03\0\3t/x\x08\0\1rx"
            peer.send("PUBLISH", body)
            assert recorder.message(b"x").headers == {"a": "b", "content-type": "t/x", "reply-to": "r"}


class TestSubscribe:
    def test_less_quality_than_asked_for_is_told(self):
        with FakeBroker(answers=USUAL - {"SUBSCRIBE"}) as broker, session(broker) as (connection, peer, recorder):
            asking = threading.Thread(target=subscribe, args=(connection,), kwargs={"qos": 2})
            asking.start()
            peer.answer("SUBACK", peer.next("SUBSCRIBE").mid, b"\1")
            asking.join(PATIENCE_S)
            assert [fault.reason for fault in recorder.of(Fault)] == ["QoS 1 is granted where 2 was asked for"]

    @pytest.mark.parametrize(
        ("five", "more", "says"),
        [(False, b"\x80", "unspecified error"), (True, b"\0\x9e", "shared subscription not supported")],
    )
    def test_a_refusal_is_told_in_words(self, five, more, says):
        with FakeBroker(answers=frozenset(), five=five) as broker, session(broker) as (connection, peer, _):
            errors = []

            def ask():
                with pytest.raises(RefusedError) as caught:
                    subscribe(connection)
                errors.append(str(caught.value))

            asking = threading.Thread(target=ask)
            asking.start()
            peer.answer("SUBACK", peer.next("SUBSCRIBE").mid, more)
            asking.join(PATIENCE_S)
            assert errors == [f"the broker refused to subscribe to t: {says}"]

    def test_no_answer_in_time_is_a_timeout_and_the_subscription_is_over(self):
        with FakeBroker(answers=frozenset()) as broker, session(broker) as (connection, peer, recorder):
            with pytest.raises(OperationTimeout):
                connection.subscribe(SubscribeSpec(topic=T), timeout_s=0.05)
            peer.message(b"x", mid=1, qos=1)
            assert peer.next("PUBACK").mid == 1
            assert not recorder.payloads

    @pytest.mark.parametrize(
        ("spec", "kind", "says"),
        [
            (SubscribeSpec(topic=T, qos=0, ack_mode=AckMode.CLIENT), UsageError, "nothing is acknowledged"),
            (SubscribeSpec(topic=T, shared="a/b"), UsageError, "a group"),
            (SubscribeSpec(topic=T, shared=""), UsageError, "a group"),
            (SubscribeSpec(topic=T, prefetch=1), UnsupportedError, "no prefetch"),
            (SubscribeSpec(topic=T, durable="d"), UnsupportedError, "no durable"),
            (SubscribeSpec(topic=Topic(native="a/#/b")), UsageError, "no such subscription"),
        ],
    )
    def test_what_makes_no_sense_is_refused_before_a_byte(self, spec, kind, says):
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            with pytest.raises(kind, match=says):
                connection.subscribe(spec, timeout_s=PATIENCE_S)
            subscribe(connection)
            assert peer.next("SUBSCRIBE").body[2:] == text("t") + b"\1"

    def test_who_keeps_no_retained_messages_is_asked_for_none(self):
        with FakeBroker(connack(b"\x25\0"), five=True) as broker, session(broker) as (connection, _, _):
            with pytest.raises(UnsupportedError, match="no retained messages"):
                subscribe(connection, retained=Retained.ONLY)
            subscribe(connection, retained=Retained.SKIP)

    @pytest.mark.parametrize("dialect", [Dialect.CLASSIC, Dialect.RABBITMQ])
    def test_brokers_without_groups_are_known(self, dialect):
        with FakeBroker() as broker, session(broker, dialect=dialect) as (connection, _, _):
            for spec in (SubscribeSpec(topic=T, shared="g"), SubscribeSpec(topic=Topic(levels=("$share", "g", "t")))):
                with pytest.raises(UnsupportedError, match="no shared subscriptions"):
                    connection.subscribe(spec, timeout_s=PATIENCE_S)

    def test_a_group_gets_the_messages_of_its_topic(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscription = subscribe(connection, shared="g")
            assert peer.next("SUBSCRIBE").body[2:] == text("$share/g/t") + b"\1"
            peer.message(b"x")
            assert recorder.message(b"x").subscription == subscription

    def test_one_topic_has_one_subscription(self):
        with FakeBroker() as broker, session(broker) as (connection, _, _):
            first = subscribe(connection)
            with pytest.raises(UsageError, match="already"):
                subscribe(connection)
            connection.unsubscribe(first, timeout_s=PATIENCE_S)
            subscribe(connection)

    @pytest.mark.parametrize(
        ("changes", "spec", "qos"),
        [
            ({}, {}, 1),
            ({"dialect": Dialect.ARTEMIS}, {}, 0),
            ({"dialect": Dialect.ARTEMIS}, {"qos": 2}, 2),
            ({"dialect": Dialect.ARTEMIS}, {"mode": AckMode.CLIENT}, 1),
            ({"dialect": Dialect.ARTEMIS, "client_id": "c"}, {}, 1),
        ],
    )
    def test_the_usual_quality_loses_nothing_but_where_it_loses_the_order(self, changes, spec, qos):
        with FakeBroker() as broker, session(broker, **changes) as (connection, peer, _):
            subscribe(connection, **spec)
            assert peer.next("SUBSCRIBE").body[-1] == qos

    def test_mqtt_5_is_asked_to_leave_out_what_is_not_wanted(self):
        with FakeBroker(five=True) as broker, session(broker) as (connection, peer, _):
            subscribe(connection, retained=Retained.SKIP, headers={"a": "b"})
            assert peer.next("SUBSCRIBE").body[2:] == b"\x07\x26\0\1a\0\1b" + text("t") + bytes((0b10_0001,))

    @pytest.mark.parametrize(("wanted", "payloads"), [(Retained.SKIP, [b"new"]), (Retained.ONLY, [b"kept"])])
    def test_what_is_not_wanted_is_acknowledged_and_dropped(self, wanted, payloads):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.INDIVIDUAL, retained=wanted)
            peer.message(b"kept", mid=1, qos=1, flags=1)
            peer.message(b"new", mid=2, qos=1)
            tokens = [delivery.ack for delivery in recorder.deliveries(1)]
            connection.ack(tokens[0])
            assert [peer.next("PUBACK").mid for _ in range(2)] == [1, 2]
            assert recorder.payloads == payloads


class TestAcknowledge:
    def test_in_auto_mode_the_sink_has_taken_it_first(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            for mid, qos, answer in ((1, 1, "PUBACK"), (2, 2, "PUBREC")):
                peer.message(b"%d" % mid, mid=mid, qos=qos)
                assert peer.next(answer).mid == mid
                assert recorder.payloads[-1] == b"%d" % mid
            peer.answer("PUBREL", 2)
            assert peer.next("PUBCOMP").mid == 2

    def test_a_sink_that_fails_acknowledges_nothing_and_ends_the_connection(self):
        def sink(events):
            recorder(events)
            if recorder.payloads:
                raise RuntimeError("full")

        recorder = Recorder(PATIENCE_S)
        with FakeBroker() as broker, MqttAdapter().connect(target(broker), sink=sink) as connection:
            peer = broker.peer()
            subscribe(connection)
            peer.message(b"x", mid=1, qos=1)
            assert "full" in recorder.disconnected().reason
            with pytest.raises(AssertionError, match="hung up"):
                peer.next("PUBACK")

    def test_acknowledgements_leave_in_the_order_of_arrival(self):
        """Of the whole connection, whatever was acknowledged first (MQTT 3.1.1, 4.6)."""
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.INDIVIDUAL)
            subscribe(connection, topic=Topic(levels=("auto",)))
            for mid, topic, qos in ((7, "t", 1), (8, "auto", 1), (9, "t", 2), (10, "t", 1)):
                peer.message(b"%d" % mid, topic, mid=mid, qos=qos)
            tokens = {each.payload: each.ack for each in recorder.deliveries(4)}
            connection.ack(tokens[b"10"])
            connection.ack(tokens[b"9"])
            peer.next("SUBSCRIBE")
            peer.next("SUBSCRIBE")
            peer.nothing_but("none", within_s=0.1)
            connection.ack(tokens[b"7"])
            assert [(each := peer._packets.get(timeout=PATIENCE_S)).kind + str(each.mid) for _ in range(4)] == [
                "PUBACK7",
                "PUBACK8",
                "PUBREC9",
                "PUBACK10",
            ]

    def test_in_client_mode_the_earlier_ones_are_covered(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.CLIENT)
            for mid in (1, 2, 3):
                peer.message(b"%d" % mid, mid=mid, qos=1)
            tokens = [each.ack for each in recorder.deliveries(3)]
            connection.ack(tokens[1])
            assert [peer.next("PUBACK").mid for _ in range(2)] == [1, 2]
            for used in tokens[:2]:
                with pytest.raises(UsageError):
                    connection.ack(used)
            connection.ack(tokens[2])
            assert peer.next("PUBACK").mid == 3

    def test_an_ended_subscription_holds_up_nobody(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            slow = subscribe(connection, AckMode.INDIVIDUAL)
            subscribe(connection, topic=Topic(levels=("auto",)))
            peer.message(b"1", "t", mid=1, qos=1)
            peer.message(b"2", "auto", mid=2, qos=1)
            token = recorder.deliveries(2)[0].ack
            connection.unsubscribe(slow, timeout_s=PATIENCE_S)
            with pytest.raises(UsageError):
                connection.ack(token)
            peer.message(b"3", "auto", mid=3, qos=1)
            assert [peer.next("PUBACK").mid for _ in range(2)] == [2, 3]

    def test_what_comes_after_unsubscribe_is_acknowledged_and_dropped(self):
        with FakeBroker() as broker, session(broker, client_id="c") as (connection, peer, recorder):
            connection.unsubscribe(subscribe(connection), timeout_s=PATIENCE_S)
            peer.message(b"late", mid=1, qos=1)
            assert peer.next("PUBACK").mid == 1
            assert not recorder.payloads

    def test_there_is_nothing_to_refuse_with(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.INDIVIDUAL)
            peer.message(b"x", mid=1, qos=1)
            with pytest.raises(UnsupportedError):
                connection.nack(recorder.message(b"x").ack)

    def test_what_came_at_qos_0_has_no_token(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.INDIVIDUAL)
            peer.message(b"x")
            assert recorder.message(b"x").ack is None

    def test_what_comes_again_says_so(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            peer.message(b"again", mid=1, qos=1, flags=8)
            assert recorder.message(b"again").redelivered


class TestSession:
    """Messages that a broker kept come as soon as it says CONNACK, ahead of any subscription."""

    def waiting(self, *payloads: bytes, topic: str = "t") -> bytes:
        return b"".join(
            packet("PUBLISH", text(topic) + mid.to_bytes(2, "big") + payload, 2)
            for mid, payload in enumerate(payloads, 1)
        )

    def test_they_wait_for_their_subscription_and_come_first(self):
        with (
            FakeBroker(b"\1\0", also=self.waiting(b"1", b"2")) as broker,
            session(broker, client_id="c") as (connection, peer, recorder),
        ):
            subscription = subscribe(connection, AckMode.INDIVIDUAL)
            peer.message(b"3", mid=3, qos=1)
            came = recorder.deliveries(3)
            assert [each.payload for each in came] == [b"1", b"2", b"3"]
            assert {each.subscription for each in came} == {subscription}
            connection.ack(came[0].ack)
            assert peer.next("PUBACK").mid == 1

    def test_they_have_the_time_when_they_came(self):
        """Though they came with CONNACK, which another loop reads."""
        begun_ns = time.monotonic_ns()
        with (
            FakeBroker(b"\1\0", also=self.waiting(b"1")) as broker,
            session(broker, client_id="c") as (connection, _, recorder),
        ):
            subscribe(connection)
            (came,) = recorder.deliveries(1)
        assert begun_ns < came.received_ns < time.monotonic_ns()

    def test_in_auto_mode_they_are_acknowledged_when_they_are_taken(self):
        with (
            FakeBroker(b"\1\0", also=self.waiting(b"1")) as broker,
            session(broker, client_id="c") as (connection, peer, recorder),
        ):
            subscribe(connection)
            assert recorder.deliveries(1)
            assert peer.next("PUBACK").mid == 1

    def test_those_of_an_earlier_subscription_stay_and_are_told_of(self, monkeypatch):
        monkeypatch.setattr("mqctl.adapters.mqtt_connection.STRANGERS_AFTER_NS", 0)
        assert STRANGERS_AFTER_NS > 0
        with (
            FakeBroker(b"\1\0", also=self.waiting(b"old", topic="old")) as broker,
            session(broker, client_id="c") as (connection, peer, recorder),
        ):
            subscribe(connection)
            peer.message(b"x")
            recorder.message(b"x")
            assert [fault.reason.split(" come")[0] for fault in recorder.of(Fault)] == ["messages of old"]
            peer.next("SUBSCRIBE")
            peer.nothing_but("none", within_s=0.1)

    def test_too_many_are_dropped_and_counted(self, monkeypatch):
        monkeypatch.setattr("mqctl.adapters.mqtt_messages.HELD_MAX", 1)
        with (
            FakeBroker(b"\1\0", also=self.waiting(b"1", b"2", b"3")) as broker,
            session(broker, client_id="c") as (connection, _, recorder),
        ):
            subscribe(connection)
            recorder.message(b"1")
            assert sum(getattr(event, "dropped", 0) for event in recorder.events) == 2
            assert recorder.payloads == [b"1"]


class TestEnd:
    def test_the_broker_says_why_it_leaves(self):
        with FakeBroker(five=True) as broker, session(broker) as (connection, peer, recorder):
            pending = connection.submit(outgoing())
            peer.send("DISCONNECT", b"\x8e\x06\x1f" + text("hm!"))
            ended = recorder.disconnected()
            assert not ended.expected
            assert ended.reason.startswith("the broker disconnected: session taken over: hm! (another client")
            assert isinstance(ended.error, RefusedError), "to come back would take it over in turn"
            assert isinstance(pending.outcome(0), Unknown)
            with pytest.raises(ConnectionLost):
                subscribe(connection)

    def test_another_reason_to_leave_is_no_reason_not_to_come_back(self):
        with FakeBroker(five=True) as broker, session(broker) as (_, peer, recorder):
            peer.send("DISCONNECT", b"\x8b")
            assert recorder.disconnected().reason == "the broker disconnected: server shutting down"
            assert recorder.disconnected().error is None

    @pytest.mark.parametrize(
        ("options", "reason"),
        [({}, ""), ({"client_id": "c"}, ", perhaps because another client came with the same client id")],
    )
    def test_where_the_broker_says_nothing_a_client_id_may_be_why(self, options, reason):
        with FakeBroker() as broker, session(broker, **options) as (_, peer, recorder):
            peer.sock.shutdown(2)
            assert recorder.disconnected().reason == f"the broker closed the connection{reason}"

    @pytest.mark.parametrize(
        "data",
        [
            b"\x30\x01\0",
            b"\x30\x03\0\0x",
            b"\x32\x03\0\x01t",
            b"\x36\x07\0\x01t\0\1xx",
            b"\x30\xff\xff\xff\xff\x01",
            b"\xf0\0",
            b"\x40\x01\0",
            b"\x40\x03\0\1\0",
            b"\x41\x02\0\1",
            b"\x20\x02\0\0",
            b"\x60\x02\0\1",
            b"\xc0\0",
            b"\x90\x02\0\1",
        ],
    )
    def test_nonsense_ends_the_connection_and_what_came_before_is_handed_on(self, data):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            peer.sock.sendall(peer.publish(b"fine") + data)
            recorder.message(b"fine")
            assert not recorder.disconnected().expected
            assert "the broker sent" in recorder.disconnected().reason

    def test_a_topic_alias_ends_the_connection(self):
        with FakeBroker(five=True) as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            peer.sock.sendall(
                packet("PUBLISH", text("t") + b"\3\x23\0\1x") + packet("PUBLISH", text("") + b"\3\x23\0\1y")
            )
            assert "a topic alias" in recorder.disconnected().reason
            assert not recorder.payloads

    def test_a_refusal_that_is_cut_short_ends_the_connection(self):
        with FakeBroker(five=True) as broker, session(broker) as (connection, peer, recorder):
            pending = connection.submit(outgoing(qos=2))
            peer.answer("PUBREC", 1, NOT_AUTHORIZED + b"\x03\x11\0\0")
            assert "the broker sent" in recorder.disconnected().reason
            assert isinstance(pending.outcome(0), Unknown)

    def test_packets_may_come_in_any_pieces(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            data = peer.publish(b"a" * 5) + peer.publish(b"b" * 300) + peer.publish(b"")
            for byte in data:
                peer.sock.sendall(bytes((byte,)))
            recorder.deliveries(3)
            assert recorder.payloads == [b"a" * 5, b"b" * 300, b""]

    def test_close_says_goodbye_after_all_that_is_under_way(self):
        with FakeBroker(answers=CONFIRMING) as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            connection.submit(outgoing(qos=0))
            peer.message(b"x", mid=1, qos=1)
            recorder.message(b"x")
            connection.close()
            for kind in ("PUBLISH", "PUBACK", "DISCONNECT"):
                peer.next(kind)
            assert recorder.disconnected().expected

    def test_pings_are_sent_while_nothing_comes_and_silence_ends_the_connection(self, monkeypatch):
        monkeypatch.setattr("mqctl.adapters.mqtt._keep_alive_s", lambda _target: 1)
        with FakeBroker(connack(b"\x13\0\1"), answers=USUAL, five=True) as broker, session(broker) as (_, peer, _):
            for _ in range(2):
                peer.next("PINGREQ")
        with FakeBroker(answers=frozenset()) as broker, session(broker) as (_, peer, recorder):
            peer.next("PINGREQ")
            assert recorder.disconnected().reason == "no sign of life from the broker for 3 s"

    def test_the_receiver_of_events_must_not_call_back(self):
        errors: queue.Queue[str] = queue.Queue()

        def sink(events):
            if isinstance(events[0], Delivery):
                for call in (connection.submit, subscribe, connection.ack, connection.nack):
                    with pytest.raises(UsageError) as caught:
                        call(connection if call is subscribe else outgoing())
                    errors.put(str(caught.value))

        with FakeBroker() as broker, MqttAdapter().connect(target(broker), sink=sink) as connection:
            subscribe(connection)
            broker.peer().message(b"x")
            told = {errors.get(timeout=PATIENCE_S) for _ in range(4)}
        assert told == {"the receiver of events must not call back into the connection"}
