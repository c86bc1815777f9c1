"""What an experiment does, decided before it begins: who sends what, who listens how, what is broken where."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mqctl.experiments.answers import Property
from mqctl.experiments.limits import Limit
from mqctl.experiments.planting import Place
from mqctl.model import AckMode, Dialect, Topic
from mqctl.protocols.bayeux.spec import Delivery
from mqctl.topics import STOMP_QUEUE_PREFIX

GROUPS: Final = 20
"""Message groups, unless the user says."""


class Break(enum.StrEnum):
    """What is done to a client on purpose, as the history tells it."""

    CUT = "cut"
    """Its connection is reset, and it connects again."""
    KILL = "kill"
    """Its connection is reset, and it never comes back."""
    STALL = "stall"
    """Nothing gets through over its connection any more, and nobody is told: heart-beats are to end it."""


class Trouble(NamedTuple):
    """A break behind the message of that number that passes on a client's connection."""

    how: Break
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Numbered messages to one topic, in order. A client may send several.

    `label` is what the history calls the topic, where not everybody gets everything.
    """

    name: str
    topic: Topic
    label: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerPlan:
    """A client that sends `count` messages, at most `in_flight` of them unconfirmed.

    Its streams take turns, each with `burst` messages in a row. After `cut_at` messages the broker's answers get lost,
    and then its connection is reset; it connects again. So many as `transaction` are committed together; 0 is without
    transactions.
    """

    name: str
    streams: Sequence[Stream]
    count: int
    persistent: bool = False
    qos: int | None = None
    in_flight: int = 100
    burst: int = 1
    cut_at: int | None = None
    transaction: int = 0

    def message(self, turn: int) -> tuple[int, int]:
        """Which of its streams a message is of, and the number that it has there, from 1."""
        rounds, rest = divmod(turn, self.burst * len(self.streams))
        index, within = divmod(rest, self.burst)
        return index, rounds * self.burst + within + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerPlan:
    """A client that listens.

    Attributes:
        name: In the history.
        topic: What it subscribes to.
        label: As that of the streams that it gets; "" is all.
        beside: The consumer whose connection it shares; "" has one of its own.
        group: Those that share the messages; "" is alone.
        exclusive: Whether one of the group is served at a time.
        ack: How it acknowledges.
        ack_batch: It acknowledges when so many wait.
        withholds: Whether it acknowledges nothing until its connection was broken, or where it will not be, until all
            was sent.
        nack_every: It refuses each so manieth message, the first time it comes; 0 is none.
        nack_returns: Whether what it refuses is to come again.
        nack_covers: Whether all that it holds before that comes again too, in mode client.
        abort_every: It acknowledges each batch in a transaction, and aborts each so manieth until its connection was
            broken; 0 is without transactions.
        prefetch: How many may be unacknowledged.
        pause_s: How long it takes over each message before it acknowledges it.
        headers: Of its subscription.
        shared: The name of a shared subscription.
        qos: Of its subscription.
        session: Whether the broker remembers it while it is away, or hands what waits for it to who follows it in
            its group.
        durable: Whether the broker remembers its subscription.
        late: Whether it is away until all was sent and confirmed. Whom the broker remembers was there before.
        delivery: When a session of Bayeux is to get messages; None is as mqctl asks else.
        silent: Whether it is there to make work for the broker, and not in the history.
        heir: Whether it comes when another was killed, and not before.
        places: Where its record is spoiled.
        trouble: What is done to its connection.
    """

    name: str
    topic: Topic
    label: str = ""
    beside: str = ""
    group: str = ""
    exclusive: bool = False
    ack: AckMode = AckMode.AUTO
    ack_batch: int = 1
    withholds: bool = False
    nack_every: int = 0
    nack_returns: bool = True
    nack_covers: bool = False
    abort_every: int = 0
    prefetch: int | None = None
    pause_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    shared: str | None = None
    qos: int | None = None
    session: bool = False
    durable: bool = False
    late: bool = False
    delivery: Delivery | None = None
    silent: bool = False
    heir: bool = False
    places: Sequence[Place] = ()
    trouble: Trouble | None = None

    @property
    def owner(self) -> str:
        """Under whose name the broker remembers it."""
        return self.group or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of an experiment.

    Attributes:
        name: Of the experiment.
        mode: As in docs/history.md.
        producers, consumers: Who takes part.
        expect: What a run must show, unless the user says it.
        limits: On latency.
        restart_at: After so many messages were attempted, the broker is restarted.
        rate: Messages per second of all producers together, unless the user says; None is as fast as possible.
    """

    name: str
    mode: str
    producers: Sequence[ProducerPlan]
    consumers: Sequence[ConsumerPlan]
    expect: Sequence[Property]
    limits: Sequence[Limit] = ()
    restart_at: int | None = None
    rate: float | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What is expected, as it is typed."""
        return (*self.expect, *map(str, self.limits))

    @property
    def breaks(self) -> bool:
        """Whether connections are broken on purpose."""
        cut = any(each.cut_at is not None for each in self.producers)
        return cut or self.restart_at is not None or any(each.trouble is not None for each in self.consumers)

    @property
    def gives_back(self) -> bool:
        """Whether messages may come again long after they came first."""
        return self.breaks or any(each.nack_every or each.abort_every for each in self.consumers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How much, as the user asked. None leaves it to the experiment."""

    expect: Sequence[Property] = ()
    limits: Sequence[Limit] = ()
    producers: int | None = None
    consumers: int | None = None
    messages: int = 1000
    fillers: int = 20
    groups: int = GROUPS
    timed: bool = False
    topic: Topic | None = None
    queue: Topic | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where an experiment is to run.

    Attributes:
        protocol: stomp, mqtt or bayeux.
        dialect: Whose reading of it, where that is known.
        broker: What to call it.
        features: What the transport can do.
        unbreakable: Why connections cannot be broken here; "" where they can.
        restartable: Whether the user said how the broker is restarted.
        name: Nobody else's, for topics and queues, in dotted levels.
        simulated: Whether time and network are.
    """

    protocol: str
    dialect: Dialect | None
    broker: str
    features: frozenset[str]
    unbreakable: str
    restartable: bool
    name: str
    simulated: bool = False

    def topic(self, params: Params) -> Topic:
        """The topic that the user named, or a fresh one."""
        return params.topic or Topic(levels=tuple(self.name.split(".")))

    def queue(self, params: Params) -> Topic:
        """The queue that the user named, or a fresh one."""
        return params.queue or Topic(native=STOMP_QUEUE_PREFIX + self.name)
