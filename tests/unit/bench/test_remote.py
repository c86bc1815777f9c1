"""Conductor and workers that speak over a broker."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack

import pytest

from mqctl.adapters.inbox import Inbox
from mqctl.adapters.memory import MemoryAdapter
from mqctl.bench import remote
from mqctl.bench.letters import Call, Post, call_topic
from mqctl.bench.messages import Beat, End, Gone, Ready, Remark
from mqctl.bench.remote import RemoteChannel, RemoteCrew, join
from mqctl.bench.team import clock
from mqctl.errors import OperationTimeout, ProtocolError
from mqctl.model import Outgoing, Topic
from mqctl.target import Endpoint, Target

CONTROL = Topic(("c",))
numbers = iter(range(1000))


@pytest.fixture
def post() -> Iterator[Callable[[], Post]]:
    """Makes connections to one broker."""
    name = f"remote-{next(numbers)}"
    with ExitStack() as stack:

        def post() -> Post:
            inbox = Inbox()
            target = Target(scheme="mem", endpoints=(Endpoint(name, 0),))
            connection = stack.enter_context(MemoryAdapter().connect(target, sink=inbox.put_batch))
            return Post(connection, inbox)

        yield post


@pytest.fixture
def joined(post) -> tuple[RemoteCrew, RemoteChannel]:
    """A crew of one, `me`, and its channel."""
    crew, worker = RemoteCrew(post(), CONTROL, "r"), post()
    with ThreadPoolExecutor(1) as pool:
        channel = pool.submit(join, worker, CONTROL, "me")
        crew.gather(1, 10, lambda _: None)
        return crew, channel.result()


def test_a_worker_that_hears_the_call_joins_by_its_clock(joined):
    crew, _ = joined
    assert crew.clocks == {"me": clock()}


def test_messages_go_both_ways_in_order(joined):
    crew, channel = joined
    crew.tell("me", Beat())
    crew.tell("you", Beat())
    crew.tell("me", End())
    assert [channel.receive(1), channel.receive(1), channel.receive(0)] == [Beat(), End(), None]
    channel.send(Ready())
    channel.send(Remark("x" * 10_000))
    heard = crew.hear(1)
    while len(heard) < 2:
        heard += crew.hear(1)
    assert heard == [("me", Ready()), ("me", Remark("x" * 10_000))]


def test_what_nobody_of_us_wrote_is_passed_over(joined, post):
    crew, channel = joined
    RemoteChannel(post(), "other", "r", channel.places).send(Ready())
    for payload in (b"", b"junk", zlib.compress(b"{}"), zlib.compress(b'{"type":"Letter"}')):
        channel._post._connection.submit(Outgoing(topic=channel.places.up, payload=payload))
    channel.send(Ready())
    heard = []
    while not heard:
        heard = crew.hear(1)
    assert heard == [("me", Ready())]


def test_a_worker_that_falls_silent_is_gone_once(joined, monkeypatch):
    crew, channel = joined
    channel.send(Ready())
    assert crew.hear(1) == [("me", Ready())]
    monkeypatch.setattr(remote, "SILENCE_S", 0.0)
    assert crew.hear(0.01) == [("me", Gone("worker me has been silent for 0 s"))]
    assert crew.hear(0.01) == []


def test_a_worker_whose_conductor_falls_silent_gives_up(joined, monkeypatch):
    _, channel = joined
    monkeypatch.setattr(remote, "SILENCE_S", 0.0)
    with pytest.raises(EOFError, match="the conductor has been silent for 0 s"):
        channel.receive(0.01)


def test_nobody_joins(post):
    with pytest.raises(OperationTimeout, match=r"0 of 2 workers joined within 0\.01 s"):
        RemoteCrew(post(), CONTROL, "r").gather(2, 0.01, lambda _: None)


def test_a_conductor_of_another_version_is_refused(post):
    worker, leader = post(), post()
    with ThreadPoolExecutor(1) as pool:
        channel = pool.submit(join, worker, CONTROL, "me")
        while not channel.done():
            leader.send(call_topic(CONTROL), Call("r", schema=99))
            wait([channel], 0.05)
    with pytest.raises(ProtocolError, match="schema 99, not 1"):
        channel.result()


def test_a_broker_that_goes_away_ends_the_worker(joined):
    _, channel = joined
    channel._post._connection.close()
    with pytest.raises(EOFError, match="connection lost"):
        channel.receive(1)
