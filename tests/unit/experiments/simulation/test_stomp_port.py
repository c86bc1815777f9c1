"""The hub's end of a simulated STOMP connection."""

from __future__ import annotations

import pytest

from mqctl.broker import Address, AddressKind, Broker, Dropped, DropReason
from mqctl.experiments.simulation.hub import Hub
from mqctl.experiments.simulation.stomp_port import StompPort
from mqctl.experiments.simulation.weather import drawn
from mqctl.experiments.simulation.wire import Pipe
from mqctl.experiments.simulation.world import World


@pytest.mark.parametrize("request_", ["UNSUBSCRIBE\nid:1\n\n\0", "DISCONNECT\nreceipt:1\n\n\0"])
def test_what_no_experiment_asks_for_is_refused(request_):
    world = World(1)
    pipe = Pipe(world, drawn(world.rng))
    port = StompPort(Hub(world, Broker()), pipe, 1000)
    came = []
    pipe.arrive = came.append
    port.receive(b"CONNECT\naccept-version:1.2\nhost:h\n\n\0" + request_.encode())
    while world.step():
        pass
    assert b"nobody does this in a simulation" in b"".join(came)


def test_what_concerns_no_message_on_its_way_is_left():
    world = World(1)
    address = Address(AddressKind.TOPIC, "a")
    Hub(world, Broker()).apply([Dropped(address, 1, DropReason.EXPIRED)])
    assert not world.step()
