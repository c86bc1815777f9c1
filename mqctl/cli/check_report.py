"""The report of `check`: coloured on a terminal, plain text in a pipe, or one JSON object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from mqctl.cli.context import AppContext
from mqctl.experiments.check import Report
from mqctl.experiments.diagram import ASCII, UNICODE, Segment, draw
from mqctl.experiments.report import HEAD, document, facts, table, witnesses

_TITLE_WIDTH = 12
_GAP = "  "

PIXELS = 2
"""For each unit of a picture, so that it is sharp on any screen."""


def publish_report(context: AppContext, report: Report, *, as_json: bool) -> None:
    """Print a report; what is odd about the history goes to standard error."""
    for remark in report.remarks:
        context.report(remark)
    if as_json:
        import msgspec

        context.emit(msgspec.json.encode(document(report)).decode())
        return
    shown = _colours if context.can_draw else _plain
    for line in lines(report, UNICODE if context.has_unicode else ASCII):
        context.emit(shown(context, line))


def write_html(context: AppContext, path: Path, source: BinaryIO, report: Report) -> None:
    """Write the report with its pictures, for which the history is read again.

    Raises:
        UsageError: The file cannot be written.
    """
    from mqctl.cli.artifacts import write_file
    from mqctl.experiments.history import Reader
    from mqctl.experiments.html import page
    from mqctl.experiments.scene import scene

    source.seek(0)
    write_file(context, "--html", path, page(report, scene(Reader(source), report)).encode())


def png_renderer() -> Callable[[str], bytes]:
    """What makes pixels of a document of SVG.

    Raises:
        PluginError: It is not installed.
    """
    from mqctl.errors import PluginError

    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        raise PluginError("what renders --png is not installed: resvg-py", hint="pip install 'mqctl[png]'") from error
    return lambda document: bytes(svg_to_bytes(svg_string=document, zoom=PIXELS))


def write_png(
    context: AppContext, path: Path, source: BinaryIO, report: Report, render: Callable[[str], bytes]
) -> None:
    """Write the first witness and the order diagram as a picture, for which the history is read again.

    Raises:
        UsageError: The file cannot be written.
    """
    from mqctl.cli.artifacts import write_file
    from mqctl.experiments.history import Reader
    from mqctl.experiments.html.poster import poster
    from mqctl.experiments.scene import scene

    source.seek(0)
    write_file(context, "--png", path, render(poster(report, scene(Reader(source), report))))


def tell_builds(context: AppContext, report: Report, *, junit: Path | None, github: bool, file: str | None) -> None:
    """Leave the verdicts to the server that builds, in the form that it knows.

    Raises:
        UsageError: A file cannot be written.
    """
    from mqctl.cli.artifacts import annotate, write_file
    from mqctl.experiments.builds import annotated, cases
    from mqctl.experiments.builds import junit as as_junit

    found = cases(report)
    if junit is not None:
        write_file(context, "--junit", junit, as_junit(report.header.name or "mqctl check", found))
    annotate(context, annotated(found, file), asked=github)


def lines(report: Report, glyphs: str) -> list[list[Segment]]:
    """The report, line by line."""
    page = [[Segment(f"{title:<{_TITLE_WIDTH}}{text}")] for title, text in facts(report)]
    page += [[], *([Segment(line)] for line in _aligned([HEAD, *table(report)]))]
    for judged, witness in witnesses(report):
        where = f" (line {witness.line})" if witness.line is not None else ""
        page += [[], [Segment(f"{judged.answer.about}: {witness.text}{where}")], *draw(witness.rows, glyphs)]
    return page


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_GAP.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _plain(_context: AppContext, line: Sequence[Segment]) -> str:
    from mqctl.cli.formats import escape

    return escape("".join(segment.text for segment in line).encode())


def _colours(context: AppContext, line: Sequence[Segment]) -> str:
    """With the colours of the producers, by their names: the same in every diagram of every run."""
    from zlib import crc32

    from rich.color import ColorSystem
    from rich.style import Style

    from mqctl.experiments.answers import Look
    from mqctl.views.theme import PLAIN, PRODUCERS, escape

    if "NO_COLOR" in context.environ:
        return _plain(context, line)
    parts = []
    for text, producer, look in line:
        style = PLAIN if producer is None else PRODUCERS[crc32(producer.encode()) % len(PRODUCERS)]
        if look is Look.MARKED:
            style += Style(reverse=True)
        parts.append(style.render(escape(text), color_system=ColorSystem.STANDARD))
    return "".join(parts)
