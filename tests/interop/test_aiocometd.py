"""aiocometd-ng, a client of Bayeux in Python, at the hub. It shakes hands over long-polling, whatever comes after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from aiocometd_ng import AuthExtension, Client, ConnectionType, Extension
from aiocometd_ng.exceptions import ServerError

from mqctl.target import Endpoint, parse_url
from mqctl.testing.contract import Link
from tests.hub.client import Client as StompClient
from tests.interop.conftest import PASSWORD, USER

pytestmark = [
    pytest.mark.asyncio,
    # Its own call, older than the aiohttp that is beneath it.
    pytest.mark.filterwarnings("ignore:float parameter 'receive_timeout' is deprecated:DeprecationWarning"),
]

LIMIT_S = 20.0

Payload = list[dict[str, Any]]
Open = Callable[..., Client]


class Login(AuthExtension):
    """Puts a password into the handshake; once refused, the right one."""

    def __init__(self, password: str = PASSWORD) -> None:
        self.password = password

    async def outgoing(self, payload: Payload, headers: object) -> None:
        for message in payload:
            if message["channel"] == "/meta/handshake":
                login = {"user": USER, "password": self.password}
                message.setdefault("ext", {})["authentication"] = login

    async def incoming(self, payload: Payload, headers: object = None) -> None:
        pass

    async def authenticate(self) -> None:
        self.password = PASSWORD


class Acknowledge(Extension):
    """CometD's ack extension."""

    def __init__(self) -> None:
        self.batch: int | None = None

    async def outgoing(self, payload: Payload, headers: object) -> None:
        for message in payload:
            if message["channel"] == "/meta/handshake":
                message.setdefault("ext", {})["ack"] = True
            if message["channel"] == "/meta/connect" and self.batch is not None:
                message.setdefault("ext", {})["ack"] = self.batch

    async def incoming(self, payload: Payload, headers: object = None) -> None:
        for message in payload:
            batch = message.get("ext", {}).get("ack")
            if message["channel"] == "/meta/handshake":
                assert batch is True
            elif message["channel"] == "/meta/connect" and batch is not None:
                self.batch = batch


@pytest_asyncio.fixture(autouse=True)
async def _silence() -> None:
    """What the client leaves behind when it is cancelled is told to nobody: its exceptions are no failures here."""
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)


@pytest.fixture
def http(hub_urls: tuple[str, ...]) -> Endpoint:
    return parse_url(hub_urls[1]).endpoints[0]


@pytest.fixture(params=[ConnectionType.LONG_POLLING, ConnectionType.WEBSOCKET], ids=lambda kind: kind.value)
def kind(request: pytest.FixtureRequest) -> ConnectionType:
    """What the client uses after the handshake."""
    return request.param


@pytest.fixture
def client(http: Endpoint, kind: ConnectionType) -> Open:
    """Makes clients."""

    def make(endpoint: Endpoint = http, auth: AuthExtension | None = None, **options: object) -> Client:
        # It keeps no cookies of a server without a name, and with a time limit it calls what Python 3.10 took away.
        url = f"http://localhost:{endpoint.port}/cometd"
        return Client(url, kind, auth=auth or Login(), connection_timeout=0, ssl=True, **options)

    return make


async def test_round_trip(client: Open, kind: ConnectionType) -> None:
    """What one publishes the other receives, in order, each confirmed, and its own too."""
    async with asyncio.timeout(LIMIT_S), client() as reading, client() as writing:
        assert reading.connection_type is kind
        await reading.subscribe("/a/*")
        for number in range(20):
            assert (await writing.publish("/a/b", {"n": number}))["successful"]
        assert await take(reading, 20) == [{"n": number} for number in range(20)]
        await reading.publish("/a/c", {"own": True})
        assert await take(reading, 1) == [{"own": True}]
        await reading.unsubscribe("/a/*")
        assert not reading.subscriptions
        assert not reading.has_pending_messages


async def test_a_password_that_is_renewed(client: Open) -> None:
    """The refusal makes the client ask for another password, and the handshake with that one succeeds."""
    login = Login("wrong")
    async with asyncio.timeout(LIMIT_S), client(auth=login) as writing:
        assert login.password == PASSWORD
        assert (await writing.publish("/a", {}))["successful"]


async def test_a_refusal(client: Open) -> None:
    """A subscription that is refused raises what the hub says of it, and the session stays."""
    async with asyncio.timeout(LIMIT_S), client() as reading:
        with pytest.raises(ServerError, match="subscribe_denied"):
            await reading.subscribe("/meta/connect")
        await reading.subscribe("/a")
        assert reading.subscriptions == {"/a"}


async def test_acknowledgement(client: Open, http: Endpoint, hub: Endpoint) -> None:
    """With the ack extension nothing is lost, doubled or out of order though connections break."""
    async with asyncio.timeout(LIMIT_S), AsyncExitStack() as stack:
        link = stack.enter_context(Link(http))
        reading = await stack.enter_async_context(client(link.endpoint, extensions=[Acknowledge()]))
        publisher = stack.enter_context(StompClient(hub, headers={"login": USER, "passcode": PASSWORD}))
        await reading.subscribe("/a")
        got = []
        for number in range(60):
            publisher.publish("/topic/a", str(number).encode())
            if number % 20 == 10:
                link.cut()
            if number % 3 == 0:
                got += await take(reading, 1)
        got += await take(reading, 40)
        assert got == list(range(60))
        assert not reading.has_pending_messages


async def take(client: Client, count: int) -> list[Any]:
    """The data of the messages that come next."""
    return [(await client.receive())["data"] for _ in range(count)]
