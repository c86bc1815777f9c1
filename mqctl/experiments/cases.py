"""What all experiments are made of: cases, the controls of their consumers, producers that share the messages out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from mqctl.experiments.answers import Property
from mqctl.experiments.events import Fault
from mqctl.experiments.plan import ConsumerPlan, Ground, Params, Plan, ProducerPlan, Stream
from mqctl.experiments.planting import Place, places
from mqctl.model import Dialect, Topic

CONTROLS: Final[Mapping[Property, Place]] = MappingProxyType(
    {
        Property.NO_LOSS: Place(0, Fault.DROP),
        Property.NO_DUPLICATES: Place(0, Fault.DUPLICATE),
        Property.FIFO: Place(0, Fault.SWAP),
        Property.AGREEMENT: Place(0, Fault.SWAP, across=True),
        Property.LATENCY: Place(0, Fault.DELAY),
        Property.STICKY: Place(0, Fault.STRAY),
    }
)
"""What is planted so that nothing found of a property can be believed."""

INTACT: Final = (Property.NO_LOSS, Property.NO_DUPLICATES, Property.NO_STRANGERS)
AT_LEAST_ONCE: Final = (Property.NO_LOSS, Property.NO_STRANGERS)
PREFETCH: Final = 20
PACE: Final = 200.0
"""Messages per second, where time matters and the user did not say."""

Planner = Callable[[Params, Ground, random.Random], Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An experiment.

    Attributes:
        name: By which the user asks for it.
        line: What it is about.
        plan: Makes its plan.
        lacks: Why it cannot be done somewhere; "" where it can.
        expected: What is known to happen there, in words; "" where the properties that are judged say all.
    """

    name: str
    line: str
    plan: Planner
    lacks: Callable[[Params, Ground], str] = lambda _params, _ground: ""
    expected: Callable[[Ground], str] = lambda _ground: ""

    def limited(self, params: Params, ground: Ground, rng: random.Random) -> Plan:
        """Its plan, with the limits that the user set."""
        return replace(self.plan(params, ground, rng), limits=params.limits)


def controlled(
    rng: random.Random, consumer: ConsumerPlan, expect: Iterable[Property], count: int, *, stray_to: str = ""
) -> ConsumerPlan:
    """A consumer whose record is spoiled: once for each property that is judged.

    Args:
        rng: Draws the places.
        consumer: Who.
        expect: What is judged.
        count: How many deliveries it will get at least.
        stray_to: The consumer that is to seem to get a message of its; "" where there is none.
    """
    wanted = set(expect) if stray_to else {*expect} - {Property.STICKY}
    faults = (place._replace(to=stray_to) for about, place in CONTROLS.items() if about in wanted)
    return replace(consumer, places=places(rng, faults, count))


def letters(count: int) -> list[str]:
    """Names of producers."""
    return [chr(ord("A") + i) if count <= 26 else f"P{i + 1}" for i in range(count)]


def judged(params: Params, usual: Sequence[Property]) -> tuple[Property, ...]:
    """What a run must show: as the user says, or as usual, and that the generator kept its time where it had one."""
    if params.expect:
        return tuple(params.expect)
    return (*usual, Property.LATENCY) if params.timed else tuple(usual)


def publishing(params: Params, ground: Ground, topic: Topic, producers: int, **more: object) -> list[ProducerPlan]:
    """Producers of one stream each; the messages shared out. `more` are fields of `ProducerPlan`."""
    each, rest = divmod(params.messages, producers)
    return [
        ProducerPlan(
            name=name,
            streams=(Stream(name=name, topic=topic),),
            count=each + (i < rest),
            qos=qos_of(ground),
            **more,  # type: ignore[arg-type]  # fields by name
        )
        for i, name in enumerate(letters(producers))
    ]


def qos_of(ground: Ground) -> int | None:
    """The quality of service, where there is one."""
    return 1 if ground.protocol == "mqtt" else None


def prefetch_of(ground: Ground) -> int | None:
    """A small one. Artemis counts bytes, and mqctl asks it for one message at a time, which is slow."""
    return None if ground.dialect is Dialect.ARTEMIS else PREFETCH


def mode_of(ground: Ground) -> str:
    """What a history calls it where nothing is acknowledged by us."""
    return {"stomp": "auto", "mqtt": "qos1"}.get(ground.protocol, "plain")


def unsimulated(_params: Params, ground: Ground) -> str:
    """Why a case cannot be simulated; "" where it is not asked for."""
    return "what its network does is not simulated" if ground.simulated else ""


def breakable(params: Params, ground: Ground, lacks: Callable[[Params, Ground], str]) -> str:
    """What is lacking, or why connections cannot be broken on purpose."""
    return lacks(params, ground) or ground.unbreakable
