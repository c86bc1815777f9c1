"""Conductor and workers that speak over a broker."""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack

import msgspec
import pytest

from mqctl.adapters.inbox import Inbox
from mqctl.adapters.memory import MemoryAdapter
from mqctl.bench import remote
from mqctl.bench.letters import Call, Letter, Post, call_topic
from mqctl.bench.messages import SCHEMA, Beat, End, Go, Gone, Ready, Remark, encode
from mqctl.bench.remote import RemoteChannel, RemoteCrew, join
from mqctl.bench.team import clock
from mqctl.errors import OperationTimeout, ProtocolError, UsageError
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


def garbage(address: str) -> Iterator[bytes]:
    """What another program, or a broken network, may leave on the topics of a run."""
    letter = msgspec.json.encode(Letter(address, msgspec.Raw(encode(Remark("x" * 50)))))
    yield from (b"", b"junk", zlib.compress(b"{}"), zlib.compress(b'{"type":"Letter"}'), zlib.compress(letter)[:-9])
    for body in (b"[]", b"1e999", b'{"type":"Go","at_ns":"\xff"}', b"[" * 100_000 + b"]" * 100_000, b'{"type":"Rm"}'):
        yield zlib.compress(b'{"type":"Letter","address":"%b","body":%b}' % (address.encode(), body))
    chance = random.Random(1)
    for _ in range(200):
        mutated = bytearray(letter.replace(b'"Remark"', b'"Rem?rk"'))
        mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        yield zlib.compress(mutated)


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
    crew.tell("me", Go())
    crew.tell("me", Beat())
    crew.tell("me", End())
    told = []
    while len(told) < 2:
        told += filter(None, [channel.receive(1)])
    assert told == [Go(), End()]
    channel.send(Ready())
    channel.send(Remark("x" * 10_000))
    heard = crew.hear(1)
    while len(heard) < 2:
        heard += crew.hear(1)
    assert heard == [("me", Ready()), ("me", Remark("x" * 10_000))]


def test_what_nobody_of_us_wrote_is_passed_over(joined, post):
    crew, channel = joined
    RemoteChannel(post(), "other", "r", channel.places).send(Ready())
    for place in channel.places:
        for payload in garbage(channel._address):
            channel._post._connection.submit(Outgoing(topic=place, payload=payload))
    channel.send(Ready())
    crew.tell("me", End())
    heard, told = [], None
    while not heard:
        heard = crew.hear(1)
    while told is None:
        told = channel.receive(1)
    assert (heard, told) == ([("me", Ready())], End())


def test_a_worker_that_falls_silent_is_gone_once(joined, monkeypatch):
    crew, channel = joined
    channel.send(Ready())
    while not crew.hear(1):
        pass
    monkeypatch.setattr(remote, "SILENCE_S", 0.0)
    assert crew.hear(0.01) == [("me", Gone("worker me has been silent for 0 s"))]
    assert crew.hear(0.01) == []


def test_a_worker_whose_conductor_falls_silent_gives_up(joined, monkeypatch):
    _, channel = joined
    monkeypatch.setattr(remote, "SILENCE_S", 0.0)
    with pytest.raises(EOFError, match="the conductor has been silent for 0 s"):
        channel.receive(0.01)


def waiting(pool: ThreadPoolExecutor, crew: RemoteCrew, count: int, timeout_s: float = 10) -> Future[list[str]]:
    """A crew that gathers; what it remarks."""
    remarks: list[str] = []

    def gather() -> list[str]:
        crew.gather(count, timeout_s, remarks.append)
        return remarks

    return pool.submit(gather)


def test_two_of_one_name_do_not_do_one_part_twice(post):
    crew, first, second = RemoteCrew(post(), CONTROL, "r"), post(), post()
    with ThreadPoolExecutor(3) as pool:
        gathering = waiting(pool, crew, 2)
        assert pool.submit(join, first, CONTROL, "me").result().run == "r"
        with pytest.raises(UsageError, match="another worker of that run has this name: me"):
            join(second, CONTROL, "me")
        assert join(second, CONTROL, "you").run == "r"
        assert gathering.result() == ["worker me joined, 1 to come", "worker you joined, 0 to come"]


def test_one_too_many_waits_for_the_next_run(post):
    first, second = RemoteCrew(post(), CONTROL, "first"), RemoteCrew(post(), CONTROL, "second")
    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(join, post(), CONTROL, name) for name in ("me", "you")]
        first.gather(1, 10, lambda _: None)
        hearing = pool.submit(lambda: [first.hear(0.1) for _ in range(10)])
        second.gather(1, 10, lambda _: None)
        hearing.result()
        assert sorted(worker.result().run for worker in workers) == ["first", "second"]


def test_who_joined_early_waits_for_the_others_however_long(post, monkeypatch):
    monkeypatch.setattr(remote, "SILENCE_S", 0.3)
    monkeypatch.setattr(remote, "CALL_S", 0.05)
    crew = RemoteCrew(post(), CONTROL, "r")
    with ThreadPoolExecutor(2) as pool:
        gathering = waiting(pool, crew, 2)
        early = join(post(), CONTROL, "early")
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            assert early.receive(0.05) is None
        joining = pool.submit(join, post(), CONTROL, "late")
        while not gathering.done():
            early.receive(0.05)
        assert joining.result().run == "r"
    assert set(crew.clocks) == {"early", "late"}


def test_who_goes_before_the_run_makes_room(post, monkeypatch):
    monkeypatch.setattr(remote, "SILENCE_S", 0.5)
    monkeypatch.setattr(remote, "CALL_S", 0.05)
    crew = RemoteCrew(post(), CONTROL, "r")
    with ThreadPoolExecutor(1) as pool:
        gathering = waiting(pool, crew, 2)
        join(post(), CONTROL, "interrupted").send(Gone("worker interrupted was interrupted"))
        join(post(), CONTROL, "killed")
        while crew.clocks:
            wait([gathering], 0.05)
        staying = join(post(), CONTROL, "staying")
        while "staying" not in crew.clocks:
            staying.receive(0.05)
        joining = join(post(), CONTROL, "new")
        while not gathering.done():
            staying.receive(0.05)
            joining.receive(0.05)
    assert list(crew.clocks) == ["staying", "new"]


def test_who_waits_for_a_run_that_does_not_come_about_hears_so(post):
    crew = RemoteCrew(post(), CONTROL, "r")
    with ThreadPoolExecutor(1) as pool:
        gathering = waiting(pool, crew, 2, timeout_s=1)
        channel = join(post(), CONTROL, "me")
        while (told := channel.receive(0.1)) is None:
            pass
        assert told == End()
        with pytest.raises(OperationTimeout, match="1 of 2 workers joined within 1 s"):
            gathering.result()


def test_a_worker_need_not_wait_for_ever(post):
    with pytest.raises(OperationTimeout, match="no run was called within 50ms"):
        join(post(), CONTROL, "me", 0.05)


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
    with pytest.raises(ProtocolError, match=f"schema 99, not {SCHEMA}"):
        channel.result()


def test_a_broker_that_goes_away_ends_the_worker(joined):
    _, channel = joined
    channel._post._connection.close()
    with pytest.raises(EOFError, match="connection lost"):
        channel.receive(1)
