"""The installed command: what belongs to the process itself, its signals, streams and exit code; the rest is `program`.

This module imports next to nothing, so that Ctrl-C is in good hands before the rest is loaded.
"""

from __future__ import annotations

import gc
import signal
import sys
from typing import NoReturn

GARBAGE_AT = 50_000
"""Objects made and not yet gone before they are looked through: loading makes none that are garbage."""


def main() -> NoReturn:
    """Entry point. SIGTERM ends a run as Ctrl-C does: what was begun is closed and counted."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        # Nothing is begun yet: Python's answer would be a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(GARBAGE_AT)
    from mqctl.cli import streams
    from mqctl.cli.program import here, run

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    context = here()
    raise SystemExit(streams.close(context.stdout, run(sys.argv[1:], context), context.report))
