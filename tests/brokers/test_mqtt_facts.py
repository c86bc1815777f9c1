"""What `docs/brokers.md` says of each broker's MQTT, measured again: the adapter stands on it."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from _pytest.mark import ParameterSet

from mqctl.adapters.base import Adapter, Connection, SubscribeSpec
from mqctl.adapters.mqtt import MqttAdapter
from mqctl.adapters.stomp import StompAdapter
from mqctl.errors import ConnectError, ConnectionLost, MqctlError, RefusedError
from mqctl.model import Confirmation, Confirmed, Delivery, Outgoing, PublishOutcome, Rejected, Topic, Unknown
from mqctl.target import MqttOptions, Secret, Target, parse_url
from mqctl.testing.recorder import Recorder
from tests.brokers.launch import serving
from tests.brokers.process import Broker

PATIENCE_S = 10.0
KEPT = 150
"""Messages of a session, more than any broker sends before one is acknowledged (iotcore: 100)."""
CONFIRMED = Confirmed(Confirmation.BROKER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One column of the document; what is the same everywhere is the default."""

    versions: tuple[str, ...] = ("3.1", "3.1.1")
    """Those that the listener `mqtt` speaks."""
    qos_2_arrives_as: int = 2
    stomp_persistent_arrives_as: int | None = None
    """The quality of service of a persistent message from STOMP."""
    dot_at_stomp: str | None = None
    """How a STOMP client sees the last level of the MQTT topic `a/x.y`."""
    dot_comes_back: bool = True
    retained_for_wildcards: bool = True
    shares: bool = True
    session_told: bool = True
    keeps_qos_0: bool = True
    """Whether a session keeps what was published at QoS 0."""
    suback_waits: bool = False
    """Whether a subscription is confirmed only once what a session was sent is acknowledged."""
    takes_unknown_release: bool = True
    """Whether PUBREL is answered where no message has its id, as it must be; else the broker hangs up."""
    copies: int = 2
    """Of a message that two subscriptions of a connection match."""
    refused_publish: dict[str, type] = dataclasses.field(default_factory=dict)
    """What becomes of a message that its publisher may not send, by version."""
    refused_subscribe: type[MqctlError] | None = None


FACTS = {
    "classic": Facts(
        stomp_persistent_arrives_as=0,
        dot_at_stomp="x/y",
        shares=False,
        session_told=False,
        refused_publish={"3.1.1": Confirmed},
        refused_subscribe=RefusedError,
    ),
    "artemis": Facts(
        versions=("3.1", "3.1.1", "5"),
        stomp_persistent_arrives_as=1,
        dot_at_stomp="x\\.y",
        refused_publish={"3.1.1": Unknown, "5": Rejected},
        refused_subscribe=RefusedError,
    ),
    "rabbitmq": Facts(
        qos_2_arrives_as=1,
        stomp_persistent_arrives_as=1,
        dot_at_stomp="x.y",
        dot_comes_back=False,
        retained_for_wildcards=False,
        shares=False,
        copies=1,
        refused_publish={"3.1.1": Unknown},
        refused_subscribe=ConnectionLost,
    ),
    "mosquitto": Facts(
        versions=("3.1", "3.1.1", "5"),
        keeps_qos_0=False,
        copies=1,
        refused_publish={"3.1.1": Confirmed, "5": Rejected},
    ),
    "iotcore": Facts(
        suback_waits=True, takes_unknown_release=False, versions=("3.1.1",), refused_publish={"3.1.1": Confirmed}
    ),
}


