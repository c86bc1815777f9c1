"""A live STOMP connection against a broker that misbehaves on purpose."""

from __future__ import annotations

import signal
import socket
import threading
import time

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.stomp import StompAdapter
from mqctl.adapters.stomp_events import Unacknowledged
from mqctl.errors import ConnectionLost, OperationTimeout, RefusedError, TopicError, UnsupportedError, UsageError
from mqctl.model import (
    AckMode,
    Confirmation,
    Confirmed,
    Delivery,
    Disconnected,
    Fault,
    Outgoing,
    Rejected,
    SubscriptionId,
    Topic,
    Unknown,
    UnknownCause,
)
from mqctl.target import Endpoint
from mqctl.testing.recorder import Recorder
from tests.unit.adapters.fake import ARTEMIS, CLASSIC, PATIENCE_S, RABBITMQ, FakeBroker, session, target

T = Topic(levels=("t",))


def outgoing(payload: bytes = b"x", **more: object) -> Outgoing:
    return Outgoing(topic=T, payload=payload, **more)


def subscribe(connection, mode=AckMode.AUTO, **more):
    return connection.subscribe(SubscribeSpec(topic=T, ack_mode=mode, **more), timeout_s=PATIENCE_S)


def one_is_refused_and_one_confirmed(connection, peer):
    """Two messages; the broker says no to the first, by its receipt, and goes on."""
    bad, good = connection.submit(outgoing()), connection.submit(outgoing())
    ids = [peer.next("SEND").headers["receipt"] for _ in range(2)]
    peer.send("ERROR", {"receipt-id": ids[0], "message": "not you"})
    peer.send("RECEIPT", {"receipt-id": ids[1]})
    assert good.outcome(PATIENCE_S) == Confirmed(Confirmation.BROKER)
    assert bad.outcome(0) == Rejected("not you")


