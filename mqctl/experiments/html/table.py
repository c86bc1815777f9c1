"""Many experiments at many brokers, as a page."""

from __future__ import annotations

from collections.abc import Mapping

from mqctl.experiments.html.markup import Node, node
from mqctl.experiments.html.page import document
from mqctl.experiments.matrix import Entry, Matrix, Outcome, address

SIGNS: Mapping[Outcome, str] = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✕",
    Outcome.ERROR: "!",
    Outcome.INCONCLUSIVE: "?",
    Outcome.UNSUPPORTED: "–",
}


def matrix_page(matrix: Matrix, title: str = "Experiments") -> str:
    """The matrix as one file of HTML; each cell that was run leads to its run."""
    head = node("tr", node("td"), (node("th", profile, scope="col") for profile in matrix.profiles))
    body = [
        node(
            "tr",
            node("th", experiment, scope="row"),
            (
                node("td", _cell(matrix, matrix.cell(experiment, profile)), data_label=f"{profile}:")
                for profile in matrix.profiles
            ),
        )
        for experiment in matrix.experiments
    ]
    table = node("table", node("thead", head), node("tbody", body), class_="matrix")
    notes = [node("li", reason) for reason in matrix.notes]
    return document(
        title,
        node("h1", title),
        node("div", table, class_="scroll sheet", tabindex=0, role="group", aria_label=title),
        node("ol", notes, class_="notes") if notes else None,
    )


def _cell(matrix: Matrix, cell: Entry | None) -> Node | str:
    text = matrix.word(cell)
    if cell is None:
        return text
    shown = node("span", f"{SIGNS[cell.outcome]} {text}", class_=f"badge {cell.outcome}", title=cell.reason or None)
    return shown if cell.run is None else node("a", shown, href=address(cell.run))