class Clients:
    """Makes connections to one broker, and closes them at the end. No dialect is given: the broker shows itself."""

    def __init__(self, broker: Broker, stack: ExitStack) -> None:
        self.facts = FACTS[broker.name]
        self._broker = broker
        self._stack = stack

    def mqtt(self, **changes: object) -> tuple[Connection, Recorder]:
        return self._connect(MqttAdapter(), "mqtt", changes)

    def stomp(self) -> tuple[Connection, Recorder]:
        """Where `/topic/a.b` is what MQTT calls `a/b`."""
        prefixed = "stomp-prefixed" in self._broker.ports
        return self._connect(StompAdapter(), "stomp-prefixed" if prefixed else "stomp", {})

    def _connect(self, adapter: Adapter, listener: str, changes: dict[str, object]) -> tuple[Connection, Recorder]:
        recorder = Recorder(PATIENCE_S)
        connection = adapter.connect(dataclasses.replace(self.target(listener), **changes), sink=recorder)
        self._stack.callback(connection.close)
        return connection, recorder

    def target(self, listener: str) -> Target:
        url = parse_url(self._broker.url(listener))
        return Target(
            scheme=url.scheme,
            endpoints=url.endpoints,
            user=self._broker.user,
            password=Secret(self._broker.password),
            vhost=self._broker.vhost,
        )

    def limited(self) -> dict[str, object]:
        """As somebody who may use `open.` only."""
        credentials = self._broker.credentials
        return {"user": credentials.limited_user, "password": Secret(credentials.limited_password)}


def at(name: str, *more: str) -> ParameterSet:
    return pytest.param(name, *more, marks=pytest.mark.broker(name))


of_stomp_too = pytest.mark.parametrize(
    "mqtt_broker", [at(name) for name in FACTS if name in serving("stomp")], indirect=True
)


@pytest.fixture
def clients(mqtt_broker: Broker) -> Iterator[Clients]:
    with ExitStack() as stack:
        yield Clients(mqtt_broker, stack)


@pytest.fixture
def topic() -> Topic:
    return Topic(levels=("open", f"facts-{uuid.uuid4().hex[:12]}"))


def below(topic: Topic, *levels: str) -> Topic:
    return Topic(levels=(*topic.levels, *levels))


def subscribe(connection: Connection, topic: Topic, **more: object) -> None:
    connection.subscribe(SubscribeSpec(topic=topic, **more), timeout_s=PATIENCE_S)


def publish(connection: Connection, topic: Topic, payload: bytes, **more: object) -> PublishOutcome:
    return connection.submit(Outgoing(topic=topic, payload=payload, **more)).outcome(PATIENCE_S)


def all_until_mark(connection: Connection, recorder: Recorder, topic: Topic) -> list[Delivery]:
    """What came before a message that is published now."""
    publish(connection, topic, b"mark")
    recorder.message(b"mark")
    return [delivery for delivery in recorder.of(Delivery) if delivery.payload != b"mark"]


@pytest.mark.parametrize("version", ["3.1", "3.1.1", "5"])
def test_versions(clients: Clients, version: str) -> None:
    """A broker that does not know MQTT 5 hangs up."""
    options = {"mqtt": MqttOptions(version=version)}
    if version in clients.facts.versions:
        assert clients.mqtt(**options)[0].greeting.detail["version"] == version
    else:
        with pytest.raises(ConnectError, match="hung up"):
            clients.mqtt(**options)


@of_stomp_too
def test_the_same_names_meet_over_stomp_and_mqtt(clients: Clients, topic: Topic) -> None:
    stomp, at_stomp = clients.stomp()
    mqtt, at_mqtt = clients.mqtt()
    for connection in (stomp, mqtt):
        subscribe(connection, below(topic, "*"))
    publish(mqtt, below(topic, "m"), b"from mqtt")
    publish(stomp, below(topic, "s"), b"from stomp", persistent=True)
    for recorder in (at_stomp, at_mqtt):
        assert recorder.message(b"from mqtt").topic == ".".join(below(topic, "m").levels)
        assert recorder.message(b"from stomp").topic == ".".join(below(topic, "s").levels)
    assert at_mqtt.message(b"from stomp").qos == clients.facts.stomp_persistent_arrives_as


