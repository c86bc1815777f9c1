"""Extensions as values."""

from __future__ import annotations

import pytest
from msgspec import Raw

from mqctl.protocols.bayeux.extensions import (
    BINARY_EXT,
    Timesync,
    binary,
    ext_of,
    read_binary,
    read_timesync,
    timestamp,
    with_ext,
)
from mqctl.protocols.bayeux.message import Message


def test_ext_is_shared():
    message = Message(channel="/a")
    assert ext_of(message, "ack") is None
    with_ext(message, "ack", 1)
    with_ext(message, "more", {})
    assert message.ext == {"ack": 1, "more": {}}


def test_timesync_as_documented():
    """One way 40 ms, our clock 5 s ahead, held 20 s."""
    said = read_timesync(Message(ext={"timesync": {"tc": 1_000_000, "l": 0, "o": 0}}), 1_005_040)
    assert said.answer(20_000) == {"tc": 1_000_000, "ts": 1_005_040, "p": 20_000, "a": -5040}


@pytest.mark.parametrize(
    "ext", [None, {}, {"timesync": 5}, {"timesync": {}}, {"timesync": {"tc": "1"}}, {"timesync": {"tc": True}}]
)
def test_no_timesync(ext):
    assert read_timesync(Message(ext=ext), 1) is None


def test_an_old_client_and_one_that_is_right():
    assert Timesync(5, None, 0, 9).answer(0) == {"tc": 5, "ts": 9, "p": 0}
    assert Timesync(1000, 10, 90, 1100).answer(0) is None
    assert Timesync(1000, 10, 90, 1125).answer(0)["a"] == -25


@pytest.mark.parametrize(
    ("epoch_ms", "said"),
    [(0, "Thu, 01 Jan 1970 00:00:00 GMT"), (1_795_340_400_999, "Sun, 22 Nov 2026 09:40:00 GMT")],
)
def test_timestamps(epoch_ms, said):
    assert timestamp(epoch_ms) == said


def test_bytes():
    data = binary(b"\x01\x02")
    assert bytes(data) == b'{"data":"0rJ","last":true}'
    assert read_binary(Message(data=data, ext=BINARY_EXT)) == b"\x01\x02"
    assert read_binary(Message(data=Raw(b'{"data":"0rJ","last":false,"meta":{}}'), ext=BINARY_EXT)) == b"\x01\x02"


@pytest.mark.parametrize("data", [b"5", b'{"data":5}', b'{"data":"~~"}', b"{}"])
def test_what_says_it_is_bytes_and_is_not(data):
    assert read_binary(Message(data=Raw(data), ext=BINARY_EXT)) is None
    assert read_binary(Message(data=Raw(b'{"data":"0rJ"}'))) is None
