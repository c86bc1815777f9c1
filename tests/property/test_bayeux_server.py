"""The server's side of Bayeux against whatever bytes come: it answers or refuses, and forgets nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl.protocols.bayeux.house import Link
from mqctl.protocols.bayeux.message import MessageError, decode
from tests.fuzz.bayeux_messages import run
from tests.unit.protocols.bayeux.house import House


@pytest.mark.parametrize("seed", range(10))
def test_mutated_messages(seed):
    """A short run of the fuzzer; long ones are made by hand."""
    counters = run(messages=1500, seed=seed)
    assert counters.refused > 100
    assert counters.successful > 100


@given(st.binary(max_size=200))
def test_bytes_that_are_nothing(body):
    house = House()
    try:
        house.server.receive(decode(body), Link(address="a"), 0, 0)
    except MessageError:
        assert not house.server.sessions
