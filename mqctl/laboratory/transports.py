"""Long-polling, event streams and WebSocket at one Bayeux server, compared: how late, and at which cost.

One publisher sends at even pace whatever becomes of the messages, and one subscriber listens, both by the same
transport. The transports take turns, so that none of them has the machine's better hour.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

from mqctl.adapters.base import Adapter
from mqctl.errors import MqctlError
from mqctl.experiments.answers import Answer, Property
from mqctl.experiments.cases import INTACT, PACE, Case, controlled, judged, publishing
from mqctl.experiments.events import Delivered, Fault, Planted
from mqctl.experiments.history import Reader
from mqctl.experiments.plan import ConsumerPlan, Ground, Params, Plan
from mqctl.laboratory.meter import Cost, MeteredAdapter
from mqctl.laboratory.trial import Trial
from mqctl.measurement.histogram import Histogram
from mqctl.measurement.report import latency_of
from mqctl.measurement.verdict import Verdict
from mqctl.model import ConnectionEvent
from mqctl.model import Fault as Complaint
from mqctl.protocols.bayeux.spec import ConnectionType
from mqctl.target import Target, is_encrypted

SUBSCRIBER, PUBLISHER = 0, 1
"""In this order a run connects."""

_GRAVITY: Final = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


class Way(NamedTuple):
    """A transport: how it is called, how its schemes end without TLS and with it, and what a session by it says."""

    name: str
    plain: str
    encrypted: str
    connection_type: ConnectionType


WAYS: Final = (
    Way("long-polling", "http", "https", ConnectionType.LONG_POLLING),
    Way("sse", "sse", "sses", ConnectionType.EVENT_SOURCE),
    Way("websocket", "ws", "wss", ConnectionType.WEBSOCKET),
)
"""The transports, in the order in which they are told."""


def by(way: Way, target: Target) -> Target:
    """The same server by a transport."""
    return replace(target, scheme=f"bayeux+{way.encrypted if is_encrypted(target.scheme) else way.plain}")


def why_not(way: Way, adapter: Adapter, target: Target) -> str:
    """Why a server does not offer a transport; "" where it does.

    Raises:
        MqctlError: As `Adapter.connect`, where it cannot be reached in any way.
    """
    said: list[str] = []

    def listen(events: Sequence[ConnectionEvent]) -> None:
        said.extend(event.reason for event in events if isinstance(event, Complaint))

    with adapter.connect(by(way, target), sink=listen) as scout:
        if scout.greeting.detail["connection-type"] == way.connection_type:
            return ""
    return said[0] if said else "the server speaks another transport instead"


def case_of(way: Way) -> Case:
    """What is run for a transport: messages at even pace, from one to one."""

    def plan(params: Params, ground: Ground, rng: random.Random) -> Plan:
        expect, topic = judged(replace(params, timed=True), (Property.FIFO, *INTACT)), ground.topic(params)
        return Plan(
            name=way.name,
            mode="plain",
            producers=publishing(params, ground, topic, 1),
            consumers=[controlled(rng, ConsumerPlan(name="c1", topic=topic), expect, params.messages)],
            expect=expect,
            rate=PACE,
        )

    return Case(name=way.name, line="messages at even pace, from one to one", plan=plan)


@dataclass(slots=True)
class Account:
    """What a transport did in all its rounds.

    Attributes:
        way: The transport.
        unsupported: Why it was not tried; "" where it was.
        trials: Its runs.
        latency: From when messages were due, without those delayed on purpose.
        costs: Of the subscriber and of the publisher; empty where the wire cannot be read.
    """

    way: Way
    unsupported: str = ""
    trials: list[Trial] = field(default_factory=list)
    latency: Histogram = field(default_factory=Histogram)
    costs: tuple[Cost, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """The worst of its runs; None where it was not tried."""
        verdicts = {trial.verdict for trial in self.trials}
        return next((each for each in _GRAVITY if each in verdicts), None)

    @property
    def messages(self) -> int:
        """How many were confirmed and to be delivered."""
        return sum(each.chances for each in self.answers(Property.NO_LOSS))

    @property
    def lost(self) -> int:
        """How many of them never came."""
        return sum(each.violations for each in self.answers(Property.NO_LOSS))

    @property
    def disordered(self) -> int:
        """How many came behind a later one."""
        return sum(each.violations for each in self.answers(Property.FIFO))

    def answers(self, about: Property) -> list[Answer]:
        """What its histories say about a property."""
        reports = [trial.report for trial in self.trials if trial.report is not None]
        return [each.answer for report in reports for each in report.judged if each.answer.about is about]

    def quantiles_ms(self) -> dict[str, float | None]:
        """Of the latency; None where there are too few messages for one."""
        found = latency_of(self.latency)
        longest = {"max": found.longest_ns}
        return {name: None if ns is None else ns / 1e6 for name, ns in {**found.quantiles, **longest}.items()}

    def per_message(self, client: int) -> dict[str, float] | None:
        """What a client's connections carried for each message; None where the wire cannot be read."""
        if not self.costs or not self.messages:
            return None
        return {name: total / self.messages for name, total in self.costs[client]._asdict().items()}


def run(account: Account, adapter: Adapter, target: Target, attempt: Callable[[Adapter, Target], Trial]) -> Trial:
    """One round of a transport, entered into its account.

    Args:
        account: Of the transport.
        adapter: Of Bayeux.
        target: The server.
        attempt: Runs `case_of` the transport with an adapter at a target.

    Raises:
        MqctlError: As `Run.carry_out`.
    """
    with contextlib.ExitStack() as stack:
        # A certificate would not be valid for the relay.
        meter = None if is_encrypted(target.scheme) else MeteredAdapter(adapter, stack)
        trial = attempt(meter or adapter, by(account.way, target))
    account.trials.append(trial)
    if trial.folder is not None:
        account.latency.record_all(latencies(trial.folder / "history.jsonl"))
    if meter is not None:
        costs = [each.cost for each in meter.meters]
        before = account.costs or (Cost(),) * len(costs)
        account.costs = tuple(
            Cost(*map(sum, zip(old, new, strict=True))) for old, new in zip(before, costs, strict=True)
        )
    return trial


def latencies(history: Path) -> list[int]:
    """How long after they were due the messages of a history came, in ns; those delayed on purpose are left out."""
    took: list[int] = []
    delayed: set[tuple[str, int]] = set()
    with history.open("rb") as file:
        for batch in Reader(file, str(history)).batches():
            for event in batch.events:
                if isinstance(event, Planted) and event.fault is Fault.DELAY:
                    delayed.add((event.producer, event.n))
                elif isinstance(event, Delivered) and (event.producer, event.n) not in delayed:
                    assert event.received_ns is not None
                    assert event.intended_ns is not None
                    took.append(max(0, event.received_ns - event.intended_ns))
    return took


def offered(adapter: Adapter, target: Target) -> list[Account]:
    """An account for each transport, of which some may be unsupported.

    Raises:
        MqctlError: The server cannot be reached by any of them.
    """
    accounts = []
    failures: list[MqctlError] = []
    for way in WAYS:
        try:
            unsupported = why_not(way, adapter, target)
        except MqctlError as error:
            failures.append(error)
            unsupported = str(error)
        accounts.append(Account(way, unsupported))
    if len(failures) == len(WAYS):
        raise failures[0]
    return accounts
