"""The experiment about publishers: what is known of their messages when the connection breaks."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from mqctl.experiments.cases import (
    INTACT,
    PACE,
    Case,
    breakable,
    controlled,
    judged,
    mode_of,
    publishing,
    qos_of,
    unsimulated,
)
from mqctl.experiments.plan import ConsumerPlan, Ground, Params, Plan

NAME: Final = "publish-cut"
EXPECTED: Final = "what was confirmed has come, once; what was on its way is unknown, and may have come"


def _plan(params: Params, ground: Ground, rng: random.Random) -> Plan:
    """The publisher stays while answers get lost, so that the broker has messages of which nobody knows."""
    stomp = ground.protocol == "stomp"
    place, expect = ground.queue(params) if stomp else ground.topic(params), judged(params, INTACT)
    at = rng.randrange(params.messages // 3, params.messages // 2)
    consumer = ConsumerPlan(name="c1", topic=place, qos=qos_of(ground))
    return Plan(
        name=NAME,
        mode=mode_of(ground),
        producers=[replace(each, cut_at=at) for each in publishing(params, ground, place, 1, persistent=stomp)],
        # Before the break, or what is spoiled may be unknown, and then it is missed by nobody.
        consumers=[controlled(rng, consumer, expect, at)],
        expect=expect,
        # Faster, all would be sent before anything breaks.
        rate=PACE,
    )


PUBLISH_CUT: Final = Case(
    name=NAME,
    line=EXPECTED,
    plan=_plan,
    lacks=lambda params, ground: breakable(params, ground, unsimulated),
    expected=lambda _ground: EXPECTED,
)
"""The publisher's connection is reset; it connects again."""
