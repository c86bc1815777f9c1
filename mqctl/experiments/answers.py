"""What a history says about a property: how often it was broken, how often it could have been, and what casts doubt."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

WITNESSES_MAX = 5
"""So many of what was found are shown; all are counted."""

_RULE_OF_THREE = 3
"""Where n chances showed nothing, less than 3/n of all would, at 95 % confidence."""


class Property(enum.StrEnum):
    """What can hold of a broker."""

    NO_LOSS = "no-loss"
    NO_DUPLICATES = "no-duplicates"
    NO_STRANGERS = "no-strangers"
    NO_GAPS = "no-gaps"
    FIFO = "fifo"
    AGREEMENT = "agreement"
    ONE_CONSUMER = "one-consumer"
    STICKY = "sticky"
    ACK_HOLDS = "ack-holds"
    REDELIVERY = "redelivery"
    PREFETCH = "prefetch"
    FLAGS = "flags"
    LATENCY = "latency"


class Look(enum.Enum):
    """How a message is drawn in a witness."""

    PLAIN = enum.auto()
    MARKED = enum.auto()
    ABSENT = enum.auto()


class Cell(NamedTuple):
    """A message in a row of a diagram."""

    producer: str
    n: int
    look: Look = Look.PLAIN


class Row(NamedTuple):
    """What a consumer or a group got, in order."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One case, told and drawn. `line` is that of the history where it shows."""

    text: str
    line: int | None = None
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a history says about a property.

    Attributes:
        about: The property.
        violations: How often it was broken, without what was planted.
        chances: How often it could have been.
        of: What the chances are.
        witnesses: The first few violations.
        doubts: Why nothing found proves little.
        certain: Whether a violation is one for sure; otherwise the doubts say why not.
        planted, found: Faults planted for this property, and how many of them were found.
        numbers: Besides, for the report.
        notes: What was measured, where there is more to say of it than a count.
    """

    about: Property
    violations: int = 0
    chances: int = 0
    of: str
    witnesses: Sequence[Witness] = ()
    doubts: Sequence[str] = ()
    certain: bool = True
    planted: int = 0
    found: int = 0
    numbers: Mapping[str, int | float | None] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def bound(self) -> float | None:
        """Where nothing was found: the share of the chances that are violations is below this, at 95 % confidence.

        Of latency it says nothing: how many may take longer is a limit's own matter.
        """
        if self.violations or not self.chances or self.about is Property.LATENCY:
            return None
        return min(1.0, _RULE_OF_THREE / self.chances)
