"""What a process does so that its threads act in time."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mqctl.errors import OperationTimeout
from mqctl.measurement.sending import SWITCH_S

TIME_OVER: Final = "--timeout is over before the run is"


def keep_to(deadline: float | None) -> None:
    """See that the time is not over.

    Args:
        deadline: By `time.monotonic`; None is never.

    Raises:
        OperationTimeout: It is.
    """
    if deadline is not None and time.monotonic() >= deadline:
        raise OperationTimeout(TIME_OVER)


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
