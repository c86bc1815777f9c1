"""When a message is done: auto, client and client-individual, in each version; refusal, prefetch, transactions."""

from __future__ import annotations

import pytest

from mqctl.broker import Limits
from mqctl.hub.events import DeadLettered, DurableEnded, MessagesDropped
from tests.hub.conftest import either_way

pytestmark = either_way

VERSIONS = ["1.0", "1.1", "1.2"]


def left_behind(hub, client, count):
    """What another consumer gets once `client` has gone."""
    client.close()
    hub.until(lambda stats: stats.sessions == 0)
    other = hub.client()
    other.subscribe("/queue/q")
    frames = [other.expect("MESSAGE") for _ in range(count)]
    assert other.between() == []
    return frames


@pytest.mark.parametrize("version", VERSIONS)
def test_auto(hub, version):
    """What was written to the socket is done."""
    client = hub.client(version)
    client.publish("/queue/q", b"1", b"2")
    client.subscribe("/queue/q", ack="auto")
    assert client.bodies(2) == [b"1", b"2"]
    assert left_behind(hub, client, 0) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_client_is_cumulative(hub, version):
    """Acknowledging the third covers the first two; the rest goes to the next consumer, marked as redelivered."""
    client = hub.client(version)
    client.publish("/queue/q", *[b"%d" % n for n in range(5)])
    client.subscribe("/queue/q", ack="client")
    frames = [client.expect("MESSAGE") for _ in range(5)]
    client.ack(frames[2])
    assert hub.stats.in_flight == 2
    again = left_behind(hub, client, 2)
    assert [(frame.body, frame.headers.get("redelivered")) for frame in again] == [(b"3", "true"), (b"4", "true")]


