"""Connections: everything comes, in order, in pieces, late; until they break in the middle of a message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mqctl.experiments.simulation.weather import drawn
from mqctl.experiments.simulation.wire import Wire
from mqctl.experiments.simulation.world import World
from mqctl.measurement.stamp import MAGIC


class End:
    def __init__(self, world: World) -> None:
        self.world = world
        self.pieces: list[bytes] = []
        self.lost_ns: int | None = None

    def receive(self, data: bytes) -> None:
        self.pieces.append(data)

    def lost(self) -> None:
        self.lost_ns = self.world.now_ns

    @property
    def got(self) -> bytes:
        return b"".join(self.pieces)


def joined(seed: int, **changes: float) -> tuple[World, Wire, End, End]:
    world = World(seed)
    wire = Wire(world, replace(drawn(world.rng), piece_bytes_max=64, **changes))
    client, server = End(world), End(world)
    wire.join(client, server)
    return world, wire, client, server


def run(world: World) -> None:
    while world.step():
        pass


@pytest.mark.parametrize("seed", range(20))
def test_all_comes_in_order_in_pieces_and_late(seed):
    world, wire, client, server = joined(seed, slow_share=1.0)
    up, down = bytes(range(200)), bytes(range(100, 256))
    for text in (up, up):
        wire.up.send(text)
    wire.down.send(down)
    assert (wire.up.under_way, client.got) == (400, b"")
    run(world)
    assert (server.got, client.got) == (up + up, down)
    assert wire.up.under_way == 0
    assert max(map(len, server.pieces)) <= 64
    assert world.now_ns > 0


def test_relief_is_told_when_something_came():
    world, wire, _, _ = joined(1)
    told = []
    wire.down.relief = lambda: told.append(wire.down.under_way)
    wire.down.send(bytes(100))
    run(world)
    assert told == sorted(told, reverse=True)
    assert told[-1] == 0


@pytest.mark.parametrize("seed", range(20))
def test_it_breaks_within_the_message_that_was_chosen(seed):
    world, wire, client, server = joined(seed)
    wire.down.break_at(3, wire.reset)
    frame = b"head" + MAGIC + b"body" * 10
    wire.down.send(frame)
    wire.down.send(frame * 3)
    wire.down.send(frame)
    run(world)
    assert client.got == (frame * 5)[: len(client.got)]
    assert len(frame) * 2 + 4 < len(client.got) < len(frame) * 3
    assert client.lost_ns is not None
    assert client.lost_ns <= server.lost_ns


def test_what_the_client_sent_last_may_come_before_the_server_notices():
    came = set()
    for seed in range(40):
        world, wire, _, server = joined(seed, notices_max_ns=10_000_000)
        wire.up.send(bytes(640))
        wire.reset()
        run(world)
        came.add(len(server.got))
    assert {0, 640} < came
    assert came - {0, 640}


def test_nothing_is_heard_of_a_connection_that_was_reset():
    world, wire, client, _ = joined(1)
    relieved = []
    wire.down.relief = lambda: relieved.append(1)
    wire.down.send(bytes(100))
    wire.reset()
    wire.down.send(bytes(100))
    run(world)
    assert (client.got, relieved) == (b"", [])
