"""Verdicts for builds: JUnit's XML, and the annotations of GitHub Actions.

What was not judged or could not be tried is skipped, with the reason; what could not be told breaks a build as much as
a failure does, but under another name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as Tree

from mqctl.experiments.check import Judged, Report
from mqctl.experiments.diagram import UNICODE, draw
from mqctl.measurement.verdict import Verdict

_TAGS = {Verdict.FAIL: "failure", Verdict.INCONCLUSIVE: "error", None: "skipped"}
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})
"""GitHub Actions, workflow commands: what ends a property or a command must not stand in it."""


class Case(NamedTuple):
    """One line of a build's report.

    Attributes:
        name: What was tried.
        verdict: What came of it; None where it was not tried or not judged.
        message: Why, in a line.
        text: More lines.
        line: Of the history, where it shows.
    """

    name: str
    verdict: Verdict | None
    message: str = ""
    text: str = ""
    line: int | None = None


def cases(report: Report) -> list[Case]:
    """A case for each property that there was something to say about."""
    return [_case(each) for each in report.judged if each.verdict is not None or each.answer.chances]


def junit(suite: str, found: Sequence[Case]) -> bytes:
    """A file for whatever reads JUnit's XML."""
    verdicts = [case.verdict for case in found]
    root = Tree.Element(
        "testsuite",
        name=_allowed(suite),
        tests=str(len(found)),
        failures=str(verdicts.count(Verdict.FAIL)),
        errors=str(verdicts.count(Verdict.INCONCLUSIVE)),
        skipped=str(verdicts.count(None)),
    )
    for case in found:
        element = Tree.SubElement(root, "testcase", classname=_allowed(suite), name=_allowed(case.name))
        if case.verdict in _TAGS:
            told = Tree.SubElement(element, _TAGS[case.verdict], message=_allowed(case.message))
            told.text = _allowed(case.text)
    Tree.indent(root)
    written: bytes = Tree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def annotated(found: Iterable[Case], file: str | None = None) -> Iterator[str]:
    """A line for each case that breaks the build.

    Args:
        found: All cases.
        file: The history, by which the annotation is shown.
    """
    for case in found:
        if case.verdict not in {Verdict.FAIL, Verdict.INCONCLUSIVE}:
            continue
        places = {"file": file, "line": case.line if file is not None else None}
        properties = {**places, "title": f"{case.name}: {case.verdict}"}
        told = [f"{name}={str(value).translate(_PROPERTY)}" for name, value in properties.items() if value is not None]
        yield f"::error {','.join(told)}::{case.message.translate(_DATA)}"


def _case(each: Judged) -> Case:
    answer = each.answer
    if each.verdict is None:
        return Case(answer.about, None, "; ".join(each.why))
    found = [f"{answer.violations:,} of {answer.chances:,} {answer.of}"] if answer.violations else []
    return Case(
        name=answer.about,
        verdict=each.verdict,
        message="; ".join([*found, *(witness.text for witness in answer.witnesses[:1]), *each.why]),
        text="\n".join(_drawn(each)),
        line=next((witness.line for witness in answer.witnesses), None),
    )


def _drawn(each: Judged) -> Iterator[str]:
    for witness in each.answer.witnesses:
        yield witness.text if witness.line is None else f"{witness.text} (line {witness.line})"
        yield from ("".join(segment.text for segment in line) for line in draw(witness.rows, UNICODE))


def _allowed(text: str) -> str:
    """XML 1.0, 2.2: most control characters cannot be in it at all."""
    return "".join(c if c.isprintable() or c in "\t\n" else "\ufffd" for c in text)
