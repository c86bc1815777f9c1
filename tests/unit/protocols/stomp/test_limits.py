"""Every limit of the server's side ends the connection with an ERROR that names it."""

import pytest

from mqctl.protocols.stomp.codec import encode
from mqctl.protocols.stomp.spec import Limits, Version
from tests.unit.protocols.stomp.pair import SECOND, Pair, new_session

V1_0, V1_1, V1_2 = Version


def limited(**limits):
    return Pair(session=new_session(limits=Limits(**limits)))


def test_the_limit_of_transactions_is_named():
    pair = limited(transactions=2)
    for number in range(3):
        pair.say("BEGIN", {"transaction": str(number)})
    assert pair.error() == "more than 2 open transactions (limit: transactions)"


@pytest.mark.parametrize(
    ("command", "headers", "body"),
    [("SEND", {"destination": "/topic/a"}, b"x" * 800), ("SEND", {"destination": "/topic/a", "h": "x" * 800}, b""),
     ("ACK", {"id": "x" * 800}, b"")],
)  # fmt: skip
def test_the_limit_of_what_transactions_hold_is_named(command, headers, body):
    pair = limited(transaction_bytes=2200)
    for name in "ab":
        pair.say("BEGIN", {"transaction": name})
        pair.say(command, {**headers, "transaction": name}, body)
    assert not pair.session.closing
    pair.say(command, {**headers, "transaction": "a"}, body)
    assert pair.error() == "open transactions hold more than 2200 bytes (limit: transaction-bytes)"


def test_a_transaction_that_ended_holds_nothing():
    pair = limited(transaction_bytes=2200)
    for command in ("COMMIT", "ABORT") * 10:
        pair.say("BEGIN", {"transaction": "t"})
        pair.say("SEND", {"destination": "/topic/a", "transaction": "t"}, b"x" * 1500)
        pair.say(command, {"transaction": "t"})
    assert not pair.session.closing


def test_the_limit_of_a_frame_is_named():
    pair = limited(frame_bytes=1000)
    pair.say("SEND", {"destination": "/topic/a"}, b"x" * 1000)
    assert pair.error() == "frame larger than 1000 bytes (limit: frame)"


def test_a_client_that_never_connects_is_given_up():
    session = new_session(now_ns=5)
    assert session.next_deadline_ns() == 5 + 10 * SECOND
    session.tick(4 + 10 * SECOND)
    assert not session.closing
    session.tick(5 + 10 * SECOND)
    assert session.close_reason == "no CONNECT within 10 s (limit: connect-timeout)"
    assert session.next_deadline_ns() is None


def test_a_connected_client_without_heart_beats_may_be_silent():
    session = Pair().session
    assert session.next_deadline_ns() is None
    session.tick(10**18)
    assert not session.closing
    assert session.take_output() == b""


def test_a_frame_that_does_not_end_is_given_up():
    """A slow trickle does not prolong it."""
    pair = Pair()
    data = encode("SEND", {"destination": "/topic/a"}, version=V1_2)
    for second, byte in enumerate(data[:20]):
        pair.now_ns = second * SECOND
        pair.put(bytes([byte]))
        assert pair.session.next_deadline_ns() == 30 * SECOND
    pair.session.tick(30 * SECOND)
    pair.take()
    assert pair.error() == "an unfinished frame grew by less than 65536 bytes in 30 s (limit: frame-timeout)"


@pytest.mark.parametrize("length", ["", "content-length:1000000\n"])
def test_a_large_frame_on_a_slow_link_has_time_as_long_as_it_grows(length):
    """Head and body alike; less than a step is a trickle, and what has come does not count a second time."""
    pair = Pair(session=new_session(limits=Limits(frame_step_bytes=100)))
    head = f"\ndestination:/topic/a\n{length}\n".encode()
    for seconds, piece, late_s in (
        (0, b"SEND\nh:", 30),
        (20, b"x" * 150, 50),
        (40, b"x" * 100 + head, 70),
        (60, b"z" * 100, 90),
        (80, b"z" * 90, 90),
    ):
        pair.now_ns = seconds * SECOND
        pair.session.tick(pair.now_ns)
        pair.put(piece)
        assert pair.session.next_deadline_ns() == late_s * SECOND


def test_each_frame_has_its_own_time():
    pair = Pair()
    data = encode("SEND", {"destination": "/topic/a"}, version=V1_2)
    pair.put(data[:9])
    pair.now_ns = 7 * SECOND
    pair.put(data[9:] + data[:9])
    assert pair.session.next_deadline_ns() == 37 * SECOND
    pair.put(data[9:])
    assert pair.session.next_deadline_ns() is None


def beating(header, ours=(10_000, 10_000)):
    pair = Pair(None, new_session(heart_beat_ms=ours))
    pair.say("CONNECT", {"accept-version": "1.2", "heart-beat": header})
    return pair.session


def test_we_beat_when_nothing_else_was_written():
    session = beating("0,10000")
    assert session.next_deadline_ns() == 5 * SECOND
    session.tick(5 * SECOND - 1)
    assert session.take_output() == b""
    session.tick(5 * SECOND)
    assert session.take_output() == b"\n"
    session.wrote(6 * SECOND)
    assert session.next_deadline_ns() == 11 * SECOND


def test_a_silent_client_is_given_up():
    session = beating("10000,0")
    assert session.next_deadline_ns() == 25 * SECOND
    assert list(session.receive(b"\n", 3 * SECOND)) == []
    assert session.next_deadline_ns() == 28 * SECOND
    session.tick(28 * SECOND - 1)
    assert not session.closing
    session.tick(28 * SECOND)
    assert session.close_reason == "nothing came in 25000 ms; heart-beats were agreed every 10000 ms"
    assert session.take_output().startswith(b"ERROR\n")


def test_time_in_which_we_did_not_listen_does_not_count():
    """A shell that stops reading, to slow a publisher down, says so; neither beat nor frame is late for it."""
    session = beating("10000,0")
    list(session.receive(b"SEND\nde", 0))
    session.heard(20 * SECOND)
    assert session.next_deadline_ns() == 45 * SECOND
    session.tick(49 * SECOND)
    assert session.close_reason.startswith("nothing came")


def test_the_time_of_an_unfinished_frame_begins_anew_when_we_listen_again():
    pair = Pair()
    pair.session.heard(5 * SECOND)
    assert pair.session.next_deadline_ns() is None
    pair.put(b"SEND\nde")
    pair.session.heard(20 * SECOND)
    assert pair.session.next_deadline_ns() == 50 * SECOND
