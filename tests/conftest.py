"""The brokers of a run of tests, shared by all that use them: each is started once, at its first use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.brokers.fleet import Fleet


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with contextlib.ExitStack() as stack:
        yield Fleet(stack)
