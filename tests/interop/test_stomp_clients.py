"""Clients that others wrote, in Python, at the hub: what they were built to do with a broker works here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from queue import Queue
from threading import Event

import pytest
import stomp
import stompman

from mqctl.target import Endpoint
from tests.interop.conftest import PASSWORD, USER

LIMIT_S = 10.0
BEATS_MS = 200
BODIES = [b"text", "한국어 ✓".encode(), b"", b"a\0b", bytes(range(256)), b"x" * 1_000_000]


class Listener(stomp.ConnectionListener):
    """Queues what comes, by kind of frame."""

    def __init__(self) -> None:
        self.messages: Queue[stomp.utils.Frame] = Queue()
        self.errors: Queue[stomp.utils.Frame] = Queue()
        self.receipts: Queue[str] = Queue()
        self.beats: Queue[None] = Queue()
        self.timed_out = Event()

    def on_message(self, frame: stomp.utils.Frame) -> None:
        self.messages.put(frame)

    def on_error(self, frame: stomp.utils.Frame) -> None:
        self.errors.put(frame)

    def on_receipt(self, frame: stomp.utils.Frame) -> None:
        self.receipts.put(frame.headers["receipt-id"])

    def on_heartbeat(self) -> None:
        self.beats.put(None)

    def on_heartbeat_timeout(self) -> None:
        self.timed_out.set()

    def receipt(self) -> str:
        return self.receipts.get(timeout=LIMIT_S)

    def message(self) -> stomp.utils.Frame:
        return self.messages.get(timeout=LIMIT_S)


Connect = Callable[..., tuple[stomp.Connection, Listener]]


@pytest.fixture(params=[stomp.Connection10, stomp.Connection11, stomp.Connection12], ids=["1.0", "1.1", "1.2"])
def version(request: pytest.FixtureRequest) -> type[stomp.Connection]:
    """Each version of the protocol."""
    return request.param


@pytest.fixture
def connect(hub: Endpoint) -> Iterator[Connect]:
    """Makes connections of stomp.py, closed at the end."""
    opened: list[stomp.Connection] = []

    def make(kind: type[stomp.Connection], **options: object) -> tuple[stomp.Connection, Listener]:
        connection = kind([(hub.host, hub.port)], auto_decode=False, **options)
        listener = Listener()
        connection.set_listener("", listener)
        opened.append(connection)
        connection.connect(USER, PASSWORD, wait=True)
        return connection, listener

    yield make
    for connection in opened:
        if connection.is_connected():
            connection.disconnect()


def test_stomp_py_round_trip(connect: Connect, version: type[stomp.Connection]) -> None:
    """Bodies arrive byte for byte, in order, with receipts, in all three versions."""
    connection, listener = connect(version)
    connection.subscribe("/topic/a", id="1", ack="auto", headers={"receipt": "subscribed"})
    assert listener.receipt() == "subscribed"
    for number, body in enumerate(BODIES):
        connection.send("/topic/a", body, receipt=f"sent-{number}")
    assert [listener.receipt() for _ in BODIES] == [f"sent-{number}" for number in range(len(BODIES))]
    assert [listener.message().body for _ in BODIES] == BODIES
    assert listener.errors.empty()


def test_stomp_py_headers(connect: Connect) -> None:
    """The escapes of STOMP 1.2 are those that stomp.py writes and reads."""
    connection, listener = connect(stomp.Connection12)
    connection.subscribe("/topic/a", id="1", headers={"receipt": "subscribed"})
    listener.receipt()
    connection.send("/topic/a", "x", headers={"odd": "c:d\\e\nf"})
    assert listener.message().headers["odd"] == "c:d\\e\nf"


def test_stomp_py_acknowledges(connect: Connect) -> None:
    """What one connection acknowledged is gone; what it refused or left comes again, marked."""
    sender, sent = connect(stomp.Connection12)
    for body in (b"0", b"1", b"2"):
        sender.send("/queue/q", body, receipt=body.decode())
        sent.receipt()
    first, received = connect(stomp.Connection12)
    first.subscribe("/queue/q", id="1", ack="client-individual")
    acks = [received.message().headers["ack"] for _ in range(3)]
    first.ack(acks[0], receipt="acked")
    received.receipt()
    first.nack(acks[1], receipt="refused")
    received.receipt()
    again = received.message()
    assert (again.body, again.headers["redelivered"]) == (b"1", "true")
    first.disconnect()
    second, received = connect(stomp.Connection12)
    second.subscribe("/queue/q", id="1", ack="auto")
    assert [received.message().body for _ in range(2)] == [b"1", b"2"]


def test_stomp_py_transaction(connect: Connect, version: type[stomp.Connection]) -> None:
    """An aborted transaction leaves nothing, a committed one all."""
    connection, listener = connect(version)
    connection.subscribe("/topic/a", id="1", headers={"receipt": "subscribed"})
    listener.receipt()
    for body, end in ((b"no", connection.abort), (b"yes", connection.commit)):
        transaction = connection.begin()
        connection.send("/topic/a", body, transaction=transaction)
        end(transaction)
    assert listener.message().body == b"yes"
    assert listener.messages.empty()


def test_stomp_py_heart_beats(connect: Connect) -> None:
    """Beats go both ways: neither side takes the other for dead while nothing else is said."""
    connection, listener = connect(stomp.Connection12, heartbeats=(BEATS_MS, BEATS_MS), heart_beat_receive_scale=3)
    for _ in range(5):
        listener.beats.get(timeout=LIMIT_S)
    assert not listener.timed_out.is_set()
    assert connection.is_connected()


def test_stomp_py_wrong_password(hub: Endpoint) -> None:
    """Refused with an ERROR that says why."""
    connection = stomp.Connection12([(hub.host, hub.port)], reconnect_attempts_max=1)
    listener = Listener()
    connection.set_listener("", listener)
    with pytest.raises(stomp.exception.ConnectFailedException):
        connection.connect(USER, "wrong", wait=True)
    assert "password" in listener.errors.get(timeout=LIMIT_S).headers["message"]


def test_stomp_py_disconnect_has_its_receipt(connect: Connect) -> None:
    """All that was sent before DISCONNECT has been taken when its receipt comes."""
    connection, listener = connect(stomp.Connection12)
    connection.send("/queue/q", "kept")
    connection.disconnect(receipt="bye")
    assert listener.receipt() == "bye"
    other, received = connect(stomp.Connection12)
    other.subscribe("/queue/q", id="1")
    assert received.message().body == b"kept"


@asynccontextmanager
async def stompman_at(hub: Endpoint, password: str = PASSWORD) -> AsyncIterator[stompman.Client]:
    parameters = stompman.ConnectionParameters(host=hub.host, port=hub.port, login=USER, passcode=password)
    beats = stompman.Heartbeat(will_send_interval_ms=BEATS_MS, want_to_receive_interval_ms=BEATS_MS)
    async with stompman.Client([parameters], heartbeat=beats, connect_retry_attempts=1) as client:
        yield client


@pytest.mark.asyncio
async def test_stompman_round_trip(hub: Endpoint) -> None:
    """Bodies arrive in order, acknowledged one by one."""
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def handle(frame: stompman.AckableMessageFrame) -> None:
        got.put_nowait(frame.body)
        await frame.ack()

    async with stompman_at(hub) as client, asyncio.timeout(LIMIT_S):
        subscription = await client.subscribe_with_manual_ack("/queue/q", handle, receipt_timeout=LIMIT_S)
        for body in BODIES:
            await client.send(body, "/queue/q", receipt_timeout=LIMIT_S)
        assert [await got.get() for _ in BODIES] == BODIES
        await subscription.unsubscribe()


@pytest.mark.asyncio
async def test_stompman_nack_and_transaction(hub: Endpoint) -> None:
    """A refused message comes again; what a transaction sent comes when it is committed."""
    got: asyncio.Queue[stompman.AckableMessageFrame] = asyncio.Queue()

    async def handle(frame: stompman.AckableMessageFrame) -> None:
        got.put_nowait(frame)

    async with stompman_at(hub) as client, asyncio.timeout(LIMIT_S):
        subscription = await client.subscribe_with_manual_ack("/queue/q", handle, receipt_timeout=LIMIT_S)
        async with client.begin() as transaction:
            await transaction.send(b"committed", "/queue/q")
            assert got.empty()
        await (await got.get()).nack()
        again = await got.get()
        assert again.headers["redelivered"] == "true"  # type: ignore[typeddict-item]  # not a header of the standard
        await again.ack()
        await subscription.unsubscribe()


@pytest.mark.asyncio
async def test_stompman_wrong_password(hub: Endpoint) -> None:
    """Refused; stompman reports a refusal as a lost connection."""
    with pytest.raises(stompman.FailedAllConnectAttemptsError, match="ConnectionLost"):
        async with stompman_at(hub, "wrong"):
            pass