@pytest.mark.parametrize("version", VERSIONS)
def test_individual(hub, version):
    """Only what was named is done."""
    client = hub.client(version)
    client.publish("/queue/q", *[b"%d" % n for n in range(5)])
    client.subscribe("/queue/q", ack="client-individual")
    frames = [client.expect("MESSAGE") for _ in range(5)]
    client.ack(frames[3])
    client.ack(frames[1])
    assert [frame.body for frame in left_behind(hub, client, 3)] == [b"0", b"2", b"4"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", ["client", "client-individual"])
def test_twice_is_an_error(hub, version, mode):
    client = hub.client(version)
    client.publish("/queue/q", b"1")
    client.subscribe("/queue/q", ack=mode)
    frame = client.expect("MESSAGE")
    client.ack(frame)
    client.send("ACK", {"id": frame.headers.get("ack", ""), "message-id": frame.headers["message-id"],
                        "subscription": "s"})  # fmt: skip
    assert "acknowledge each message once" in client.refusal()


def test_acknowledging_what_a_cumulative_one_covered_is_an_error(hub):
    client = hub.client("1.1")
    client.publish("/queue/q", b"1", b"2")
    client.subscribe("/queue/q", ack="client")
    first, second = client.expect("MESSAGE"), client.expect("MESSAGE")
    client.ack(second)
    client.send("ACK", {"message-id": first.headers["message-id"], "subscription": "s"})
    assert "acknowledge each message once" in client.refusal()


def test_version_1_0_needs_no_subscription_in_ack(hub):
    client = hub.client("1.0")
    client.publish("/queue/q", b"1")
    client.subscribe("/queue/q", ack="client")
    client.ask("ACK", {"message-id": client.expect("MESSAGE").headers["message-id"]})
    assert hub.stats.in_flight == 0


def test_the_same_message_in_two_subscriptions(hub):
    """In 1.1 the message id alone does not say which; acknowledging one leaves the other."""
    client = hub.client("1.1")
    client.subscribe("/topic/a", "one", ack="client-individual")
    client.subscribe("/topic/*", "two", ack="client-individual")
    client.publish("/topic/a", b"x")
    frames = {frame.headers["subscription"]: frame for frame in (client.expect("MESSAGE"), client.expect("MESSAGE"))}
    client.ack(frames["two"])
    assert hub.stats.in_flight == 1
    client.ack(frames["one"])
    assert hub.stats.in_flight == 0


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_refused_messages_come_again_and_end_in_the_dead_letter_queue(start, version):
    """Redelivered as often as is allowed, then kept in DLQ with where it came from and why; and told."""
    hub = start(broker_limits=Limits(max_redeliveries=2))
    client = hub.client(version)
    client.publish("/queue/q", b"poison", note="kept")
    client.subscribe("/queue/q", ack="client-individual")
    marks = []
    for _ in range(3):
        frame = client.expect("MESSAGE")
        marks.append(frame.headers.get("redelivered"))
        client.send("NACK", {name: frame.headers[name] for name in ("message-id", "subscription")}
                    if version == "1.1" else {"id": frame.headers["ack"]})  # fmt: skip
    assert marks == [None, "true", "true"]
    assert client.between() == []
    client.subscribe("/queue/DLQ", "dead")
    dead = client.expect("MESSAGE")
    assert dead.body == b"poison"
    assert (dead.headers["original-destination"], dead.headers["note"]) == ("/queue/q", "kept")
    assert "refused 3 times" in dead.headers["dead-letter-reason"]
    (told,) = hub.events.wait(DeadLettered)
    assert told.destination == "/queue/q"


def test_version_1_0_has_no_nack(hub):
    client = hub.client("1.0")
    client.send("NACK", {"message-id": "x"})
    assert "STOMP 1.0 has no NACK" in client.refusal()


@pytest.mark.parametrize("header", ["prefetch_count", "activemq__prefetchSize"])
@pytest.mark.parametrize("destination", ["/queue/q", "/topic/t"])
def test_prefetch(hub, header, destination):
    """No more than that many are unacknowledged; each acknowledgement lets the next one come."""
    client = hub.client()
    client.subscribe(destination, ack="client-individual", **{header: "2"})
    came = client.ask("SEND", {"destination": destination}, b"0")
    for n in range(1, 5):
        came += client.ask("SEND", {"destination": destination}, b"%d" % n)
    came += client.between()
    assert [frame.body for frame in came] == [b"0", b"1"]
    for n in range(3):
        came += client.ask("ACK", {"id": came[n].headers["ack"]}) + client.between()
        assert [frame.body for frame in came] == [b"%d" % each for each in range(n + 3)]


class TestTransactions:
    def test_commit_does_all_in_order(self, hub):
        client, reader = hub.client(), hub.client()
        reader.subscribe("/topic/a")
        client.ask("BEGIN", {"transaction": "t"})
        for n in range(3):
            client.publish("/topic/a", b"%d" % n, transaction="t")
        assert reader.between() == []
        client.ask("COMMIT", {"transaction": "t"})
        assert reader.bodies(3) == [b"0", b"1", b"2"]

    def test_abort_does_nothing(self, hub):
        client, reader = hub.client(), hub.client()
        reader.subscribe("/topic/a")
        client.ask("BEGIN", {"transaction": "t"})
        client.publish("/topic/a", b"x", transaction="t")
        client.ask("ABORT", {"transaction": "t"})
        client.publish("/topic/a", b"y")
        assert reader.bodies(1) == [b"y"]

    @pytest.mark.parametrize("version", VERSIONS)
    def test_acknowledgements_wait_for_the_commit(self, hub, version):
        client = hub.client(version)
        client.publish("/queue/q", b"1")
        client.subscribe("/queue/q", ack="client")
        frame = client.expect("MESSAGE")
        client.ask("BEGIN", {"transaction": "t"})
        client.ack(frame, transaction="t")
        assert hub.stats.in_flight == 1
        client.ask("COMMIT", {"transaction": "t"})
        assert hub.stats.in_flight == 0

    def test_a_bad_destination_stops_the_whole(self, hub):
        """What can be told before is: nothing of the transaction happens."""
        client, reader = hub.client(), hub.client()
        reader.subscribe("/topic/a")
        client.ask("BEGIN", {"transaction": "t"})
        client.publish("/topic/a", b"x", transaction="t")
        client.publish("nowhere", b"y", transaction="t")
        client.send("COMMIT", {"transaction": "t", "receipt": "c"})
        assert "no destination 'nowhere'" in client.refusal()
        assert reader.between() == []

    def test_a_limit_met_half_way_is_told(self, start):
        """It says how much was done, and that much has been done."""
        hub = start(broker_limits=Limits(queue_messages=2))
        client = hub.client()
        client.ask("BEGIN", {"transaction": "t"})
        client.publish("/queue/q", b"1", b"2", b"3", transaction="t")
        client.send("COMMIT", {"transaction": "t", "receipt": "c"})
        assert client.refusal() == "the transaction stopped after 2 of 3: limit: queue_messages (2)"
        reader = hub.client()
        reader.subscribe("/queue/q")
        assert reader.bodies(2) == [b"1", b"2"]

    def test_what_a_half_done_transaction_delivered_arrives(self, start):
        """The broker counts it as delivered, so it is written."""
        hub = start(broker_limits=Limits(queue_messages=1))
        client, reader = hub.client(), hub.client()
        reader.subscribe("/topic/a")
        client.ask("BEGIN", {"transaction": "t"})
        client.publish("/topic/a", b"first", transaction="t")
        client.publish("/queue/q", b"1", b"2", transaction="t")
        client.send("COMMIT", {"transaction": "t"})
        client.refusal()
        assert reader.bodies(1) == [b"first"]

    def test_a_connection_that_goes_takes_its_transactions_with_it(self, hub):
        client, reader = hub.client(), hub.client()
        reader.subscribe("/topic/a")
        client.ask("BEGIN", {"transaction": "t"})
        client.publish("/topic/a", b"x", transaction="t")
        client.close()
        hub.until(lambda stats: stats.sessions == 1)
        assert reader.between() == []


class TestDurables:
    def test_messages_are_kept_while_the_owner_is_away(self, hub):
        owner = hub.client(client_id="desk")
        owner.subscribe("/topic/a", activemq__subscriptionName="d")
        owner.close()
        hub.until(lambda stats: stats.sessions == 0)
        hub.client().publish("/topic/a", b"1", b"2")
        back = hub.client(client_id="desk")
        back.subscribe("/topic/a", activemq__subscriptionName="d")
        assert back.bodies(2) == [b"1", b"2"]

    def test_unacknowledged_messages_come_again(self, hub):
        owner = hub.client(client_id="desk")
        owner.subscribe("/topic/a", ack="client", durable_subscription_name="d")
        hub.client().publish("/topic/a", b"1", b"2")
        owner.ack(owner.expect("MESSAGE"))
        owner.close()
        hub.until(lambda stats: stats.subscriptions == 0)
        back = hub.client(client_id="desk")
        back.subscribe("/topic/a", ack="client", durable_subscription_name="d")
        frame = back.expect("MESSAGE")
        assert (frame.body, frame.headers["redelivered"]) == (b"2", "true")

    def test_it_ends_after_its_time(self, start):
        """What was kept is dropped and told, and who comes back begins anew."""
        hub = start(broker_limits=Limits(durable_for_s=0.2))
        owner = hub.client(client_id="desk")
        owner.subscribe("/topic/a", activemq__subscriptionName="d")
        owner.close()
        hub.until(lambda stats: stats.sessions == 0)
        hub.client().publish("/topic/a", b"1")
        (dropped,) = hub.events.wait(MessagesDropped)
        assert (dropped.destination, dropped.count, dropped.reason) == ("/topic/a", 1, "durable subscription expired")
        assert hub.events.wait(DurableEnded) == [DurableEnded("desk", "d", "/topic/a")]
        assert hub.stats.durables == 0
        back = hub.client(client_id="desk")
        assert back.subscribe("/topic/a", activemq__subscriptionName="d") == []
        assert back.between() == []

    def test_unsubscribing_by_name_forgets_it(self, hub):
        owner = hub.client(client_id="desk")
        owner.subscribe("/topic/a", activemq__subscriptionName="d")
        owner.ask("UNSUBSCRIBE", {"id": "s", "activemq.subscriptionName": "d"})
        assert hub.stats.durables == 0

    def test_without_a_client_id(self, hub):
        client = hub.client()
        client.send("SUBSCRIBE", {"destination": "/topic/a", "id": "s", "activemq.subscriptionName": "d"})
        assert "needs a client id" in client.refusal()
