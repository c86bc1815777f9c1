"""How far an experiment is, on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mqctl.cli.context import AppContext

if TYPE_CHECKING:
    from mqctl.laboratory.run import Progress


@contextmanager
def shown(context: AppContext, title: str) -> Iterator[Callable[[Progress], None]]:
    """A bar on standard error while somebody looks on; what it yields is told of progress."""
    if not context.attended or context.quiet or context.environ.get("TERM") == "dumb":
        yield lambda _progress: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(file=context.stderr), transient=True) as bars:
        task = bars.add_task(title, total=None)

        def tell(progress: Progress) -> None:
            doing = "reading the rest" if progress.draining else f"{progress.came:,} came"
            bars.update(task, total=progress.total, completed=progress.attempted, description=f"{title}  {doing}")

        yield tell