def test_a_dot_in_a_level(clients: Clients, topic: Topic) -> None:
    name = "/".join(topic.levels)
    mqtt, at_mqtt = clients.mqtt()
    subscribe(mqtt, below(topic, "*"))
    publish(mqtt, Topic(native=f"{name}/x.y"), b"dotted")
    came = all_until_mark(mqtt, at_mqtt, below(topic, "mark"))
    assert [delivery.topic for delivery in came] == [f"{name}/x.y"] * clients.facts.dot_comes_back


@of_stomp_too
def test_a_dot_in_a_level_as_stomp_sees_it(clients: Clients, topic: Topic) -> None:
    stomp, at_stomp = clients.stomp()
    mqtt, _ = clients.mqtt()
    subscribe(stomp, below(topic, "**"))
    publish(mqtt, Topic(native=f"{'/'.join(topic.levels)}/x.y"), b"dotted")
    seen = at_stomp.message(b"dotted").topic.removeprefix("/topic/")
    assert seen == f"{'.'.join(topic.levels)}.{clients.facts.dot_at_stomp}"


def test_qos_2(clients: Clients, topic: Topic) -> None:
    mqtt, recorder = clients.mqtt()
    subscribe(mqtt, topic, qos=2)
    assert publish(mqtt, topic, b"x", qos=2) == CONFIRMED
    assert recorder.message(b"x").qos == clients.facts.qos_2_arrives_as


def test_retained_messages_and_wildcards(clients: Clients, topic: Topic) -> None:
    mqtt, recorder = clients.mqtt()
    publish(mqtt, below(topic, "a"), b"kept", retain=True)
    subscribe(mqtt, below(topic, "*"))
    came = all_until_mark(mqtt, recorder, below(topic, "mark"))
    assert [delivery.retained for delivery in came] == [True] * clients.facts.retained_for_wildcards


def test_shared_subscriptions(clients: Clients, topic: Topic) -> None:
    """Where there are none, the subscription is granted, and nothing comes."""
    mqtt, recorder = clients.mqtt()
    subscribe(mqtt, topic, shared="group")
    subscribe(mqtt, below(topic, "mark"))
    publish(mqtt, topic, b"shared")
    if clients.facts.shares:
        # Artemis may deliver it behind the mark.
        recorder.message(b"shared")
    else:
        assert all_until_mark(mqtt, recorder, below(topic, "mark")) == []


def test_a_session_sends_what_it_kept_before_it_is_asked(clients: Clients, topic: Topic) -> None:
    name = topic.levels[-1]
    first, _ = clients.mqtt(client_id=name)
    subscribe(first, topic)
    first.close()
    publisher, _ = clients.mqtt()
    for qos in (0, 1):
        publish(publisher, topic, b"qos %d" % qos, qos=qos)
    again, recorder = clients.mqtt(client_id=name)
    assert again.greeting.detail["session"] == ("resumed" if clients.facts.session_told else "new")
    subscribe(again, below(topic, "other"))
    # Nobody has asked for these again, and still they are there.
    subscribe(again, topic)
    came = all_until_mark(again, recorder, below(topic, "other"))
    # Classic sends the persistent ones first.
    assert sorted(delivery.payload for delivery in came) == [b"qos 0"] * clients.facts.keeps_qos_0 + [b"qos 1"]
    clients.mqtt(client_id=name, mqtt=MqttOptions(clean=True))


def test_a_subscription_behind_what_a_session_kept(clients: Clients, topic: Topic) -> None:
    """Nothing of that is acknowledged before it is asked for."""
    name = topic.levels[-1]
    first, _ = clients.mqtt(client_id=name)
    subscribe(first, topic)
    first.close()
    publisher, _ = clients.mqtt()
    for number in range(KEPT):
        publish(publisher, topic, b"%d" % number, qos=1)
    again, recorder = clients.mqtt(client_id=name)
    if clients.facts.suback_waits:
        with pytest.raises(MqctlError, match="did not confirm within"):
            again.subscribe(SubscribeSpec(topic=topic), timeout_s=2.0)
    else:
        subscribe(again, topic)
        assert len(recorder.deliveries(KEPT)) == KEPT
    clients.mqtt(client_id=name, mqtt=MqttOptions(clean=True))


