"""What all tests of a run share: Ctrl-C as a terminal has it, and brokers, each started once at its first use."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import pytest

from tests.brokers.fleet import Fleet

# A shell that starts this run in the background lets it, and every command under test, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with contextlib.ExitStack() as stack:
        yield Fleet(stack)
