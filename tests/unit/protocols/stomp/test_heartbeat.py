import pytest

from mqctl.protocols.stomp.frame import FrameError
from mqctl.protocols.stomp.heartbeat import Pulse, agree, read_heart_beat

MS = 1_000_000


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ((0, 0), (0, 0), (0, 0)),
        ((10, 20), (0, 0), (0, 0)),
        ((0, 0), (10, 20), (0, 0)),
        ((10, 0), (0, 30), (30, 0)),
        ((40, 0), (0, 30), (40, 0)),
        ((0, 20), (30, 0), (0, 30)),
        ((0, 40), (30, 0), (0, 40)),
        ((10, 10), (5, 20), (20, 10)),
    ],
)
def test_each_way_beats_at_the_slower_of_can_and_want_or_never(ours, theirs, agreed):
    """STOMP 1.2, Heart-beating: MAX(x, y), and none where either is 0."""
    assert agree(ours, theirs) == agreed


@pytest.mark.parametrize(("text", "pair"), [(None, (0, 0)), ("0,0", (0, 0)), ("10000,500", (10000, 500))])
def test_the_header_is_two_numbers(text, pair):
    """An absent header is 0,0 (STOMP 1.2, Heart-beating)."""
    assert read_heart_beat(text) == pair


@pytest.mark.parametrize("text", ["", "1", "1,", "-1,0", "1,2,3", "a,b", "1, 2", "9999999999,0", "\u0661,0"])
def test_anything_else_is_refused(text):
    with pytest.raises(FrameError, match="heart-beat"):
        read_heart_beat(text)


def test_we_beat_at_half_time_and_forgive_two_and_a_half():
    pulse = Pulse(read_ns=0, wrote_ns=7, send_every_ms=10, expect_every_ms=20)
    assert pulse.due_ns == 7 + 5 * MS
    assert pulse.late_ns == 50 * MS


def test_without_an_agreement_there_is_no_time():
    pulse = Pulse(0, 0)
    assert (pulse.due_ns, pulse.late_ns) == (None, None)
