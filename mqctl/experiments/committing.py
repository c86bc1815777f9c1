"""The experiments about transactions: the order of what is committed, and the acknowledgements of what is aborted."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from mqctl.experiments.answers import Property
from mqctl.experiments.cases import (
    AT_LEAST_ONCE,
    INTACT,
    PACE,
    Case,
    breakable,
    controlled,
    judged,
    publishing,
)
from mqctl.experiments.plan import Break, ConsumerPlan, Ground, Params, Plan, Trouble
from mqctl.model import AckMode, Dialect
from mqctl.protocols.stomp.dialects import READINGS

ORDERS: Final[Mapping[Dialect | None, str]] = MappingProxyType(
    {
        Dialect.CLASSIC: "two orders of the producers may be seen; with strictOrderDispatchPolicy one",
        Dialect.HUB: "all consumers see one order",
    }
)
"""How consumers see what several producers commit."""

TOGETHER: Final = 10
"""Messages acknowledged in one transaction."""
ABORT_EVERY: Final = 3
BEFORE_MAX: Final = 300
"""Messages before the connection breaks: a third of them, which is aborted, is held until then."""


def committed(case: Case) -> Case:
    """The same case with each message committed alone: many brokers hand on what was committed outside their locks."""

    def plan(params: Params, ground: Ground, rng: random.Random) -> Plan:
        agreement = (Property.AGREEMENT,) if ground.dialect is Dialect.HUB else ()
        expect = judged(params, (Property.FIFO, *agreement, *INTACT))
        plain = case.plan(replace(params, expect=expect), ground, rng)
        return replace(
            plain, name=f"{case.name}-transacted", producers=[replace(each, transaction=1) for each in plain.producers]
        )

    return Case(
        name=f"{case.name}-transacted",
        line=f"{case.line}; each message in a transaction of its own",
        plan=plan,
        lacks=lambda params, ground: case.lacks(params, ground) or _no_transactions(ground),
        expected=lambda ground: ORDERS.get(ground.dialect, case.expected(ground)),
    )


def _no_transactions(ground: Ground) -> str:
    if ground.simulated:
        return "transactions are not simulated"
    return "" if "transactions" in ground.features else f"{ground.protocol.upper()} has no transactions"


def _plan(params: Params, ground: Ground, rng: random.Random) -> Plan:
    """Every third transaction is aborted, until the connection breaks: the end of it brings what was aborted again."""
    queue, expect = ground.queue(params), judged(params, (*AT_LEAST_ONCE, Property.ACK_HOLDS, Property.REDELIVERY))
    at = rng.randrange(params.messages // 3, params.messages * 2 // 3)
    at = min(max(at, ABORT_EVERY * TOGETHER), BEFORE_MAX)
    consumer = ConsumerPlan(
        name="c1",
        topic=queue,
        ack=AckMode.INDIVIDUAL,
        ack_batch=TOGETHER,
        abort_every=ABORT_EVERY,
        prefetch=BEFORE_MAX,
        # Not where all was just acknowledged.
        trouble=Trouble(Break.CUT, at - at % TOGETHER + TOGETHER // 2),
    )
    return Plan(
        name=NAME,
        mode="client-individual",
        producers=publishing(params, ground, queue, 1, persistent=True),
        consumers=[controlled(rng, consumer, (*expect, Property.NO_DUPLICATES), at)],
        expect=expect,
        # Faster, all would come before the first commit.
        rate=PACE,
    )


def _lacks(params: Params, ground: Ground) -> str:
    if missing := _no_transactions(ground):
        return missing
    reading = READINGS[ground.dialect]
    if "ack" in reading.untransacted:
        return f"{reading.broker} {reading.untransacted['ack']}"
    return breakable(params, ground, lambda _params, _ground: "")


NAME: Final = "transacted"
EXPECTED: Final = "a committed acknowledgement holds; what is aborted comes again when the connection ends"

TRANSACTED: Final = Case(name=NAME, line=EXPECTED, plan=_plan, lacks=_lacks, expected=lambda _ground: EXPECTED)
"""Acknowledgements in transactions, of which some are aborted."""
