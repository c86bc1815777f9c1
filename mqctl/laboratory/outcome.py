"""What came of an experiment whose verdict is more than that of one history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mqctl.measurement.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of a report.

    Attributes:
        case: What was tried.
        seed: Of the places of faults.
        verdict: None where it was not tried.
        unsupported: Why not; "" where it was.
        folders: Where its runs are kept.
        expected: What had to be seen, in words; "" where the properties say all.
        observed: What was.
        against: What speaks against it: violations with their witnesses, and doubts.
        notes: What else is good to know.
        numbers: What was measured.
    """

    case: str
    seed: int
    verdict: Verdict | None = None
    unsupported: str = ""
    folders: Sequence[Path] = ()
    expected: str = ""
    observed: str = ""
    against: Sequence[str] = ()
    notes: Sequence[str] = ()
    numbers: Mapping[str, object] = field(default_factory=dict)
