"""How clients connect, by protocol."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from mqctl.experiments.plan import ConsumerPlan, Trouble
from mqctl.experiments.simulation.bayeux_house import BayeuxHouse, Jar, RequestEnd
from mqctl.experiments.simulation.bayeux_peer import BayeuxPeer, Carrier, Keepsake
from mqctl.experiments.simulation.hub import Hub
from mqctl.experiments.simulation.peer import Peer, Role
from mqctl.experiments.simulation.stomp_peer import StompPeer
from mqctl.experiments.simulation.stomp_port import StompPort
from mqctl.experiments.simulation.weather import Weather
from mqctl.experiments.simulation.wire import Wire
from mqctl.protocols.bayeux.client_actions import Lane


class Way(Protocol):
    """To a hub."""

    def dial(self, role: Role, plan: ConsumerPlan | None, trouble: Trouble | None) -> Peer:
        """Connect.

        Args:
            role: Who.
            plan: Of a consumer.
            trouble: Where the connection is to break.
        """
        ...


class StompWay:
    """By STOMP.

    Args:
        hub: Where to.
        weather: On the way.
    """

    def __init__(self, hub: Hub, weather: Weather) -> None:
        self._hub, self._weather = hub, weather

    def dial(self, role: Role, _plan: ConsumerPlan | None, trouble: Trouble | None) -> Peer:
        """See `Way`."""
        wire = Wire(self._hub.world, self._weather)
        peer = StompPeer(wire, role)
        wire.join(peer, StompPort(self._hub, wire.down, self._weather.window_bytes))
        if trouble is not None:
            wire.down.break_at(trouble.at, wire.reset)
        peer.begin()
        return peer


class BayeuxWay:
    """By Bayeux, long-polling.

    Args:
        hub: Where to.
        weather: On the way.
    """

    def __init__(self, hub: Hub, weather: Weather) -> None:
        self._hub, self._weather = hub, weather
        self._house = BayeuxHouse(hub)
        self._keepsakes: dict[str, Keepsake] = {}
        self._clients = 0

    def dial(self, role: Role, plan: ConsumerPlan | None, trouble: Trouble | None) -> Peer:
        """See `Way`. What brings messages is what breaks."""
        keepsake = None
        if plan is not None and plan.session:
            keepsake = self._keepsakes.setdefault(plan.name, Keepsake(self._fresh_jar()))
        jar = keepsake.jar if keepsake is not None else self._fresh_jar()

        def join(lane: Lane, client: Carrier) -> Wire:
            wire = Wire(self._hub.world, self._weather)
            wire.join(client, RequestEnd(self._house, wire.down, jar))
            if trouble is not None and lane is Lane.CONNECT:
                wire.down.break_at(trouble.at, wire.reset)
            return wire

        peer = BayeuxPeer(self._hub.world, role, join, keepsake, None if plan is None else plan.delivery)
        peer.begin()
        return peer

    def _fresh_jar(self) -> Jar:
        self._clients += 1
        return Jar(f"client-{self._clients}")


WAYS: Final[Mapping[str, type[StompWay] | type[BayeuxWay]]] = MappingProxyType({"stomp": StompWay, "bayeux": BayeuxWay})
"""By protocol."""
