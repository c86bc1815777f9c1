"""Why a run may not show what it should: what was planned and did not happen, and what the broker complained about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from mqctl.laboratory.consumer import Consumer
from mqctl.laboratory.producer import Producer
from mqctl.laboratory.wiring import Armed

COMPLAINTS_TOLD: Final = 3
"""Of each consumer's: the rest says the same."""


def of_consumer(consumer: Consumer) -> Iterator[str]:
    """What speaks against the record of one consumer."""
    plan, missing = consumer.plan, consumer.planter.missing
    if missing:
        faults = ", ".join(sorted({place.fault for place in missing}))
        yield f"{len(missing)} faults found no place to be planted at {plan.name} ({faults})"
    for text in consumer.complaints[:COMPLAINTS_TOLD]:
        yield f"{plan.name}: the broker says: {text}"
    if plan.pause_s and consumer.most < (plan.prefetch or 0):
        yield f"{plan.name} never held as many messages as its prefetch allows: {consumer.most}"


def of_breaks(armed: Iterable[Armed], producers: Iterable[Producer], uncut: Collection[Producer]) -> Iterator[str]:
    """Which connections were not broken as planned.

    Args:
        armed: The troubles of consumers that never fired.
        producers: All of them.
        uncut: Those that were to be cut off, and were not.
    """
    for each in armed:
        yield f"{each.client} was not to be broken: fewer than {each.trouble.at} messages came to it"
    for producer in producers:
        if producer in uncut:
            yield f"{producer.plan.name} was not cut off: the run was over before"
        elif producer.plan.cut_at is not None and not producer.unknown:
            yield f"{producer.plan.name} had nothing on its way when it was cut off"
