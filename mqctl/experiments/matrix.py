"""Many experiments at many brokers as one table: as lines, as Markdown, as a JSON object."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from mqctl.measurement.verdict import Verdict

SCHEMA = 1
"""Of the JSON object."""

_GAP = "  "
_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#"} | {"\n": " "})


class Outcome(enum.StrEnum):
    """What came of an experiment at a broker; the worst first."""

    FAIL = "fail"
    ERROR = "error"
    INCONCLUSIVE = "inconclusive"
    UNSUPPORTED = "unsupported"
    PASS = "pass"  # noqa: S105 - a word, no password

    @classmethod
    def of(cls, verdict: Verdict | None) -> Outcome:
        """That of a verdict; None is of something that cannot be tried there."""
        return cls.UNSUPPORTED if verdict is None else cls(verdict)


class Entry(NamedTuple):
    """An experiment at a broker.

    Attributes:
        experiment: The row.
        profile: The column.
        outcome: What came of it.
        reason: Why it is no pass.
        run: The folder of the run; None where there was none.
    """

    experiment: str
    profile: str
    outcome: Outcome
    reason: str = ""
    run: str | None = None


class Matrix:
    """Rows and columns in the order in which they came. Of several entries of a cell the worst counts.

    Attributes:
        experiments: The rows.
        profiles: The columns.
        notes: A numbered line for each cell that is no pass, and says why.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._cells: dict[tuple[str, str], list[Entry]] = {}
        for entry in entries:
            self._cells.setdefault((entry.experiment, entry.profile), []).append(entry)
        self.experiments: Sequence[str] = list(dict.fromkeys(experiment for experiment, _ in self._cells))
        self.profiles: Sequence[str] = list(dict.fromkeys(profile for _, profile in self._cells))
        self.notes: Mapping[str, int] = {
            reason: number
            for number, reason in enumerate(
                dict.fromkeys(cell.reason for cell in self._all() if cell.reason and cell.outcome is not Outcome.PASS),
                1,
            )
        }

    def cell(self, experiment: str, profile: str) -> Entry | None:
        """The worst of what came of it; None where nothing was tried."""
        found = self._cells.get((experiment, profile))
        return min(found, key=lambda entry: list(Outcome).index(entry.outcome)) if found else None

    def word(self, cell: Entry | None) -> str:
        """What stands in a cell: `fail 2 of 10 (3)`, where 3 is the number of its note."""
        if cell is None:
            return "-"
        all_ = self._cells[cell.experiment, cell.profile]
        alike = sum(entry.outcome is cell.outcome for entry in all_)
        share = f" {alike} of {len(all_)}" if len(all_) > 1 else ""
        number = self.notes.get(cell.reason)
        return f"{cell.outcome}{share}{f' ({number})' if number else ''}"

    @property
    def worst(self) -> Outcome:
        """Of all; PASS of none."""
        found = {cell.outcome for cell in self._all()}
        return next((outcome for outcome in Outcome if outcome in found), Outcome.PASS)

    def _all(self) -> Iterator[Entry]:
        for experiment in self.experiments:
            for profile in self.profiles:
                if cell := self.cell(experiment, profile):
                    yield cell

    def entries(self) -> Iterator[Entry]:
        """Everything that came, cell by cell."""
        for cell in self._cells.values():
            yield from cell


def lines(matrix: Matrix) -> Iterator[str]:
    """For a terminal: the table, the notes, and where the runs are that did not pass."""
    rows = [["", *matrix.profiles]]
    rows += [
        [experiment, *(matrix.word(matrix.cell(experiment, profile)) for profile in matrix.profiles)]
        for experiment in matrix.experiments
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield _GAP.join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
    if matrix.notes:
        yield ""
    for reason, number in matrix.notes.items():
        yield f"({number}) {reason}"
    runs = [entry for entry in matrix.entries() if entry.run and entry.outcome is not Outcome.PASS]
    if runs:
        yield ""
    for entry in runs:
        yield f"{entry.outcome:<12}  {entry.experiment} at {entry.profile}: {entry.run}"


def markdown(matrix: Matrix) -> str:
    """A table of CommonMark, with the notes below; each cell that was run leads to its run."""
    rows = [["", *map(_escaped, matrix.profiles)], ["---"] * (1 + len(matrix.profiles))]
    for experiment in matrix.experiments:
        cells = (matrix.cell(experiment, profile) for profile in matrix.profiles)
        rows.append([_escaped(experiment), *(_linked(matrix.word(cell), cell) for cell in cells)])
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    notes = "".join(f"{number}. {_escaped(reason)}\n" for reason, number in matrix.notes.items())
    return f"{table}\n{notes}" if notes else table


def document(matrix: Matrix) -> dict[str, Any]:
    """The table as a JSON object."""
    return {
        "schema": SCHEMA,
        "worst": matrix.worst,
        "experiments": list(matrix.experiments),
        "profiles": list(matrix.profiles),
        "cells": [entry._asdict() for entry in matrix.entries()],
    }


def address(run: str) -> str:
    """Of a run, to be linked to. It is always a path: neither a scheme nor a host can be read into it."""
    if run.startswith("/"):
        return quote(f"/{run.lstrip('/')}")
    return quote(run if run.startswith(".") else f"./{run}")


def _linked(text: str, cell: Entry | None) -> str:
    return text if cell is None or cell.run is None else f"[{_escaped(text)}]({address(cell.run)})"


def _escaped(text: str) -> str:
    return text.translate(_MARKDOWN)
