"""The server's side of Bayeux against whatever bytes come: it answers or refuses, and forgets nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl.protocols.bayeux.house import Link
from mqctl.protocols.bayeux.message import MessageError, decode
from tests.fuzz.bayeux_messages import run
from tests.unit.protocols.bayeux.house import House


@pytest.mark.parametrize("seed", range(20))
def test_any_messages(seed):
    """Each is answered or its request refused, and a bystander's session works on; long runs are made by hand."""
    counters = run(messages=1000, seed=seed)
    assert min(counters.refused, counters.failed, counters.done) > 40


@given(st.binary(max_size=200))
def test_bytes_that_are_nothing(body):
    house = House()
    try:
        house.server.receive(decode(body), Link(address="a"), 0, 0)
    except MessageError:
        assert not house.server.sessions
