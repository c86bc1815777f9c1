"""The whole report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mqctl.experiments.answers import Property, Witness
from mqctl.experiments.check import Judged, Report
from mqctl.experiments.html import course, latency, order, witness
from mqctl.experiments.html.markup import Content, Node, node, written
from mqctl.experiments.html.style import CSS
from mqctl.experiments.report import HEAD, observed, table, witnesses
from mqctl.experiments.scene import Scene
from mqctl.measurement.verdict import Verdict

SIGNS: Mapping[Verdict, str] = {Verdict.PASS: "✓", Verdict.FAIL: "✕", Verdict.INCONCLUSIVE: "?"}
"""So that no verdict is told by its colour alone."""

_NOTHING_RUNS = "default-src 'none'; style-src 'unsafe-inline'"
_COUNTS = ("attempted", "confirmed", "rejected", "unknown", "expected", "delivered", "lost", "recovered")


def page(report: Report, scene: Scene, doubts: Iterable[str] = (), expected: str = "") -> str:
    """A report as one file of HTML.

    Args:
        report: What a history proves.
        scene: What there is to draw of it.
        doubts: What else speaks against the run. A pass with doubts is none.
        expected: What is known to happen at such a broker, in words.
    """
    producers = sorted(producers_of(report, scene))
    title = title_of(report)
    against = list(doubts)
    verdict = Verdict.INCONCLUSIVE if against and report.verdict is Verdict.PASS else report.verdict
    return document(
        f"{verdict}: {title}",
        _head(report, verdict, title),
        _reasons(report, [*against, *report.remarks]),
        _compared(expected, observed(report)) if expected else None,
        _witnesses(report, producers),
        _order(scene, producers),
        _section("What was judged", _table(report), _controls(report)),
        _course(scene),
        _latency(scene),
        _section("The run", _counts(report), _facts(report)),
    )


def title_of(report: Report) -> str:
    """What was run."""
    return report.header.name or "A history without a name"


def document(title: str, *content: Content) -> str:
    """A page that needs nothing but itself."""
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", http_equiv="Content-Security-Policy", content=_NOTHING_RUNS),
        node("meta", name="color-scheme", content="light dark"),
        node("title", title),
        node("style", CSS),
    )
    return f"<!doctype html>\n{written(node('html', head, node('body', node('main', *content)), lang='en'))}\n"


def badge(verdict: Verdict | None, text: str) -> Node:
    """A verdict, or that there is none."""
    sign = "" if verdict is None else f"{SIGNS[verdict]} "
    return node("span", f"{sign}{text}", class_=f"badge {verdict or 'none'}")


def _head(report: Report, verdict: Verdict, title: str) -> Node:
    header = report.header
    how = ", ".join(filter(None, (header.protocol, header.mode)))
    return node(
        "header",
        node("p", badge(verdict, verdict.upper())),
        node("h1", title),
        node("p", " · ".join(filter(None, (how, f"{report.lines:,} lines of history"))), class_="soft"),
        class_=str(verdict),
    )


def _reasons(report: Report, doubts: Sequence[str]) -> Node | None:
    """Why it is no pass; or of a pass, what it is worth."""
    items = [_reason(each) for each in report.judged if each.verdict in {Verdict.FAIL, Verdict.INCONCLUSIVE}]
    items += [node("li", doubt) for doubt in doubts]
    if not items and report.verdict is Verdict.PASS:
        held = [f"{each.answer.about}{_bound(each)}" for each in report.judged if each.verdict is Verdict.PASS]
        items = [node("li", f"Nothing was found against {', '.join(held)}.")]
    return node("ul", items, class_="reasons") if items else None


def _reason(each: Judged) -> Node:
    answer = each.answer
    found = f": {answer.violations:,} of {answer.chances:,} {answer.of}" if answer.violations else ""
    return node(
        "li",
        badge(each.verdict, str(each.verdict)),
        " ",
        node("strong", answer.about),
        found,
        (node("div", why, class_="soft") for why in each.why),
    )


def _bound(each: Judged) -> str:
    return "" if each.answer.bound is None else f" (broken in fewer than {each.answer.bound:.2%} at 95 % confidence)"


def _compared(expected: str, seen: str) -> Node:
    """What is known to happen, beside what did."""
    pairs = {"Expected": expected, "Observed": seen}.items()
    return node("dl", (node("div", node("dt", name), node("dd", text)) for name, text in pairs), class_="compared")


def _table(report: Report) -> Node:
    """A row for each property: what was judged, what the protocol permits, and why."""
    verdicts = {each.answer.about: each.verdict for each in report.judged}
    names = [*(name.capitalize() for name in HEAD[:-1]), "Why"]
    body = [
        node(
            "tr",
            node("th", about, scope="row"),
            node("td", badge(verdict, word)),
            node("td", found, class_="number", data_label="found"),
            node("td", chances, class_="wide", data_label="of"),
            node("td", why, class_="wide"),
            class_=str(verdict or "none"),
        )
        for about, word, found, chances, why in sorted(
            table(report), key=lambda row: verdicts[Property(row[0])] is None
        )
        for verdict in [verdicts[Property(about)]]
    ]
    head = node("tr", (node("th", name, scope="col") for name in names))
    return node("table", node("thead", head), node("tbody", body))


def _controls(report: Report) -> Node:
    planted = sum(each.answer.planted for each in report.judged)
    found = sum(each.answer.found for each in report.judged)
    text = (
        f"Faults were planted on purpose, to be found: {found:,} of {planted:,} looked for were found."
        if planted
        else "No faults were planted, so nothing shows that they would have been found."
    )
    return node("p", text, class_="soft")


def producers_of(report: Report, scene: Scene) -> set[str]:
    """All that have a colour."""
    boxes = {box.producer for lane in (scene.sent, *scene.lanes) for box in lane.boxes}
    cells = {cell.producer for _, found in witnesses(report) for row in found.rows for cell in row.cells}
    return boxes | cells


def _witnesses(report: Report, producers: Sequence[str]) -> Node | None:
    shown = [_witness(each, found, producers) for each, found in witnesses(report)]
    return _section("Witnesses", shown) if shown else None


def _witness(each: Judged, found: Witness, producers: Sequence[str]) -> Node:
    where = None if found.line is None else f"Line {found.line:,} of the history."
    return node(
        "figure",
        node("h3", f"{each.answer.about}: {found.text}"),
        node("figcaption", where),
        witness.figure(found, producers),
        class_="sheet",
    )


def _order(scene: Scene, producers: Sequence[str]) -> Node | None:
    diagram = order.diagram(scene, producers)
    if diagram is None:
        return None
    about = "Around the first witness" if scene.focused else "The beginning of the run"
    hidden = f" {scene.hidden:,} more subscribers are not shown." if scene.hidden else ""
    marks = " What is marked ! is what the witness is about." if scene.focused else ""
    caption = node("figcaption", f"{about}. Each box is a message, in the order in which it came.{marks}{hidden}")
    return _section("Who saw what", node("figure", caption, diagram, class_="sheet"))


def _course(scene: Scene) -> Node | None:
    chart = course.chart(scene.course)
    if chart is None:
        return None
    told = [node("li", text) for text in course.told(scene.course)]
    items = node("ul", told, class_="soft") if told else None
    return _section("The course of the run", node("figure", chart, course.legend(scene.course), items, class_="sheet"))


def _latency(scene: Scene) -> Node | None:
    chart = latency.chart(scene.latency)
    if chart is None:
        return None
    note = "From when a message was due to when it came. Each bar is an equal ratio of time."
    tiles = _tiles(latency.told(scene.latency).items())
    return _section("Latency", node("figure", node("figcaption", note), chart, class_="sheet"), tiles)


def _counts(report: Report) -> Node:
    answers = {each.answer.about: each.answer for each in report.judged}
    numbers = answers[Property.NO_LOSS].numbers
    return _tiles((name, f"{numbers[name]:,}") for name in _COUNTS)


def _facts(report: Report) -> Node | None:
    facts = list(_flat(report.header.facts))
    if not facts:
        return None
    return node("dl", (part for name, text in facts for part in (node("dt", name), node("dd", text))), class_="facts")


def _flat(facts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name} ")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            yield f"{above}{name}", text


def _tiles(pairs: Iterable[tuple[str, str]]) -> Node:
    return node("dl", (node("div", node("dt", name), node("dd", text)) for name, text in pairs), class_="tiles")


def _section(title: str, *content: Content) -> Node:
    return node("section", node("h2", title), *content)
