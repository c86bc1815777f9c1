"""Connections of an experiment: one for each client, by a fault proxy where it is to be broken."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mqctl.adapters import reconnecting
from mqctl.adapters.base import Adapter, Connection, EventSink, SubscribeSpec
from mqctl.errors import MqctlError
from mqctl.experiments.plan import Break, ConsumerPlan, ProducerPlan, Trouble
from mqctl.faults.link import Link
from mqctl.measurement.stamp import MAGIC
from mqctl.target import MQTT_5, NO_RECONNECT, Endpoint, ReconnectOptions, Target, is_encrypted
from mqctl.topics import to_bayeux_patterns

BACK_WITHIN_S: Final = 60.0
PAUSE_MAX_S: Final = 0.5
STALL_BEAT_S: Final = 1.0
"""How often both sides of a connection that is to stall are heard: MQTT counts in whole seconds."""

BLIND_S: Final = 0.1
"""How long a publisher whose connection is to be reset hears nothing before."""

FORGET_TIMEOUT_S: Final = 5.0
SESSION_EXPIRY_S: Final = 600.0
"""How long the broker is asked to remember a client that does not come back (MQTT 5, 3.1.2.11.2)."""


@dataclass(frozen=True, slots=True)
class Armed:
    """A break that waits for its place; `fired` tells that it was there."""

    client: str
    trouble: Trouble
    fired: threading.Event


class Wiring:
    """Opens connections, and closes them all at the end.

    Attributes:
        armed: The breaks to come.

    Args:
        adapter: The transport.
        target: Where the broker is.
        stack: Closes what is opened.
        lasting: Whether the broker is restarted, so that everybody must connect again.
    """

    def __init__(self, adapter: Adapter, target: Target, stack: contextlib.ExitStack, *, lasting: bool) -> None:
        self.armed: list[Armed] = []
        self._adapter = adapter
        self._target = replace(target, client_id=None, reconnect=NO_RECONNECT)
        self._stack = stack
        self._lasting = lasting
        self._links: dict[str, Link] = {}
        self._sessions: set[str] = set()

    def open(self, client: str, sink: EventSink, plan: ConsumerPlan | None = None, session: str = "") -> Connection:
        """Connect.

        Args:
            client: Its name in the history.
            sink: Takes its events.
            plan: Of a consumer, whose connection may be broken, and whom the broker may remember.
            session: Under which name it does.

        Raises:
            MqctlError: As `Adapter.connect`.
        """
        target, adapter = self._target, self._adapter
        trouble = None if plan is None else plan.trouble
        if trouble is not None:
            target = replace(target, endpoints=(self._linked(client, trouble),))
            if trouble.how is Break.STALL:
                target = replace(target, heart_beat_s=STALL_BEAT_S)
        if plan is not None and (plan.session or plan.durable):
            adapter, target = self._remembered(plan, target, session)
        elif plan is not None and plan.delivery is not None:
            from mqctl.adapters.bayeux import BayeuxAdapter  # noqa: PLC0415 - only where it is spoken

            adapter = BayeuxAdapter(delivery=plan.delivery)
        if not self._lasting and (trouble is None or trouble.how is Break.KILL):
            return self._stack.enter_context(adapter.connect(target, sink=sink))
        return self._returning(adapter, target, sink)

    def open_for(self, plan: ProducerPlan, sink: EventSink) -> Connection:
        """Connect a producer.

        Raises:
            MqctlError: As `Adapter.connect`.
        """
        if plan.cut_at is None:
            return self.open(plan.name, sink)
        link = self._links[plan.name] = self._stack.enter_context(Link(self._target.endpoints[0]))
        return self._returning(self._adapter, replace(self._target, endpoints=(link.endpoint,)), sink)

    def cut(self, producer: str) -> None:
        """Let the broker's answers to a producer get lost for a moment, and reset its connection."""
        link = self._links[producer]
        link.down.swallow()
        time.sleep(BLIND_S)
        link.cut()

    def _returning(self, adapter: Adapter, target: Target, sink: EventSink) -> Connection:
        target = replace(target, reconnect=ReconnectOptions(BACK_WITHIN_S, PAUSE_MAX_S))
        return self._stack.enter_context(reconnecting.connect(adapter, target, sink=sink))

    def _remembered(self, plan: ConsumerPlan, target: Target, session: str) -> tuple[Adapter, Target]:
        """With what to connect, and where, so that the broker remembers us."""
        if target.scheme.startswith("bayeux"):
            return self._keeping(plan, target, session), target
        if session not in self._sessions:
            self._sessions.add(session)
            self._stack.callback(self._forget_subscription if plan.durable else self._forget, session, plan)
        if plan.durable:
            return self._adapter, replace(target, client_id=session)
        expiry_s = SESSION_EXPIRY_S if target.mqtt.version == MQTT_5 else None
        options = target.mqtt._replace(clean=False, session_expiry_s=expiry_s)
        return self._adapter, replace(target, client_id=session, mqtt=options)

    def _keeping(self, plan: ConsumerPlan, target: Target, session: str) -> Adapter:
        """A transport that has what came acknowledged, and goes on with its session when it was cut off."""
        from mqctl.adapters.bayeux import BayeuxAdapter  # noqa: PLC0415 - only where it is spoken
        from mqctl.adapters.bayeux_file import SessionFile  # noqa: PLC0415
        from mqctl.adapters.bayeux_kept import Kept  # noqa: PLC0415

        home = Path(self._stack.enter_context(TemporaryDirectory(prefix="mqctl-laboratory-")))
        file = self._stack.enter_context(SessionFile(home / session))
        return BayeuxAdapter(Kept(file, target, to_bayeux_patterns(plan.topic)))

    def _linked(self, client: str, trouble: Trouble) -> Endpoint:
        link = self._stack.enter_context(Link(self._target.endpoints[0]))

        def stall() -> None:
            link.up.swallow()
            link.down.swallow()

        # Behind the mark with which each message begins: the same place in every protocol.
        down, at = link.down, trouble.at
        fired = down.call_at(MAGIC, at, stall) if trouble.how is Break.STALL else down.cut_at(MAGIC, at)
        self.armed.append(Armed(client, trouble, fired))
        return link.endpoint

    def _forget_subscription(self, session: str, plan: ConsumerPlan) -> None:
        """Let the broker forget what a client subscribed to: who knows its name may."""
        spec = SubscribeSpec(topic=plan.topic, durable=plan.owner)
        with (
            contextlib.suppress(MqctlError),
            self._adapter.connect(replace(self._target, client_id=session), sink=_ignore) as connection,
        ):
            subscription = connection.subscribe(spec, timeout_s=FORGET_TIMEOUT_S)
            connection.unsubscribe(subscription, timeout_s=FORGET_TIMEOUT_S, forget=True)

    def _forget(self, session: str, _plan: ConsumerPlan) -> None:
        """Let the broker forget a client: one that connects clean under its name (MQTT 3.1.1, 3.1.2.4)."""
        target = replace(self._target, client_id=session, mqtt=self._target.mqtt._replace(clean=True))
        with contextlib.suppress(MqctlError):
            self._adapter.connect(target, sink=_ignore).close()


def why_unbreakable(target: Target) -> str:
    """Why connections to a target cannot be broken on purpose; "" where they can."""
    if target.scheme == "mem":
        return "a broker in memory has no network that could break"
    if is_encrypted(target.scheme):
        return "a certificate is not valid for the fault proxy, so the connection must be one without TLS"
    return ""


_ignore: Callable[[object], None] = lambda _events: None  # noqa: E731