def test_a_message_is_not_taken_for_one_that_an_earlier_connection_left_half_way(
    clients: Clients, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have the same id. Artemis confirmed the new one and dropped it."""
    name = topic.levels[-1]
    reader, recorder = clients.mqtt()
    subscribe(reader, topic)
    with monkeypatch.context() as patched:
        patched.setattr("mqctl.protocols.mqtt.outbox.Outbox.release", lambda *_: b"")
        first, events = clients.mqtt(client_id=name)
        assert isinstance(first.submit(Outgoing(topic=topic, payload=b"left", qos=2)).outcome(0.5), Unknown | Confirmed)
        first._transport.kill("cut")
        events.disconnected()
    again, _ = clients.mqtt(client_id=name)
    if clients.facts.takes_unknown_release:
        assert publish(again, topic, b"new", qos=2) == CONFIRMED
        recorder.message(b"new")
    else:
        assert isinstance(publish(again, topic, b"new", qos=2), Unknown)
    clients.mqtt(client_id=name, mqtt=MqttOptions(clean=True))


def test_the_release_of_a_message_that_there_is_not(clients: Clients, topic: Topic) -> None:
    """mqctl sends it ahead of a message of QoS 2, where the broker remembers it from before."""
    name = topic.levels[-1]
    first, _ = clients.mqtt(client_id=name)
    first.close()
    again, _ = clients.mqtt(client_id=name)
    outcome = publish(again, topic, b"x", qos=2)
    assert (outcome == CONFIRMED) == clients.facts.takes_unknown_release
    clients.mqtt(client_id=name, mqtt=MqttOptions(clean=True))


def test_a_second_client_of_one_name_ends_the_first(clients: Clients, topic: Topic) -> None:
    _, recorder = clients.mqtt(client_id=topic.levels[-1])
    clients.mqtt(client_id=topic.levels[-1])
    assert not recorder.disconnected().expected


def test_overlapping_subscriptions(clients: Clients, topic: Topic) -> None:
    mqtt, recorder = clients.mqtt()
    for pattern in (below(topic, "*"), below(topic, "a"), below(topic, "mark", "x")):
        subscribe(mqtt, pattern)
    publish(mqtt, below(topic, "a"), b"x")
    # Artemis may deliver a copy behind the mark.
    recorder.deliveries(clients.facts.copies)
    assert len(all_until_mark(mqtt, recorder, below(topic, "mark", "x"))) == clients.facts.copies


@pytest.mark.parametrize(
    ("mqtt_broker", "version"),
    [at(name, version) for name, facts in FACTS.items() for version in facts.refused_publish],
    indirect=["mqtt_broker"],
)
def test_a_message_that_may_not_be_sent(clients: Clients, version: str) -> None:
    """Confirmed is not stored: Classic, Mosquitto over MQTT 3.1.1 and iotcore drop it in silence."""
    mqtt, _ = clients.mqtt(mqtt=MqttOptions(version=version), **clients.limited())
    assert isinstance(publish(mqtt, Topic(levels=("forbidden", "x")), b"x"), clients.facts.refused_publish[version])


def test_a_subscription_that_is_not_allowed(clients: Clients) -> None:
    """Mosquitto grants it, and delivers nothing."""
    mqtt, _ = clients.mqtt(**clients.limited())
    ask: Callable[[], None] = lambda: subscribe(mqtt, Topic(levels=("forbidden", "x")))  # noqa: E731
    if clients.facts.refused_subscribe is None:
        ask()
    else:
        with pytest.raises(clients.facts.refused_subscribe):
            ask()


def test_a_last_will_is_published_when_the_connection_breaks(clients: Clients, topic: Topic) -> None:
    mqtt, recorder = clients.mqtt()
    subscribe(mqtt, topic)
    doomed, _ = clients.mqtt(mqtt=MqttOptions(will_topic=".".join(topic.levels), will_payload="gone"))
    doomed._transport.kill("cut")
    recorder.message(b"gone")
