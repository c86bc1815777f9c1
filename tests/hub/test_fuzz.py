"""Short runs of the live fuzzers; long ones are made by hand."""

from __future__ import annotations

from tests.fuzz import bayeux_live
from tests.fuzz.hub_live import run


def test_mutated_frames_harm_nobody():
    """The control pair loses nothing, the hub reports no bug, and most connections were told what was wrong.

    Half of them are WebSockets, where broken frames end with a close frame that says so instead.
    """
    counters = run(frames=4000, seed=20_231)
    assert counters.connections >= 500
    assert counters.errors > counters.connections / 3
    assert counters.exchanged > 5


def test_mutated_messages_harm_nobody(tmp_path):
    """The same of Bayeux, at a hub in a process of its own."""
    counters = bayeux_live.run(messages=15_000, seed=20_261, folder=tmp_path)
    assert counters.answers > counters.connections
    assert counters.exchanged > 5
