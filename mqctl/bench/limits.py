"""What the system denies a process that asks for too much, told as a sentence."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from mqctl.errors import UsageError

_DENIED = {
    errno.EMFILE: ("open files", "ulimit -n"),
    errno.ENFILE: ("open files", "sysctl fs.file-max"),
    errno.EAGAIN: ("processes", "ulimit -u"),
}
"""By the kernel's answer: what there may be no more of, and what tells how many there may be."""

_NO_THREAD = "can't start new thread"
"""All that Python says of it."""


@contextmanager
def within_limits() -> Iterator[None]:
    """Start processes, threads and connections inside.

    Raises:
        UsageError: The system allows no more of them.
    """
    try:
        yield
    except OSError as error:
        denied = _DENIED.get(error.errno or 0)
        if denied is None:
            raise
        raise _too_many(*denied) from error
    except RuntimeError as error:
        if str(error) != _NO_THREAD:
            raise
        raise _too_many("threads", "ulimit -u") from error


def _too_many(what: str, told_by: str) -> UsageError:
    return UsageError(
        f"the system allows no more {what}",
        hint=f"take fewer --publishers, --subscribers or --workers, or raise the limit: {told_by}",
    )
