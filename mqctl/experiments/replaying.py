"""The experiment about durable subscriptions: does who was away see the order that those saw who were there?"""

from __future__ import annotations

import random
from dataclasses import replace

from mqctl.experiments.cases import Case, unsimulated
from mqctl.experiments.plan import Ground, Params, Plan

NAME = "durable-replay"


def replayed(case: Case) -> Case:
    """The same case with its second consumer away until all was sent, and persistent messages kept for it."""

    def plan(params: Params, ground: Ground, rng: random.Random) -> Plan:
        plain = case.plan(replace(params, consumers=2), ground, rng)
        live, other = plain.consumers
        return replace(
            plain,
            name=NAME,
            producers=[replace(each, persistent=True) for each in plain.producers],
            consumers=[live, replace(other, durable=True, late=True)],
        )

    return Case(
        name=NAME,
        line="several producers: does a durable subscriber that was away see the order of one that was there?",
        plan=plan,
        lacks=_lacks,
        expected=case.expected,
    )


def _lacks(params: Params, ground: Ground) -> str:
    if "durable" not in ground.features:
        return f"{ground.protocol.upper()} has no durable subscriptions"
    return unsimulated(params, ground)
