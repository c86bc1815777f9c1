"""What the system denies is told as a sentence; what is none of its limits stays what it is."""

from __future__ import annotations

import errno
import os

import pytest

from mqctl.bench.limits import within_limits
from mqctl.errors import UsageError


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.EMFILE, "files"), "the system allows no more open files"),
        (OSError(errno.ENFILE, "files"), "the system allows no more open files"),
        (OSError(errno.EAGAIN, "fork"), "the system allows no more processes"),
        (RuntimeError("can't start new thread"), "the system allows no more threads"),
    ],
)
def test_a_limit_of_the_system_is_named(error, says):
    with pytest.raises(UsageError) as caught, within_limits():
        raise error
    assert str(caught.value) == says
    assert "raise the limit" in caught.value.hint


@pytest.mark.parametrize("error", [OSError(errno.EIO, os.strerror(errno.EIO)), OSError("x"), RuntimeError("x")])
def test_what_is_no_limit_passes(error):
    with pytest.raises(type(error)) as caught, within_limits():
        raise error
    assert caught.value is error
