"""README names the versions that were really tested."""

from __future__ import annotations

import pytest

from tests import readme
from tests.brokers.fleet import Fleet
from tests.brokers.launch import LAUNCHERS


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.broker(name)) for name in LAUNCHERS])
def test_the_version_is_that_of_this_run(fleet: Fleet, name: str) -> None:
    """What the launcher found is what the table says."""
    assert readme.brokers()[name].version == fleet.get(name).version
