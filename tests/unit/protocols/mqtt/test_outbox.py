"""What is under way to the broker, and under which id."""

from __future__ import annotations

import pytest

from mqctl.protocols.mqtt.outbox import ID_MAX, Outbox

NAME = b"\0\1t"


def composed(outbox: Outbox, qos: int, payload: bytes = b"x", *, retain: bool = False) -> bytes:
    return outbox.compose(NAME, payload, qos, b"", retain=retain)[1]


@pytest.mark.parametrize(
    ("qos", "retain", "packet"),
    [
        (0, False, b"\x30\4\0\1tx"),
        (0, True, b"\x31\4\0\1tx"),
        (1, False, b"\x32\6\0\1t\0\1x"),
        (2, True, b"\x35\6\0\1t\0\1x"),
    ],
)
def test_a_message_is_a_packet(qos, retain, packet):
    assert composed(Outbox(), qos, retain=retain) == packet


def test_properties_stand_behind_the_id_and_a_length_has_up_to_four_digits():
    number, packet = Outbox().compose(NAME, b"x" * 200, 1, b"\2\1\1", retain=False)
    assert number == 1
    assert packet == b"\x32\xd0\1" + NAME + b"\0\1" + b"\2\1\1" + b"x" * 200


def test_a_message_of_qos_0_has_no_id_and_is_not_under_way():
    outbox = Outbox()
    assert outbox.compose(NAME, b"", 0, b"", retain=False)[0] == 0
    assert outbox.new_id() == 1


def test_an_id_is_used_again_when_it_is_free():
    outbox = Outbox()
    composed(outbox, 1)
    assert [outbox.new_id() for _ in range(ID_MAX)] == [*range(2, ID_MAX + 1), 2]
    assert outbox.end(1)
    assert outbox.new_id() == 3


def test_each_message_ends_once():
    outbox = Outbox()
    composed(outbox, 1)
    assert not outbox.end(2)
    assert outbox.end(1)
    assert not outbox.end(1)


def test_what_answers_the_release_counts_after_the_release():
    outbox = Outbox()
    composed(outbox, 2)
    assert not outbox.end(1, of_release=True)
    assert outbox.release(1) == b"\x62\2\0\1"
    assert outbox.end(1, of_release=True)
    assert outbox.release(1) == b""


def test_in_an_old_session_an_id_is_released_ahead_of_a_message_that_could_be_taken_for_another():
    outbox = Outbox()
    outbox.release_first = True
    assert composed(outbox, 1).startswith(b"\x32")
    assert composed(outbox, 2).startswith(b"\x62\2\0\2\x34")
