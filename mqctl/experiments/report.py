"""What a history proves, as texts, as a table, and as a JSON object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mqctl.experiments.answers import Answer, Property, Witness
from mqctl.experiments.check import Judged, Report
from mqctl.experiments.diagram import label

SCHEMA = 1
"""Of the JSON object."""

HEAD = ("PROPERTY", "VERDICT", "FOUND", "CHANCES", "")
"""Of the table."""

NOT_JUDGED, PERMITTED = "not judged", "permitted"

_DELIVERY = ("expected", "delivered", "lost", "recovered")
_PUBLISHING = ("attempted", "confirmed", "rejected", "unknown")


def facts(report: Report) -> list[tuple[str, str]]:
    """Titles and texts."""
    header = report.header
    how = ", ".join(filter(None, (header.protocol, header.mode))) or "no protocol told"
    answers = {each.answer.about: each.answer for each in report.judged}
    numbers, times = answers[Property.NO_LOSS].numbers, answers[Property.LATENCY]
    rows = [
        ("verdict", str(report.verdict)),
        ("history", f"{header.name or 'without a name'} ({how}), {report.lines:,} lines"),
        ("published", ", ".join(f"{name} {numbers[name]:,}" for name in _PUBLISHING)),
        ("delivered", ", ".join(f"{name} {numbers[name]:,}" for name in _DELIVERY)),
        ("controls", _controls(report)),
    ]
    if times.chances:
        told = ", ".join(f"{name.removesuffix('_ms')} {value:,.3f} ms" for name, value in _told(times))
        rows.append(("latency", told))
    if report.faults:
        rows.append(("trouble", ", ".join(dict.fromkeys(fault.fault for fault in report.faults))))
    return rows


def table(report: Report) -> list[tuple[str, ...]]:
    """A row for each property that there was something to say about; see `HEAD`."""
    return [_line(each) for each in report.judged if _is_told(each)]


def witnesses(report: Report) -> Iterator[tuple[Judged, Witness]]:
    """What was found of the properties that are judged, to be told and drawn."""
    for each in report.judged:
        if each.verdict is not None:
            for witness in each.answer.witnesses:
                yield each, witness


def observed(report: Report) -> str:
    """What was lost, what came twice, and so on, whether it may or not."""
    answers = {each.answer.about: each.answer for each in report.judged}
    return "; ".join(filter(None, (tell(answers[about]) for about, tell in _TELLERS.items())))


def _lost(loss: Answer) -> str:
    lost = f"{loss.violations:,} of {loss.chances:,} lost"
    unknown = loss.numbers["unknown"]
    return f"{lost}; {unknown:,} unknown, {loss.numbers['recovered']:,} of them came" if unknown else lost


def _split(sticky: Answer) -> str:
    return f"{sticky.violations:,} of {sticky.chances:,} went to another consumer than the one before of their group"


def _differences(agreement: Answer) -> str:
    if not agreement.numbers["compared"]:
        return ""
    return f"{agreement.violations:,} pairs that two consumers saw in different order"


_TELLERS: Mapping[Property, Callable[[Answer], str]] = {
    Property.NO_LOSS: _lost,
    Property.NO_DUPLICATES: lambda twice: (
        f"{twice.violations:,} came again, {twice.numbers['unflagged']:,} of them unflagged"
    ),
    Property.PREFETCH: lambda held: f"{held.numbers['most']:,} held at most" if held.chances else "",
    Property.REDELIVERY: lambda given_back: (
        f"{given_back.chances:,} given back, {given_back.violations:,} of them gone" if given_back.chances else ""
    ),
    Property.AGREEMENT: _differences,
    Property.STICKY: lambda sticky: _split(sticky) if sticky.planted else "",
}
"""What is told of each, in this order; nothing where there is nothing to tell."""


def document(report: Report) -> dict[str, Any]:
    """The report as a JSON object."""
    header = report.header
    return {
        "schema": SCHEMA,
        "verdict": report.verdict,
        "history": {
            "name": header.name,
            "protocol": header.protocol,
            "mode": header.mode,
            "lines": report.lines,
            "facts": header.facts,
        },
        "remarks": list(report.remarks),
        "properties": [_entry(each) for each in report.judged],
        "trouble": [{"fault": each.fault, "at_ns": each.at_ns, "where": each.where} for each in report.faults],
    }


def _told(latency: Answer) -> Iterator[tuple[str, float]]:
    for name, value in latency.numbers.items():
        if name.endswith("_ms") and value is not None:
            yield name, value


def _controls(report: Report) -> str:
    planted = sum(each.answer.planted for each in report.judged)
    found = sum(each.answer.found for each in report.judged)
    if not planted:
        return "no faults were planted, so nothing shows that they would have been found"
    return f"{found} of {planted} looked for were found"


def _is_told(each: Judged) -> bool:
    return each.verdict is not None or each.answer.chances > 0


def _line(each: Judged) -> tuple[str, ...]:
    answer = each.answer
    return (answer.about, _word(each), f"{answer.violations:,}", f"{answer.chances:,} {answer.of}", _why(each))


def _word(each: Judged) -> str:
    if each.verdict is not None:
        return str(each.verdict)
    return PERMITTED if each.permitted and each.answer.violations else NOT_JUDGED


def _why(each: Judged) -> str:
    bound = each.answer.bound
    words = [*each.answer.notes, *each.why]
    if bound is not None and not words:
        words.append(f"in fewer than {bound:.2%} of them, at 95 % confidence")
    return "; ".join(words)


def _entry(each: Judged) -> dict[str, Any]:
    answer = each.answer
    return {
        "property": answer.about,
        "verdict": each.verdict,
        "permitted": each.permitted,
        "why": list(each.why),
        "notes": list(answer.notes),
        "violations": answer.violations,
        "chances": answer.chances,
        "of": answer.of,
        "below_at_95": answer.bound,
        "planted": answer.planted,
        "found": answer.found,
        **answer.numbers,
        "witnesses": [_case(witness) for witness in answer.witnesses],
    }


def _case(witness: Witness) -> dict[str, Any]:
    rows: Sequence[Any] = witness.rows
    return {
        "text": witness.text,
        "line": witness.line,
        "rows": {row.name: [label(cell) for cell in row.cells] for row in rows},
    }
