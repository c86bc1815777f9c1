"""The Bayeux transport keeps its contract at servers of others: CometD's for Node.js, and Faye."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.bayeux import BayeuxAdapter
from mqctl.errors import TopicError
from mqctl.model import Fault, Outgoing, Topic
from mqctl.target import Endpoint, Target
from mqctl.testing.contract import AdapterContract, Link, Subject
from tests.interop.script import script

pytestmark = pytest.mark.broker("bayeux")

TIMEOUT_MS = 2_000
"""How long a connect waits: so short that every longer test sees several."""


class Place(NamedTuple):
    """A server, by its name in `server.js`, and how it is spoken to."""

    server: str
    scheme: str

    @property
    def path(self) -> str:
        return "/bayeux" if self.server == "faye" else "/cometd"


PLACES = [
    Place("cometd", "bayeux+http"),
    Place("cometd-acks", "bayeux+http"),
    Place("faye", "bayeux+http"),
    Place("faye", "bayeux+ws"),
]


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[str], Endpoint]]:
    """Where a server is; each is started at its first use."""
    running = {}
    ports: dict[str, int] = {}

    def endpoint(kind: str) -> Endpoint:
        if kind not in ports:
            running[kind] = script("bayeux", "server.js", kind, str(TIMEOUT_MS), environment={})
            ports[kind] = running[kind].__enter__().next()["port"]
        return Endpoint("127.0.0.1", ports[kind])

    yield endpoint
    for each in running.values():
        each.__exit__(None, None, None)


class TestBayeuxAtOtherServers(AdapterContract):
    @pytest.fixture(params=PLACES, ids=lambda place: f"{place.server}-{place.scheme}")
    def subject(self, serve: Callable[[str], Endpoint], request: pytest.FixtureRequest) -> Iterator[Subject]:
        place: Place = request.param
        server = serve(place.server)
        with Link(server) as link:
            target = Target(scheme=place.scheme, endpoints=(link.endpoint,), path=place.path)
            with Link(server) as gone:
                nowhere = gone.endpoint
            yield from Subject(
                adapter=BayeuxAdapter(),
                target=target,
                features=frozenset({"headers"}),
                link=link,
                nobody=dataclasses.replace(target, endpoints=(nowhere,)),
                ordered=place.server != "cometd",
            ).serve()

    def test_a_topic_comes_back_by_its_name_in_any_script(self, subject: Subject) -> None:
        """Channels have few characters: all of those come back, and any other is refused before anything is sent."""
        connection, recorder = subject.connect()
        topic = Topic(levels=(*subject.topic().levels, "Az09-_!~()$@"))
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"x")
        assert recorder.message(b"x").topic == ".".join(topic.levels)
        with pytest.raises(TopicError):
            connection.submit(Outgoing(topic=Topic(levels=("한국",)), payload=b"x"))


def test_a_server_that_refuses_web_socket_is_spoken_to_in_long_polling(serve: Callable[[str], Endpoint]) -> None:
    place = Place("cometd", "bayeux+ws")
    target = Target(scheme=place.scheme, endpoints=(serve(place.server),), path=place.path)
    events: list[object] = []
    with BayeuxAdapter().connect(target, sink=events.extend) as connection:
        assert connection.greeting.detail["connection-type"] == "long-polling"
        topic = Topic(levels=("any",))
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=5.0)
    told = [event.reason for event in events if isinstance(event, Fault)]
    assert len(told) == 1
    assert "400 Bad Request" in told[0]
