"""What a process does so that its threads act in time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mqctl.measurement.sending import SWITCH_S


@contextmanager
def punctual() -> Iterator[None]:
    """Inside, a thread whose time has come waits little for those that compute.

    What was made before is no more looked through for garbage: tens of milliseconds each time, in which nobody acts.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before_s)
