"""What a test expects of a history; where it does not hold, the witness, the counts, and where the history is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from mqctl.errors import MqctlError, UsageError
from mqctl.experiments.check import Judged, Report, check
from mqctl.experiments.diagram import draw
from mqctl.experiments.history import Reader
from mqctl.experiments.policy import expectation
from mqctl.experiments.report import facts
from mqctl.measurement.verdict import Verdict

_COUNTS = ("published", "delivered", "controls", "trouble")


class Inconclusive(Exception):
    """Nobody can tell whether what is expected holds. Its text says why.

    It is no AssertionError, so that a test which expects a failure is not content with it.
    """


def assert_history(
    history: os.PathLike[str] | str, expect: Iterable[str] | str = (), *, controls_required: bool = False
) -> Report:
    """Judge a history that was written.

    Args:
        history: The file, as in docs/history.md, or a `History`.
        expect: Names of what must hold, as of `mqctl check --expect`; without any, what the header says.
        controls_required: Whether to trust a pass only where planted faults of that kind were found.

    Returns:
        All that it proves.

    Raises:
        AssertionError: It shows that something does not hold.
        Inconclusive: It cannot tell.
        UsageError: An expectation that there is not, or a file that is no history.
    """
    __tracebackhide__ = True
    path = Path(history)
    with Hinted():
        words = names(expect)
        with _opened(path) as file:
            report = check(Reader(file, str(path)), expect=words, controls_required=controls_required)
    if report.verdict is Verdict.PASS:
        return report
    error = AssertionError if report.verdict is Verdict.FAIL else Inconclusive
    raise error("\n".join(explanation(report, path)))


def names(expect: Iterable[str] | str) -> list[str]:
    """The names of what is expected, with commas or as a list.

    Raises:
        UsageError: One that there is not.
    """
    words = [word.strip() for each in ([expect] if isinstance(expect, str) else expect) for word in each.split(",")]
    expectation(words)
    return words


def explanation(report: Report, path: Path) -> Iterator[str]:
    """What is against a history, line by line."""
    yield f"{report.header.name or path.name}: {report.verdict}"
    for each in report.judged:
        if each.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            yield from map(_escaped, _case(each))
    yield ""
    counts = dict(facts(report))
    yield from (f"{name:<10} {counts[name]}" for name in _COUNTS if name in counts)
    yield from (f"{'remark':<10} {remark}" for remark in report.remarks)
    yield f"{'history':<10} {path}"


class Hinted:
    """Inside, errors that are for people say their hint too, and nothing of the way they came."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        if isinstance(error, MqctlError):
            if error.hint is not None:
                error.add_note(f"hint: {error.hint}")
            raise error.with_traceback(None)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    with file:
        yield file


def _case(each: Judged) -> Iterator[str]:
    answer = each.answer
    counts = f"{answer.violations:,} found, among {answer.chances:,} {answer.of}"
    yield "; ".join([f"{answer.about}: {each.verdict}: {counts}", *each.why])
    for witness in answer.witnesses:
        yield f"  {witness.text}" + ("" if witness.line is None else f" (line {witness.line})")
        yield from ("  " + "".join(segment.text for segment in line) for line in draw(witness.rows))


def _escaped(line: str) -> str:
    from mqctl.views.theme import escape

    return escape(line)
