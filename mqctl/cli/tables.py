"""Tables on standard output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mqctl.cli.context import AppContext

WIDTH_OF_A_PIPE = 10_000
"""Columns of a table that nobody looks at: no row is folded."""


def emit_table(context: AppContext, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns, never cut: on a terminal they fold, in a pipe each row is one line."""
    from io import StringIO
    from shutil import get_terminal_size

    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(*(Column(name, overflow="fold") for name in header), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    page = StringIO()
    width = get_terminal_size().columns if context.on_terminal else WIDTH_OF_A_PIPE
    Console(file=page, width=width, color_system=None).print(table)
    for line in page.getvalue().splitlines():
        context.emit(line.rstrip())
