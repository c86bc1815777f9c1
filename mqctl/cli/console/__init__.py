"""`mqctl console`: the same commands over one connection, with messages printed above the line that is being typed."""

from __future__ import annotations

from mqctl.cli.console.command import app

__all__ = ["app"]
