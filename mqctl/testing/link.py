"""`mqctl.faults.link`, under the name by which tests know it."""

from __future__ import annotations

from mqctl.faults.link import Link

__all__ = ["Link"]
