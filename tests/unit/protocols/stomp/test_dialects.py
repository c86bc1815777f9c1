"""What each broker is told, and what it is not asked for."""

from __future__ import annotations

import dataclasses

import pytest

from mqctl.errors import UnsupportedError, UsageError
from mqctl.model import AckMode, Dialect, Outgoing, Topic
from mqctl.protocols.stomp.dialects import (
    READINGS,
    Wish,
    dialect_of,
    forget_headers,
    promises_beats,
    refuse_ack_modes,
    refuse_binary,
    refuse_transacted,
    send_headers,
    subscribe_headers,
)

CLASSIC, ARTEMIS, RABBITMQ, HUB = Dialect.CLASSIC, Dialect.ARTEMIS, Dialect.RABBITMQ, Dialect.HUB
UNKNOWN = None
NOW_MS = 1_800_000_000_000
PLAIN = Outgoing(topic=Topic(levels=("t",)), payload=b"")
WISH = Wish(
    topic=Topic(levels=("t",)),
    destination="/topic/t",
    ack_mode=AckMode.AUTO,
    prefetch=None,
    selector=None,
    durable=None,
    client_id="me",
)


def sent(dialect, destination="/topic/t", **changes):
    return send_headers(dialect, dataclasses.replace(PLAIN, **changes), destination, now_ms=NOW_MS)


def wished(dialect, **changes):
    return subscribe_headers(dialect, dataclasses.replace(WISH, **changes))


