"""The experiments about order: which there are, what each needs, and its plan."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from mqctl.experiments.answers import Property
from mqctl.experiments.cases import (
    AT_LEAST_ONCE,
    INTACT,
    PACE,
    PREFETCH,
    Case,
    Planner,
    breakable,
    controlled,
    judged,
    mode_of,
    prefetch_of,
    publishing,
    qos_of,
)
from mqctl.experiments.committing import committed
from mqctl.experiments.plan import Break, ConsumerPlan, Ground, Params, Plan, ProducerPlan, Stream, Trouble
from mqctl.experiments.replaying import replayed
from mqctl.model import AckMode, Dialect, Topic
from mqctl.protocols.bayeux.spec import Delivery

CLASSIC_GROUPS_MAX: Final = 1024
"""So many message groups ActiveMQ Classic remembers, unless it is told otherwise."""

TAKES_S: Final = 0.001
"""A consumer that is slower than the producers leaves messages for the others."""

COMPETING_IN_FLIGHT: Final = 4
ALONE_MIN: Final = 40

ONE_ORDER: Final[Mapping[Dialect | None, str]] = MappingProxyType(
    {
        Dialect.CLASSIC: "all consumers see one order, up to 6.2 and outside transactions",
        Dialect.HUB: "all consumers see one order",
    }
)
"""Where all consumers of a topic are known to see several producers alike; elsewhere nobody promises it."""


def _listeners(ground: Ground, topic: Topic, count: int) -> list[ConsumerPlan]:
    return [ConsumerPlan(name=f"c{i + 1}", topic=topic, qos=qos_of(ground)) for i in range(count)]


def _to_topic(
    name: str, params: Params, ground: Ground, rng: random.Random, *, usual: Sequence[Property], counts: tuple[int, int]
) -> Plan:
    """So many producers, and so many consumers that each get everything."""
    topic, expect = ground.topic(params), judged(params, usual)
    first, *others = _listeners(ground, topic, counts[1])
    # Whether several agree is told even where it is not judged.
    seen = (*expect, Property.AGREEMENT) if min(counts) > 1 else expect
    return Plan(
        name=name,
        mode=mode_of(ground),
        producers=publishing(params, ground, topic, counts[0]),
        consumers=[controlled(rng, first, seen, params.messages), *others],
        expect=expect,
    )


def _one_producer(params: Params, ground: Ground, rng: random.Random) -> Plan:
    counts = (1, params.consumers or 1)
    return _to_topic("one-producer", params, ground, rng, usual=(Property.FIFO, *INTACT), counts=counts)


def _many_producers(params: Params, ground: Ground, rng: random.Random) -> Plan:
    """Few messages in flight, so that the producers take turns."""
    counts = (params.producers or 4, params.consumers or 2)
    agreement = (Property.AGREEMENT,) if ground.dialect in ONE_ORDER else ()
    plan = _to_topic("many-producers", params, ground, rng, usual=(Property.FIFO, *agreement, *INTACT), counts=counts)
    producers = [replace(each, in_flight=COMPETING_IN_FLIGHT) for each in _uneven(plan.producers, params.messages)]
    return replace(plan, producers=producers)


def _uneven(producers: Sequence[ProducerPlan], messages: int) -> Sequence[ProducerPlan]:
    """The messages shared out so that the first producer has more to send, and is alone at the end.

    A broker may serve them so evenly that no two messages of one are neighbours, which a planted swap needs.
    """
    alone = min(max(ALONE_MIN, messages // 10), messages // 2)
    each, rest = divmod(messages - alone, len(producers))
    first, *others = producers
    return (replace(first, count=each + rest + alone), *(replace(other, count=each) for other in others))


def _one_order(ground: Ground) -> str:
    return ONE_ORDER.get(ground.dialect, "each producer's order; nobody promises that consumers see one order of all")


def _strict_dispatch(params: Params, ground: Ground, rng: random.Random) -> Plan:
    """Subscribers between the two that are compared give other producers time to overtake."""
    plan = _many_producers(params, ground, rng)
    first, *others = plan.consumers
    fillers = [ConsumerPlan(name=f"filler{i + 1}", topic=first.topic, silent=True) for i in range(params.fillers)]
    return replace(plan, name="strict-dispatch", consumers=[first, *fillers, *others])


def _virtual_topic(params: Params, ground: Ground, rng: random.Random) -> Plan:
    expect = judged(params, (Property.FIFO, *INTACT))
    name = f"VirtualTopic.{ground.name}"
    live = ConsumerPlan(name="live", topic=Topic(native=f"/topic/{name}"))
    queues = [
        ConsumerPlan(
            name=f"queue{letter}",
            topic=Topic(native=f"/queue/Consumer.{letter}.{name}"),
            headers={"activemq.exclusive": "true"},
        )
        for letter in "AB"
    ]
    return Plan(
        name="virtual-topic",
        mode="auto",
        producers=publishing(params, ground, live.topic, params.producers or 4),
        consumers=[controlled(rng, live, expect, params.messages), *queues],
        expect=expect,
    )


def _exclusive_consumer(params: Params, ground: Ground, rng: random.Random) -> Plan:
    return _one_at_a_time("exclusive-consumer", {"activemq.exclusive": "true"}, params, ground, rng)


def _single_active_consumer(params: Params, ground: Ground, rng: random.Random) -> Plan:
    return _one_at_a_time("single-active-consumer", {}, params, ground, rng)


def _one_at_a_time(name: str, headers: Mapping[str, str], params: Params, ground: Ground, rng: random.Random) -> Plan:
    """Consumers of a queue of which one is served; that one is killed, and another takes over."""
    expect, queue = judged(params, (Property.FIFO, *AT_LEAST_ONCE)), ground.queue(params)
    at = params.messages // 2
    first, *others = [
        ConsumerPlan(
            name=f"c{i + 1}", topic=queue, group="queue", exclusive=True, ack=AckMode.INDIVIDUAL, headers=headers
        )
        for i in range(params.consumers or 3)
    ]
    return Plan(
        name=name,
        mode="client-individual",
        producers=publishing(params, ground, queue, params.producers or 1, persistent=True),
        consumers=[replace(controlled(rng, first, expect, at), trouble=Trouble(Break.KILL, at)), *others],
        expect=expect,
    )


def _message_groups(params: Params, ground: Ground, rng: random.Random) -> Plan:
    """Each group is a stream of its own. Order must hold within it, and one consumer get it, while it is remembered."""
    remembered = ground.dialect is not Dialect.CLASSIC or params.groups <= CLASSIC_GROUPS_MAX
    sticky = (Property.STICKY,) if remembered else ()
    expect, queue = judged(params, (Property.FIFO, *sticky, *INTACT)), ground.queue(params)
    producers, consumers = params.producers or 2, params.consumers or 3
    sending = [
        replace(
            each,
            burst=2,
            streams=[
                Stream(name=f"{each.name}/g{i + 1}", topic=queue, headers={"JMSXGroupID": f"{each.name}{i + 1}"})
                for i in range(max(1, (params.groups + producers - 1 - number) // producers))
            ],
        )
        for number, each in enumerate(publishing(params, ground, queue, producers))
    ]
    first, *others = [
        ConsumerPlan(
            name=f"c{i + 1}", topic=queue, group="queue", exclusive=True, ack=AckMode.INDIVIDUAL, pause_s=TAKES_S
        )
        for i in range(consumers)
    ]
    # Whether groups are split is told even where it is not judged.
    seen, stray_to = (*expect, Property.STICKY), others[0].name if others else ""
    return Plan(
        name="message-groups",
        mode="client-individual",
        producers=sending,
        consumers=[controlled(rng, first, seen, params.messages // (2 * consumers), stray_to=stray_to), *others],
        expect=expect,
    )


def _one_keeper(ground: Ground) -> str:
    few = f", while there are {CLASSIC_GROUPS_MAX:,} at most" if ground.dialect is Dialect.CLASSIC else ""
    return f"each group goes to one consumer, in order{few}"


def _competing(params: Params, ground: Ground, rng: random.Random) -> Plan:
    expect = judged(params, (Property.FIFO, Property.ONE_CONSUMER, *INTACT))
    mqtt, consumers = ground.protocol == "mqtt", params.consumers or 3
    place = ground.topic(params) if mqtt else ground.queue(params)
    first, *others = [
        replace(each, group="shared", shared="mqctl" if mqtt else None) for each in _listeners(ground, place, consumers)
    ]
    control = controlled(rng, first, expect, params.messages // (2 * consumers))
    return Plan(
        name="competing",
        mode=mode_of(ground),
        producers=_uneven(publishing(params, ground, place, params.producers or 2), params.messages),
        consumers=[control, *others],
        expect=expect,
    )


def _redelivery(params: Params, ground: Ground, rng: random.Random) -> Plan:
    """What was not acknowledged when the connection broke comes again; order is that of the first deliveries."""
    acks = (Property.ACK_HOLDS, Property.REDELIVERY)
    expect, queue, at = (
        judged(params, (Property.FIFO, *AT_LEAST_ONCE, *acks)),
        ground.queue(params),
        params.messages // 2,
    )
    consumer = ConsumerPlan(
        name="c1",
        topic=queue,
        ack=AckMode.INDIVIDUAL,
        ack_batch=PREFETCH // 2,
        prefetch=prefetch_of(ground),
        trouble=Trouble(Break.CUT, at),
    )
    return Plan(
        name="redelivery",
        mode="client-individual",
        producers=publishing(params, ground, queue, params.producers or 1, persistent=True),
        consumers=[controlled(rng, consumer, expect, params.messages)],
        expect=expect,
    )


def _mqtt_in_flight(in_flight: int) -> Planner:
    """A session that is away for a moment, and so many messages that may be on their way to it (MQTT 3.1.1, 4.6)."""

    def plan(params: Params, ground: Ground, rng: random.Random) -> Plan:
        expect, topic = judged(params, (Property.FIFO, *AT_LEAST_ONCE)), ground.topic(params)
        consumer = ConsumerPlan(
            name="c1",
            topic=topic,
            qos=1,
            session=True,
            ack=AckMode.INDIVIDUAL,
            ack_batch=in_flight,
            trouble=Trouble(Break.CUT, params.messages // 2),
        )
        return Plan(
            name=f"mqtt-inflight-{in_flight}",
            mode="qos1",
            producers=publishing(params, ground, topic, 1, in_flight=in_flight),
            consumers=[controlled(rng, consumer, expect, params.messages)],
            expect=expect,
        )

    return plan


def _bayeux(name: str, delivery: Delivery) -> Planner:
    """Messages at an even pace, so that what each took can be told."""

    def plan(params: Params, ground: Ground, rng: random.Random) -> Plan:
        expect, topic = judged(replace(params, timed=True), (Property.FIFO, *INTACT)), ground.topic(params)
        consumer = ConsumerPlan(name="c1", topic=topic, delivery=delivery)
        return Plan(
            name=name,
            mode="ack" if delivery is Delivery.ACKNOWLEDGED else "plain",
            producers=publishing(params, ground, topic, 1),
            consumers=[controlled(rng, consumer, expect, params.messages)],
            expect=expect,
            rate=PACE,
        )

    return plan


def _only(*dialects: Dialect, of: str) -> Callable[[Params, Ground], str]:
    def lacks(_params: Params, ground: Ground) -> str:
        fits = ground.protocol == "stomp" and ground.dialect in dialects
        return "" if fits else f"it is about {of}, over STOMP"

    return lacks


def _queues(_params: Params, ground: Ground) -> str:
    return "" if ground.protocol == "stomp" else f"it is about queues, and {ground.protocol.upper()} has none"


def _shares(_params: Params, ground: Ground) -> str:
    if ground.protocol == "stomp" or "shared" in ground.features:
        return ""
    return f"{ground.protocol.upper()} has neither queues nor shared subscriptions"


def _mqtt(_params: Params, ground: Ground) -> str:
    return "" if ground.protocol == "mqtt" else f"it is about MQTT, and this is {ground.protocol.upper()}"


def _about_bayeux(_params: Params, ground: Ground) -> str:
    return "" if ground.protocol == "bayeux" else f"it is about Bayeux, and this is {ground.protocol.upper()}"


def _declared_queue(params: Params, ground: Ground) -> str:
    missing = _only(Dialect.RABBITMQ, of="RabbitMQ's x-single-active-consumer")(params, ground)
    if not missing and params.queue is None:
        return "such a queue cannot be declared over STOMP: declare it, and name it with --queue"
    return missing


MANY_PRODUCERS: Final = Case(
    name="many-producers",
    line="several producers: do all consumers see one order?",
    plan=_many_producers,
    expected=_one_order,
)
STRICT_DISPATCH: Final = Case(
    name="strict-dispatch",
    line="the same, with subscribers between those that are compared",
    plan=_strict_dispatch,
    expected=_one_order,
    lacks=_only(Dialect.CLASSIC, of="ActiveMQ Classic's dispatch policies"),
)

CASES: Final[Mapping[str, Case]] = MappingProxyType(
    {
        case.name: case
        for case in (
            Case(name="one-producer", line="one producer, one topic", plan=_one_producer),
            MANY_PRODUCERS,
            committed(MANY_PRODUCERS),
            STRICT_DISPATCH,
            committed(STRICT_DISPATCH),
            replayed(MANY_PRODUCERS),
            Case(
                name="virtual-topic",
                line="a topic, and queues that get its messages too",
                plan=_virtual_topic,
                expected=lambda _ground: "each producer's order; topic and queues see different orders of all",
                lacks=_only(Dialect.CLASSIC, of="ActiveMQ Classic's virtual topics"),
            ),
            Case(
                name="exclusive-consumer",
                line="one of several consumers is served, and killed",
                plan=_exclusive_consumer,
                lacks=lambda params, ground: breakable(
                    params, ground, _only(Dialect.CLASSIC, of="ActiveMQ Classic's exclusive consumers")
                ),
            ),
            Case(
                name="single-active-consumer",
                line="one of several consumers is served, and killed",
                plan=_single_active_consumer,
                lacks=lambda params, ground: breakable(params, ground, _declared_queue),
            ),
            Case(
                name="message-groups",
                line="order within each group, at several consumers",
                plan=_message_groups,
                expected=_one_keeper,
                lacks=_only(Dialect.CLASSIC, Dialect.ARTEMIS, of="ActiveMQ's message groups"),
            ),
            Case(name="competing", line="consumers that share: each message to one", plan=_competing, lacks=_shares),
            Case(
                name="redelivery",
                line="what was not acknowledged comes again, in order",
                plan=_redelivery,
                lacks=lambda params, ground: breakable(params, ground, _queues),
            ),
            *(
                Case(
                    name=f"mqtt-inflight-{in_flight}",
                    line=f"a session that is cut off, {in_flight} in flight",
                    plan=_mqtt_in_flight(in_flight),
                    lacks=lambda params, ground: breakable(params, ground, _mqtt),
                )
                for in_flight in (1, 20)
            ),
            *(
                Case(name=name, line=line, plan=_bayeux(name, delivery), lacks=_about_bayeux)
                for name, line, delivery in (
                    ("bayeux-default", "messages come as soon as there is a way for them", Delivery.DEFAULT),
                    ("bayeux-deliver-only", "messages come with replies to connects only", Delivery.CONNECTS_ONLY),
                    ("bayeux-acknowledged", "likewise, and they are acknowledged", Delivery.ACKNOWLEDGED),
                )
            ),
        )
    }
)
"""By name."""
