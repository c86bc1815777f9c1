"""The Bayeux transport keeps its contract at servers of others: CometD's for Java and for Node.js, and Faye."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import pytest
from _pytest.mark import ParameterSet

from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.bayeux import BayeuxAdapter
from mqctl.model import Fault, Topic
from mqctl.target import Endpoint, Target
from mqctl.testing.contract import Link, Subject, lacking
from tests.brokers.launch import launch
from tests.contract.bayeux import BayeuxContract
from tests.interop.script import script

TIMEOUT_MS = 2_000
"""How long a connect waits: so short that every longer test sees several."""

JAVA: Mapping[str, Mapping[str, object]] = {
    "cometd-java": {"timeout": TIMEOUT_MS},
    "cometd-java-replies": {"timeout": TIMEOUT_MS, "metaConnectDeliverOnly": True},
}
"""The options of a server for Java; the second sends messages with replies to connects only."""


class Place(NamedTuple):
    """A server, by its name in `JAVA` or `server.js`, and how it is spoken to."""

    server: str
    scheme: str

    @property
    def path(self) -> str:
        return "/bayeux" if self.server == "faye" else "/cometd"


PLACES = [
    *(Place(server, scheme) for server in JAVA for scheme in ("bayeux+http", "bayeux+ws")),
    Place("cometd", "bayeux+http"),
    Place("cometd-acks", "bayeux+http"),
    Place("faye", "bayeux+http"),
    Place("faye", "bayeux+sse"),
    Place("faye", "bayeux+ws"),
]

LACKING = {"cometd": ("order",)}


def _param(place: Place) -> ParameterSet:
    needed = pytest.mark.broker("cometd-java" if place.server in JAVA else "bayeux")
    marks = needed, lacking(*LACKING.get(place.server, ()))
    return pytest.param(place, marks=marks, id=f"{place.server}-{place.scheme}")


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[str], Endpoint]]:
    """Where a server is; each is started at its first use."""
    ports: dict[str, int] = {}

    def started(kind: str) -> int:
        if kind in JAVA:
            return running.enter_context(launch("cometd-java", **JAVA[kind])).ports["bayeux+http"]
        said = running.enter_context(script("bayeux", "server.js", kind, str(TIMEOUT_MS), environment={}))
        return int(said.next()["port"])

    def endpoint(kind: str) -> Endpoint:
        if kind not in ports:
            ports[kind] = started(kind)
        return Endpoint("127.0.0.1", ports[kind])

    with contextlib.ExitStack() as running:
        yield endpoint


@lacking("queue", "stranger", "forbidden")
class TestBayeuxAtOtherServers(BayeuxContract):
    @pytest.fixture(params=map(_param, PLACES))
    def subject(self, serve: Callable[[str], Endpoint], request: pytest.FixtureRequest) -> Iterator[Subject]:
        place: Place = request.param
        server = serve(place.server)
        with Link(server) as link:
            target = Target(scheme=place.scheme, endpoints=(link.endpoint,), path=place.path)
            with Link(server) as gone:
                nowhere = gone.endpoint
            yield from Subject(
                adapter=self.adapter,
                target=target,
                link=link,
                nobody=dataclasses.replace(target, endpoints=(nowhere,)),
            ).serve(request)


@pytest.mark.parametrize(
    "server",
    [
        pytest.param("cometd", marks=pytest.mark.broker("bayeux")),
        pytest.param("cometd-java", marks=pytest.mark.broker("cometd-java")),
    ],
)
def test_a_server_without_event_streams_is_spoken_to_in_long_polling(
    serve: Callable[[str], Endpoint], server: str
) -> None:
    place = Place(server, "bayeux+sse")
    target = Target(scheme=place.scheme, endpoints=(serve(server),), path=place.path)
    events: list[object] = []
    with BayeuxAdapter().connect(target, sink=events.extend) as connection:
        assert connection.greeting.detail["connection-type"] == "long-polling"
        connection.subscribe(SubscribeSpec(topic=Topic(levels=("any",))), timeout_s=5.0)
    (told,) = [event.reason for event in events if isinstance(event, Fault)]
    assert "the server offers" in told


@pytest.mark.broker("bayeux")
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