class TestPublish:
    @pytest.mark.parametrize(
        ("payload", "as_text", "length"),
        [
            (b"text", None, None),
            ("값".encode(), None, None),
            (b"", None, None),
            (b"a\0b", None, "3"),
            (b"\xff", None, "1"),
            (b"text", False, "4"),
            (b"", False, "0"),
            (b"text", True, None),
            (b"a\0b", True, "3"),
        ],
    )
    def test_content_length_tells_bytes_from_text(self, payload, as_text, length):
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            connection.submit(outgoing(payload, as_text=as_text))
            frame = peer.next("SEND")
            assert frame.headers.get("content-length") == length
            assert frame.body == payload

    def test_bytes_that_are_no_text_are_not_sent_as_text(self):
        with FakeBroker() as broker, session(broker) as (connection, _, _), pytest.raises(UsageError, match="UTF-8"):
            connection.submit(outgoing(b"\xff", as_text=True))

    def test_header_names_are_escaped_too(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            connection.submit(outgoing(headers={"a:b\nc": "d:e\r\n\\"}))
            assert peer.next("SEND").headers["a:b\nc"] == "d:e\r\n\\"

    @pytest.mark.parametrize("name", ["destination", "receipt", "content-length", "transaction"])
    def test_the_protocols_own_headers_cannot_be_set(self, name):
        with FakeBroker() as broker, session(broker) as (connection, _, _), pytest.raises(UsageError, match=name):
            connection.submit(outgoing(headers={name: "x"}))

    @pytest.mark.parametrize(
        ("version", "value"), [("1.0", "two\nlines"), ("1.2", "lone \ud800"), ("1.2", "N\0L")], ids=ascii
    )
    def test_a_header_that_cannot_be_carried_is_refused_and_leaves_nothing_open(self, version, value):
        with FakeBroker({"version": version}) as broker, session(broker) as (connection, peer, _):
            with pytest.raises(UsageError):
                connection.submit(outgoing(headers={"h": value}))
            before = time.monotonic()
            connection.close(timeout_s=PATIENCE_S)
            assert time.monotonic() - before < PATIENCE_S / 2
            assert b"SEND" not in peer.raw

    def test_a_wildcard_is_refused_before_anything_is_sent(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            with pytest.raises(TopicError):
                connection.submit(Outgoing(topic=Topic(levels=("*",)), payload=b""))
            connection.close()
            assert b"SEND" not in peer.raw

    def test_an_error_that_names_the_message_rejects_it_and_the_connection_goes_on(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            one_is_refused_and_one_confirmed(connection, peer)
            assert not recorder.of(Fault)

    def test_what_the_broker_said_last_is_why_it_closed_the_connection_also_where_that_named_a_message(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            connection.submit(outgoing())
            peer.send("ERROR", {"receipt-id": peer.next("SEND").headers["receipt"], "message": "limit: queue (5)"})
            peer.sock.shutdown(socket.SHUT_RDWR)
            lost = recorder.disconnected().reason
            assert lost == "the broker closed the connection after complaining: limit: queue (5)"

    def test_what_the_broker_refused_and_forgave_is_not_why_the_connection_was_lost(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            one_is_refused_and_one_confirmed(connection, peer)
            peer.sock.shutdown(socket.SHUT_RDWR)
            assert recorder.disconnected().reason == "the broker closed the connection"

    def test_an_error_that_names_nothing_is_a_fault_and_the_pending_stay_unknown(self):
        with FakeBroker({"server": RABBITMQ}) as broker, session(broker) as (connection, peer, recorder):
            pending = [connection.submit(outgoing()) for _ in range(2)]
            peer.send("ERROR", {"message": "access_refused"}, b"write access to exchange refused\n")
            peer.sock.shutdown(socket.SHUT_RDWR)
            for each in pending:
                outcome = each.outcome(PATIENCE_S)
                assert isinstance(outcome, Unknown)
                assert outcome.cause is UnknownCause.LOST
                assert "access_refused: write access to exchange refused" in outcome.reason
            assert not recorder.disconnected().expected
            assert [fault.reason for fault in recorder.of(Fault)] == [
                "access_refused: write access to exchange refused"
            ]

    @pytest.mark.parametrize(
        ("code", "unasked", "kind"),
        [("access_refused", False, Rejected), ("access_refused", True, Unknown), ("Connection forced", False, Unknown)],
    )
    def test_only_a_definite_error_about_the_only_frame_rejects_it_without_its_name(self, code, unasked, kind):
        """RabbitMQ names no receipt when it refuses a SEND; a shutdown by its administrator reads alike."""
        with FakeBroker({"server": RABBITMQ}) as broker, session(broker) as (connection, peer, _):
            if unasked:
                connection.submit(outgoing(), confirmation=Confirmation.SOCKET)
            pending = connection.submit(outgoing())
            peer.next("SEND")
            peer.send("ERROR", {"message": code}, b"words")
            peer.sock.shutdown(socket.SHUT_RDWR)
            assert isinstance(pending.outcome(PATIENCE_S), kind)

    def test_what_was_refused_without_its_name_is_known_at_once_while_the_connection_stands(self):
        """RabbitMQ does not hang up over a destination that it cannot parse."""
        with FakeBroker({"server": RABBITMQ}) as broker, session(broker) as (connection, peer, _):
            pending = connection.submit(outgoing())
            receipt = peer.next("SEND").headers["receipt"]
            peer.send("ERROR", {"message": "Unknown destination"}, b"'/nope/a' is not a valid destination")
            outcome = pending.outcome(PATIENCE_S)
            assert isinstance(outcome, Rejected)
            assert "/nope/a" in outcome.reason
            peer.send("RECEIPT", {"receipt-id": receipt})
            connection.close(timeout_s=0.2)
            assert pending.outcome(0) == outcome

    def test_a_receipt_that_nobody_asked_for_is_ignored(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            peer.send("RECEIPT", {"receipt-id": "nonsense"})
            peer.message(b"after")
            recorder.message(b"after")

    def test_writers_of_many_threads_do_not_mix_their_frames(self):
        with FakeBroker(receipts=frozenset({"SEND"})) as broker, session(broker) as (connection, peer, _):
            bodies = [bytes([65 + number]) * 3_000_000 for number in range(6)]
            threads = [threading.Thread(target=connection.submit, args=(outgoing(body),)) for body in bodies]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(peer.next("SEND").body for _ in bodies) == bodies

    def test_close_ends_a_publish_that_is_stuck_at_a_peer_that_does_not_read(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = Endpoint(*listener.getsockname())
            accepted = []

            def log_in():
                sock, _ = listener.accept()
                accepted.append(sock)
                sock.recv(65536)
                sock.sendall(b"CONNECTED\nversion:1.2\n\n\0")

            greeter = threading.Thread(target=log_in)
            greeter.start()
            connection = StompAdapter().connect(target(endpoints=(endpoint,)), sink=lambda _events: None)
            greeter.join()
            outcomes = []
            stuck = threading.Thread(
                target=lambda: outcomes.append(connection.submit(outgoing(b"x" * 30_000_000)).outcome(PATIENCE_S))
            )
            stuck.start()
            before = time.monotonic()
            connection.close(timeout_s=0.2)
            stuck.join(PATIENCE_S)
            assert time.monotonic() - before < 2
            assert isinstance(outcomes[0], Unknown)
            accepted[0].close()


class TestSubscribe:
    def test_no_answer_in_time_is_a_timeout(self):
        with (
            FakeBroker(receipts=frozenset()) as broker,
            session(broker) as (connection, _, _),
            pytest.raises(OperationTimeout, match="/topic/t"),
        ):
            connection.subscribe(SubscribeSpec(topic=T), timeout_s=0.05)

    def test_a_refusal_has_the_brokers_words(self):
        with FakeBroker(receipts=frozenset()) as broker, session(broker) as (connection, peer, _):
            refuse = threading.Thread(
                target=lambda: peer.send(
                    "ERROR", {"receipt-id": peer.next("SUBSCRIBE").headers["receipt"], "message": "not you"}
                )
            )
            refuse.start()
            with pytest.raises(RefusedError, match="not you"):
                subscribe(connection)
            refuse.join()

    @pytest.mark.parametrize(("server", "receipt_too"), [(ARTEMIS, False), (RABBITMQ, False), (RABBITMQ, True)])
    def test_an_error_without_a_name_while_we_wait_is_the_refusal(self, server, receipt_too):
        """Artemis names no receipt; RabbitMQ neither, and sends the receipt all the same."""
        with FakeBroker({"server": server}, receipts=frozenset()) as broker, session(broker) as (connection, peer, _):

            def refuse():
                receipt = peer.next("SUBSCRIBE").headers["receipt"]
                peer.send("ERROR", {"message": "access_refused"}, b"read access refused")
                if receipt_too:
                    peer.send("RECEIPT", {"receipt-id": receipt})
                peer.sock.shutdown(socket.SHUT_RDWR)

            thread = threading.Thread(target=refuse)
            thread.start()
            with pytest.raises(RefusedError, match="access"):
                subscribe(connection)
            thread.join()

    def test_a_connection_that_breaks_meanwhile_is_lost(self):
        with FakeBroker(receipts=frozenset()) as broker, session(broker) as (connection, peer, _):
            thread = threading.Thread(
                target=lambda: (peer.next("SUBSCRIBE"), peer.sock.shutdown(socket.SHUT_RDWR)), daemon=True
            )
            thread.start()
            with pytest.raises(ConnectionLost):
                subscribe(connection)
            thread.join()

    @pytest.mark.parametrize("name", ["destination", "id", "ack", "receipt"])
    def test_the_protocols_own_headers_cannot_be_set(self, name):
        with FakeBroker() as broker, session(broker) as (connection, _, _), pytest.raises(UsageError, match=name):
            subscribe(connection, headers={name: "x"})

    def test_classic_is_told_to_forget_after_the_subscription_is_inactive(self):
        with FakeBroker({"server": CLASSIC}) as broker, session(broker, client_id="c") as (connection, peer, _):
            subscription = subscribe(connection, durable="d")
            assert peer.next("SUBSCRIBE").headers["activemq.subscriptionName"] == "d"
            connection.unsubscribe(subscription, timeout_s=PATIENCE_S, forget=True)
            assert "activemq.subscriptionName" not in peer.next("UNSUBSCRIBE").headers
            assert peer.next("UNSUBSCRIBE").headers["activemq.subscriptionName"] == "d"

    def test_rabbitmq_knows_a_durable_subscription_by_its_id(self):
        with FakeBroker({"server": RABBITMQ}) as broker, session(broker) as (connection, peer, _):
            assert subscribe(connection, durable="d") == "d"
            assert peer.next("SUBSCRIBE").headers["id"] == "d"
            with pytest.raises(UsageError, match="already"):
                subscribe(connection, durable="d")

    def test_only_a_durable_one_can_be_forgotten(self):
        with FakeBroker() as broker, session(broker) as (connection, _, _):
            subscription = subscribe(connection)
            with pytest.raises(UsageError, match="durable"):
                connection.unsubscribe(subscription, timeout_s=PATIENCE_S, forget=True)

    def test_rabbitmq_gets_no_second_subscription_beside_a_cumulative_one(self):
        with FakeBroker({"server": RABBITMQ}) as broker, session(broker) as (connection, _, _):
            first = subscribe(connection, AckMode.CLIENT)
            subscribe(connection)
            for mode in (AckMode.CLIENT, AckMode.INDIVIDUAL):
                with pytest.raises(UnsupportedError, match="whole connection"):
                    subscribe(connection, mode)
            connection.unsubscribe(first, timeout_s=PATIENCE_S)
            subscribe(connection, AckMode.CLIENT)


class TestReceive:
    def test_every_byte_of_a_body_arrives(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            peer.message(bytes(range(256)))
            assert recorder.deliveries(1)[0].payload == bytes(range(256))

    def test_the_protocols_headers_stay_inside_and_the_users_come_out(self):
        with FakeBroker({"server": RABBITMQ}) as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.INDIVIDUAL)
            peer.message(b"x", ack="a1", redelivered="true", receipt="7", mine="1", timestamp="2")
            delivery = recorder.deliveries(1)[0]
            assert delivery.headers == {"mine": "1", "timestamp": "2"}
            assert (delivery.topic, delivery.id, delivery.redelivered) == ("t", "m1", True)
            assert delivery.ack is not None

    def test_which_kind_of_destination_was_meant_does_not_come_back_from_artemis(self):
        """Copied from a topic to a queue, MULTICAST would make the message vanish."""
        with FakeBroker({"server": ARTEMIS}) as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            peer.message(b"x", receipt="7", mine="1", **{"destination-type": "MULTICAST"})
            assert recorder.deliveries(1)[0].headers == {"mine": "1"}

    @pytest.mark.parametrize(("server", "redelivered"), [(CLASSIC, False), (ARTEMIS, None), ("", None)])
    def test_what_no_mark_of_redelivery_means_depends_on_the_broker(self, server, redelivered):
        with FakeBroker({"server": server}) as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            peer.message(b"x")
            assert recorder.deliveries(1)[0].redelivered is redelivered

    def test_many_messages_of_one_read_are_one_batch(self):
        batches = []
        with FakeBroker() as broker:
            connection = StompAdapter().connect(target(broker), sink=lambda events: batches.append(len(events)))
            subscribe(connection)
            frame = b"MESSAGE\ndestination:/topic/t\nmessage-id:1\nsubscription:1\n\nx\0\n"
            broker.peer().sock.sendall(frame * 500)
            connection.close()
        assert max(batches) > 100

    def test_silence_longer_than_the_connect_timeout_is_no_reason_to_hang_up(self):
        with FakeBroker() as broker, session(broker, connect_timeout_s=1.0) as (connection, peer, recorder):
            subscribe(connection)
            assert not threading.Event().wait(1.2)
            peer.message(b"late")
            recorder.message(b"late")

    def test_what_was_whole_before_nonsense_is_delivered(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            peer.sock.sendall(b"MESSAGE\ndestination:/topic/t\nmessage-id:1\nsubscription:1\n\ngood\0NONSENSE\n\n\0")
            end = recorder.disconnected()
            assert recorder.payloads == [b"good"]
            assert "broke the protocol" in end.reason

    def test_half_a_frame_at_the_end_is_no_message(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection)
            peer.sock.sendall(b"MESSAGE\ndestination:/topic/t\nmessage-id:1\nsubscription:1\n\nhal")
            peer.sock.shutdown(socket.SHUT_RDWR)
            assert not recorder.disconnected().expected
            assert not recorder.payloads

    def test_a_receiver_that_raises_ends_the_connection_and_says_so(self):
        events = []

        def sink(batch):
            events.extend(batch)
            if any(isinstance(event, Delivery) for event in batch):
                raise RuntimeError("no room")

        with FakeBroker() as broker:
            connection = StompAdapter().connect(target(broker), sink=sink)
            subscribe(connection)
            pending = connection.submit(outgoing())
            broker.peer().message(b"x")
            outcome = pending.outcome(PATIENCE_S)
            connection.close()
        assert isinstance(outcome, Unknown)
        assert "no room" in outcome.reason
        assert [type(event) for event in events][-1] is Disconnected

    def test_calling_back_from_the_receiver_is_refused(self):
        caught = []
        with FakeBroker() as broker:
            holder = []

            def sink(batch):
                if holder:
                    for call in (
                        lambda: holder[0].submit(outgoing()),
                        lambda: subscribe(holder[0]),
                        lambda: holder[0].unsubscribe("1", timeout_s=1),
                        lambda: holder[0].ack(batch[0].ack),
                    ):
                        with pytest.raises(UsageError, match="call back") as error:
                            call()
                        caught.append(error)

            connection = StompAdapter().connect(target(broker), sink=sink)
            subscribe(connection)
            holder.append(connection)
            broker.peer().message(b"x")
            connection.close()
        assert len(caught) >= 4

    def test_nothing_reconnects_by_itself(self):
        with FakeBroker() as broker, session(broker) as (_, peer, recorder):
            peer.sock.shutdown(socket.SHUT_RDWR)
            recorder.disconnected()
            assert broker.accepted == 1

    def test_an_unexpected_frame_is_a_fault(self):
        with FakeBroker() as broker, session(broker) as (_, peer, recorder):
            peer.send("SEND", {"destination": "/topic/t"})
            peer.sock.shutdown(socket.SHUT_RDWR)
            recorder.disconnected()
            assert "SEND" in recorder.of(Fault)[0].reason


class TestAcknowledge:
    def test_one_acknowledgement_of_very_many_messages_takes_no_time(self):
        """A quarter of a million took half a minute, during which nothing was read."""
        messages = Unacknowledged()
        name = SubscriptionId("1")
        messages.begin(name, AckMode.CLIENT)
        tokens = [messages.token(name, str(n)) for n in range(250_000)]
        before = time.monotonic()
        assert messages.use(tokens[-1], cumulative=True) == "249999"
        assert time.monotonic() - before < PATIENCE_S / 10
        with pytest.raises(UsageError):
            messages.use(tokens[0], cumulative=True)

    @pytest.mark.parametrize(
        ("version", "expected"),
        [
            ("1.0", {"message-id": "m1"}),
            ("1.1", {"message-id": "m1", "subscription": "1"}),
            ("1.2", {"id": "a1"}),
        ],
    )
    def test_each_version_has_its_form(self, version, expected):
        with FakeBroker({"version": version}) as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.CLIENT)
            peer.message(b"x", ack="a1")
            delivery = recorder.deliveries(1)[0]
            assert ("ack" in delivery.headers) == (version != "1.2")
            connection.ack(delivery.ack)
            assert peer.next("ACK").headers == expected

    @pytest.mark.parametrize(("version", "expected"), [("1.1", "m1"), ("1.2", "a1")])
    def test_nack_has_the_same_form(self, version, expected):
        with FakeBroker({"version": version}) as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.INDIVIDUAL)
            peer.message(b"x", ack="a1")
            connection.nack(recorder.deliveries(1)[0].ack)
            assert expected in peer.next("NACK").headers.values()

    def test_version_1_0_has_neither_nack_nor_single_acknowledgements(self):
        with FakeBroker({"version": "1.0"}) as broker, session(broker) as (connection, peer, recorder):
            with pytest.raises(UnsupportedError, match=r"STOMP 1\.0"):
                subscribe(connection, AckMode.INDIVIDUAL)
            subscribe(connection, AckMode.CLIENT)
            peer.message(b"x")
            token = recorder.deliveries(1)[0].ack
            with pytest.raises(UnsupportedError, match=r"STOMP 1\.0"):
                connection.nack(token)
            connection.ack(token)

    @pytest.mark.parametrize(("server", "earlier_stays"), [(CLASSIC, True), (ARTEMIS, False), (RABBITMQ, False)])
    def test_what_a_nack_in_client_mode_covers_depends_on_the_broker(self, server, earlier_stays):
        with FakeBroker({"server": server}) as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.CLIENT)
            peer.message(b"1", ack="a1")
            peer.message(b"2", ack="a2")
            first, second = (delivery.ack for delivery in recorder.deliveries(2))
            connection.nack(second)
            if earlier_stays:
                connection.ack(first)
            else:
                with pytest.raises(UsageError):
                    connection.ack(first)

    def test_after_the_connection_is_lost_it_cannot_be_told(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.INDIVIDUAL)
            peer.message(b"x", ack="a1")
            token = recorder.deliveries(1)[0].ack
            peer.sock.shutdown(socket.SHUT_RDWR)
            recorder.disconnected()
            with pytest.raises(ConnectionLost):
                connection.ack(token)


class TestTransactions:
    """Each frame asks for a receipt, and the outcome is that of all."""

    def commit(self, connection, peer):
        """The outcome of a transaction with a message, and the headers of its frames by their commands."""
        transaction = connection.begin()
        transaction.submit(outgoing())
        pending = transaction.commit()
        return pending, {command: peer.next(command).headers for command in ("BEGIN", "SEND", "COMMIT")}

    def test_it_is_confirmed_when_all_of_it_is(self):
        """RabbitMQ confirms the COMMIT first."""
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            pending, frames = self.commit(connection, peer)
            assert {headers["transaction"] for headers in frames.values()} == {"1"}
            for command in ("COMMIT", "BEGIN"):
                peer.send("RECEIPT", {"receipt-id": frames[command]["receipt"]})
            assert isinstance(pending.outcome(0.05), Unknown)
            assert not pending.done()
            peer.send("RECEIPT", {"receipt-id": frames["SEND"]["receipt"]})
            assert pending.outcome(PATIENCE_S) == Confirmed(Confirmation.BROKER)
            assert pending.done()

    def test_a_commit_that_is_refused_rejects_all(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            pending, frames = self.commit(connection, peer)
            peer.send("ERROR", {"receipt-id": frames["COMMIT"]["receipt"], "message": "no room"})
            assert pending.outcome(0.2) == Rejected("no room")

    def test_with_a_part_refused_nobody_knows_about_the_rest(self):
        """ActiveMQ Classic commits it."""
        with FakeBroker() as broker, session(broker) as (connection, peer, _):
            pending, frames = self.commit(connection, peer)
            peer.send("ERROR", {"receipt-id": frames["SEND"]["receipt"], "message": "not allowed"})
            for command in ("BEGIN", "COMMIT"):
                peer.send("RECEIPT", {"receipt-id": frames[command]["receipt"]})
            outcome = pending.outcome(PATIENCE_S)
            assert isinstance(outcome, Unknown)
            assert outcome.cause is UnknownCause.PARTLY
            assert "not allowed" in outcome.reason

    def test_what_is_refused_before_it_is_sent_is_no_part(self):
        with FakeBroker({"server": CLASSIC}) as broker, session(broker) as (connection, peer, recorder):
            subscribe(connection, AckMode.INDIVIDUAL)
            peer.message(b"x", ack="a1")
            transaction = connection.begin()
            token = recorder.deliveries(1)[0].ack
            for use, refusal in (
                (lambda: transaction.nack(token), UnsupportedError),
                (lambda: transaction.submit(outgoing(headers={"transaction": "2"})), UsageError),
                (lambda: transaction.submit(outgoing(headers={"\ud800": "x"})), UsageError),
            ):
                with pytest.raises(refusal):
                    use()
            transaction.ack(token)
            pending = transaction.commit()
            for command in ("BEGIN", "ACK", "COMMIT"):
                frame = peer.next(command)
                assert frame.headers["transaction"] == "1"
                peer.send("RECEIPT", {"receipt-id": frame.headers["receipt"]})
            assert pending.outcome(PATIENCE_S) == Confirmed(Confirmation.BROKER)


class TestHeartBeats:
    def test_we_send_before_the_broker_would_miss_us(self):
        with FakeBroker({"heart-beat": "0,200"}) as broker, session(broker, heart_beat_s=0.2) as (_, peer, recorder):
            peer.next("CONNECT")
            before = time.monotonic()
            while not peer.raw.endswith(b"\n\n\n"):
                assert time.monotonic() - before < PATIENCE_S
                threading.Event().wait(0.01)
            assert not recorder.of(Disconnected)

    def test_a_silent_broker_is_gone_after_three_intervals(self):
        with (
            FakeBroker({"heart-beat": "100,0"}) as broker,
            session(broker, heart_beat_s=0.1) as (connection, _, recorder),
        ):
            end = recorder.disconnected()
            assert not end.expected
            assert "no sign of life" in end.reason
            assert 0.25 < (end.at_ns - connection.greeting.at_ns) / 1e9 < 2

    def test_every_byte_is_a_sign_of_life(self):
        """A message that takes long to arrive is no silence."""
        with FakeBroker({"heart-beat": "100,0"}) as broker, session(broker, heart_beat_s=0.1) as (_, peer, recorder):
            for byte in b"MESSAGE\ndestin":
                assert not threading.Event().wait(0.05)
                peer.sock.sendall(bytes([byte]))
            assert not recorder.of(Disconnected)

    def test_a_busy_receiver_is_no_silence_of_the_broker(self):
        recorder, free_again = Recorder(PATIENCE_S), threading.Event()

        def sink(batch):
            recorder(batch)
            if b"slow" in recorder.payloads and not free_again.is_set():
                free_again.wait(0.5)
                free_again.set()

        with FakeBroker({"heart-beat": "100,0"}) as broker:
            connection = StompAdapter().connect(target(broker, heart_beat_s=0.1), sink=sink)
            subscribe(connection)
            peer = broker.peer()
            peer.message(b"slow")
            assert free_again.wait(PATIENCE_S)
            peer.message(b"next")
            recorder.message(b"next")
            connection.close()

    def test_stomp_pys_own_heart_beats_stay_off_and_our_threads_have_names(self):
        with FakeBroker({"heart-beat": "9000,9000"}) as broker, session(broker, heart_beat_s=9):
            names = [thread.name for thread in threading.enumerate()]
            assert f"mqctl.stomp[{broker.endpoint}].read" in names
            assert f"mqctl.stomp[{broker.endpoint}].beat" in names
            assert not [name for name in names if "Heartbeat" in name]


class TestClose:
    def test_goodbye_is_said_with_a_receipt_and_waited_for(self):
        with FakeBroker() as broker, session(broker) as (connection, peer, recorder):
            connection.close()
            assert peer.next("DISCONNECT").headers["receipt"]
            assert recorder.of(Disconnected)[0].expected

    def test_a_broker_that_does_not_answer_costs_no_more_than_the_timeout(self):
        with FakeBroker(receipts=frozenset()) as broker, session(broker) as (connection, _, recorder):
            before = time.monotonic()
            connection.close(timeout_s=0.1)
            assert time.monotonic() - before < 2
            assert recorder.of(Disconnected)[0].expected

    def test_a_goodbye_that_is_interrupted_is_the_end_and_not_waited_for_again(self):
        with FakeBroker(receipts=frozenset()) as broker, session(broker) as (connection, peer, recorder):

            def interrupt() -> None:
                peer.next("DISCONNECT")
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

            impatient = threading.Thread(target=interrupt)
            impatient.start()
            before = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                connection.close(timeout_s=PATIENCE_S)
            connection.close(timeout_s=PATIENCE_S)
            impatient.join()
            assert time.monotonic() - before < PATIENCE_S / 2
            assert recorder.of(Disconnected)[0].expected

    def test_what_is_under_way_is_waited_for(self):
        with FakeBroker(receipts=frozenset({"DISCONNECT"})) as broker, session(broker) as (connection, peer, _):
            pending = connection.submit(outgoing())
            receipt = peer.next("SEND").headers["receipt"]
            answer = threading.Timer(0.1, peer.send, ("RECEIPT", {"receipt-id": receipt}))
            answer.start()
            connection.close(timeout_s=PATIENCE_S)
            answer.join()
            assert isinstance(pending.outcome(0), Confirmed)

    def test_a_receiver_that_never_returns_hears_nothing_after_close(self):
        stuck, heard = threading.Event(), []

        def sink(batch):
            heard.extend(batch)
            if any(isinstance(event, Delivery) for event in batch):
                stuck.wait(PATIENCE_S)

        with FakeBroker() as broker:
            connection = StompAdapter().connect(target(broker), sink=sink)
            subscribe(connection)
            broker.peer().message(b"x")
            while not any(isinstance(event, Delivery) for event in heard):
                threading.Event().wait(0.01)
            connection.close(timeout_s=0.1)
            before = list(heard)
            reader = next(thread for thread in threading.enumerate() if thread.name.endswith(".read"))
            stuck.set()
            reader.join(PATIENCE_S)
            assert heard == before