@pytest.mark.parametrize(
    ("server", "dialect"),
    [
        ("ActiveMQ/5.18.3", CLASSIC),
        ("ActiveMQ-Artemis/2.56.0 ActiveMQ Artemis Messaging Engine", ARTEMIS),
        ("RabbitMQ/3.10.8", RABBITMQ),
        ("mqctl-hub/0.1.0", HUB),
        ("ActiveMQish/1", UNKNOWN),
        ("", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_the_server_header_tells_the_broker(server, dialect):
    assert dialect_of(server) is dialect


def test_every_dialect_of_stomp_has_its_row():
    assert set(READINGS) == {*Dialect, None} - {Dialect.MOSQUITTO}


class TestSend:
    @pytest.mark.parametrize("dialect", [CLASSIC, RABBITMQ, HUB, UNKNOWN])
    def test_a_plain_message_needs_nothing(self, dialect):
        assert sent(dialect) == {}

    @pytest.mark.parametrize(
        ("destination", "headers"),
        [
            ("/topic/t", {"destination-type": "MULTICAST"}),
            ("/queue/q", {"destination-type": "ANYCAST"}),
            ("address", {}),
        ],
    )
    def test_artemis_is_told_which_kind_is_meant(self, destination, headers):
        assert sent(ARTEMIS, destination) == headers

    def test_persistence_is_said_or_left_out_but_never_denied(self):
        assert sent(RABBITMQ, persistent=True) == {"persistent": "true"}
        assert "persistent" not in sent(RABBITMQ, persistent=False)

    @pytest.mark.parametrize("dialect", [CLASSIC, HUB])
    def test_expiry_is_absolute_where_it_is(self, dialect):
        assert sent(dialect, expires_ms=5000) == {"expires": str(NOW_MS + 5000)}

    def test_expiry_is_relative_at_rabbitmq(self):
        assert sent(RABBITMQ, expires_ms=5000) == {"expiration": "5000"}

    def test_expiry_at_an_unknown_broker_is_refused(self):
        with pytest.raises(UnsupportedError) as caught:
            sent(UNKNOWN, expires_ms=1)
        assert "--dialect" in (caught.value.hint or "")

    def test_priority_and_content_type_are_everybodys(self):
        assert sent(CLASSIC, priority=7, content_type="text/plain") == {"priority": "7", "content-type": "text/plain"}

    def test_what_the_message_says_wins_over_a_header_that_came_with_a_copy(self):
        copied = {"priority": "4", "persistent": "false", "expires": "0", "mine": "x"}
        assert sent(CLASSIC, priority=7, persistent=True, expires_ms=1, headers=copied) == {
            "priority": "7",
            "persistent": "true",
            "expires": str(NOW_MS + 1),
            "mine": "x",
        }

    def test_a_header_wins_over_what_the_destination_suggests(self):
        assert sent(ARTEMIS, headers={"destination-type": "ANYCAST"}) == {"destination-type": "ANYCAST"}

    def test_rabbitmq_accepts_no_message_id(self):
        with pytest.raises(UnsupportedError, match="RabbitMQ"):
            sent(RABBITMQ, headers={"message-id": "x"})
        assert sent(CLASSIC, headers={"message-id": "x"}) == {"message-id": "x"}

    def test_rabbitmq_is_never_told_that_a_message_is_not_persistent(self):
        assert sent(RABBITMQ, headers={"persistent": "false"}) == {}
        assert sent(RABBITMQ, headers={"persistent": "false"}, persistent=True) == {"persistent": "true"}
        assert sent(RABBITMQ, headers={"persistent": "true"}) == {"persistent": "true"}
        assert sent(CLASSIC, headers={"persistent": "false"}) == {"persistent": "false"}


class TestSubscribe:
    @pytest.mark.parametrize(
        ("destination", "headers"),
        [("/topic/t", {"subscription-type": "MULTICAST"}), ("/queue/q", {"subscription-type": "ANYCAST"})],
    )
    def test_artemis_is_told_which_kind_is_meant(self, destination, headers):
        assert wished(ARTEMIS, destination=destination) == headers

    @pytest.mark.parametrize(
        ("dialect", "prefetch", "headers"),
        [
            (CLASSIC, 10, {"activemq.prefetchSize": "10"}),
            (RABBITMQ, 10, {"prefetch-count": "10"}),
            (HUB, 10, {"prefetch-count": "10"}),
            (ARTEMIS, 1, {"subscription-type": "MULTICAST", "consumer-window-size": "0"}),
        ],
    )
    def test_prefetch_has_each_brokers_header(self, dialect, prefetch, headers):
        assert wished(dialect, prefetch=prefetch) == headers

    def test_prefetch_that_a_broker_does_not_count_is_refused(self):
        with pytest.raises(UnsupportedError, match="no way"):
            wished(UNKNOWN, prefetch=1)

    def test_prefetch_of_nothing_is_wrong_usage(self):
        with pytest.raises(UsageError, match="at least 1"):
            wished(HUB, prefetch=0)

    def test_rabbitmq_sends_no_whole_queue_at_once_and_inherits_no_limit(self):
        assert wished(RABBITMQ, ack_mode=AckMode.CLIENT) == {"prefetch-count": "1000"}
        assert wished(RABBITMQ, ack_mode=AckMode.AUTO) == {}

    @pytest.mark.parametrize("dialect", [CLASSIC, ARTEMIS])
    def test_a_selector_goes_where_there_are_selectors(self, dialect):
        assert wished(dialect, selector="a = 1")["selector"] == "a = 1"

    @pytest.mark.parametrize(("dialect", "name"), [(RABBITMQ, "RabbitMQ"), (HUB, "hub"), (UNKNOWN, "this broker")])
    def test_and_is_refused_elsewhere(self, dialect, name):
        with pytest.raises(UnsupportedError, match=name):
            wished(dialect, selector="a = 1")

    @pytest.mark.parametrize(
        ("dialect", "headers"),
        [
            (CLASSIC, {"activemq.subscriptionName": "d"}),
            (ARTEMIS, {"subscription-type": "MULTICAST", "durable-subscription-name": "d"}),
            (RABBITMQ, {"durable": "true", "auto-delete": "false"}),
            (HUB, {"activemq.subscriptionName": "d"}),
        ],
    )
    def test_a_durable_subscription_has_each_brokers_headers(self, dialect, headers):
        assert wished(dialect, durable="d") == headers

    def test_a_name_in_braces_is_a_name(self):
        assert wished(CLASSIC, durable="{name}{0}") == {"activemq.subscriptionName": "{name}{0}"}

    @pytest.mark.parametrize("dialect", [CLASSIC, ARTEMIS, HUB])
    def test_durable_needs_a_client_id_where_that_names_it(self, dialect):
        with pytest.raises(UsageError, match="client id"):
            wished(dialect, durable="d", client_id=None)

    def test_rabbitmq_needs_none(self):
        assert wished(RABBITMQ, durable="d", client_id=None)

    def test_durable_is_refused_on_a_queue_and_at_an_unknown_broker(self):
        with pytest.raises(UsageError, match="queue"):
            wished(CLASSIC, durable="d", destination="/queue/q")
        with pytest.raises(UnsupportedError, match="durably"):
            wished(UNKNOWN, durable="d")

    @pytest.mark.parametrize("levels", [("*",), ("**",), ("*", "x")])
    def test_artemis_has_no_wildcard_first(self, levels):
        with pytest.raises(UnsupportedError, match="first level"):
            wished(ARTEMIS, topic=Topic(levels=levels))
        assert wished(CLASSIC, topic=Topic(levels=levels)) == {}

    def test_artemis_has_them_later(self):
        assert wished(ARTEMIS, topic=Topic(levels=("a", "*")))

    def test_an_unknown_broker_gets_no_guessed_wildcard(self):
        with pytest.raises(UnsupportedError, match="wildcards"):
            wished(UNKNOWN, topic=Topic(levels=("a", "*")))


@pytest.mark.parametrize(
    ("dialect", "headers"),
    [
        (CLASSIC, {"activemq.subscriptionName": "d"}),
        (ARTEMIS, {"durable-subscription-name": "d"}),
        (RABBITMQ, {"durable": "true", "auto-delete": "false"}),
    ],
)
def test_forgetting_has_each_brokers_headers(dialect, headers):
    assert forget_headers(dialect, "d") == headers


AUTO, CLIENT, INDIVIDUAL = AckMode.AUTO, AckMode.CLIENT, AckMode.INDIVIDUAL


class TestAckModes:
    @pytest.mark.parametrize(
        ("wanted", "present"),
        [(CLIENT, [CLIENT]), (CLIENT, [INDIVIDUAL]), (INDIVIDUAL, [CLIENT]), (CLIENT, [AUTO, CLIENT])],
    )
    def test_rabbitmqs_cumulative_mode_wants_the_connection_for_itself(self, wanted, present):
        with pytest.raises(UnsupportedError, match="whole connection"):
            refuse_ack_modes(RABBITMQ, wanted, present)
        refuse_ack_modes(CLASSIC, wanted, present)

    @pytest.mark.parametrize(
        ("wanted", "present"),
        [(CLIENT, []), (CLIENT, [AUTO]), (AUTO, [CLIENT]), (INDIVIDUAL, [INDIVIDUAL, AUTO])],
    )
    def test_what_cannot_interfere_is_allowed(self, wanted, present):
        refuse_ack_modes(RABBITMQ, wanted, present)


@pytest.mark.parametrize("dialect", [ARTEMIS, RABBITMQ, HUB, UNKNOWN])
def test_binary_messages_over_web_socket_are_read_by_all_but_classic(dialect):
    refuse_binary(dialect, b"\xff")
    with pytest.raises(UnsupportedError, match="not UTF-8"):
        refuse_binary(CLASSIC, b"\xff")
    refuse_binary(CLASSIC, "한글".encode())


@pytest.mark.parametrize(
    ("dialect", "web_server", "promised"),
    [(RABBITMQ, "", False), (None, "Cowboy", False), (None, "Jetty(9)", True), (None, "", True), (HUB, "Cowboy", True)],
)
def test_rabbitmq_is_promised_no_heart_beats_over_web_socket(dialect, web_server, promised):
    """Before it greets, only its HTTP server is known."""
    assert promises_beats(dialect, web_server) is promised


def test_a_reply_address_is_the_header_of_its_name():
    message = Outgoing(topic=Topic(levels=("a",)), payload=b"", reply_to="/queue/answers")
    assert send_headers(Dialect.CLASSIC, message, "/topic/a", now_ms=0) == {"reply-to": "/queue/answers"}


@pytest.mark.parametrize(("dialect", "refused"), [(CLASSIC, ["nack"]), (ARTEMIS, ["ack", "nack"]), (None, [])])
def test_what_a_transaction_cannot_hold(dialect, refused):
    for verb in ("ack", "nack"):
        if verb in refused:
            with pytest.raises(UnsupportedError, match="ActiveMQ"):
                refuse_transacted(dialect, verb)
        else:
            refuse_transacted(dialect, verb)
