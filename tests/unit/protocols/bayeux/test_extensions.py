"""Extensions as values."""

from __future__ import annotations

import pytest
from msgspec import Raw

from mqctl.protocols.bayeux.extensions import (
    BINARY_EXT,
    Clocks,
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


MS = 1_000_000


class TestClocks:
    def hear(self, clocks: Clocks, said: object, now_ms: int) -> None:
        clocks.hear(Message(ext={"timesync": said}), now_ms * MS)

    def asked(self, clocks: Clocks, now_ms: int) -> object:
        request = Message(ext={"ack": 1})
        clocks.ask(request, now_ms * MS)
        return request.ext

    def test_nothing_is_known_until_the_server_says_something(self):
        clocks = Clocks(0)
        clocks.hear(Message(), 1_000)
        for said in (None, 1, {}, {"tc": 1}, {"ts": 1}, {"tc": "1", "ts": 2}):
            self.hear(clocks, said, 1_000)
        assert not clocks.known
        assert self.asked(clocks, 5) == {"ack": 1, "timesync": {"tc": 5, "l": 0, "o": 0}}

    def test_who_does_not_ask_does_not_hear(self):
        clocks = Clocks(None)
        assert self.asked(clocks, 5) == {"ack": 1}
        self.hear(clocks, {"tc": 1, "ts": 1}, 1)
        assert not clocks.known

    def test_one_way_takes_half_of_what_the_server_did_not_hold(self):
        """40 ms each way, a clock 5 s ahead, and a connect that was held for 20 s."""
        clocks = Clocks(1_000_000 * MS)
        self.hear(clocks, {"tc": 1_000_000, "ts": 1_005_040, "p": 20_000}, 20_080)
        assert (clocks.known, clocks.lag_ms, clocks.offset_ms) == (True, 40, 5_000)

    def test_it_is_the_mean_of_the_last_ten(self):
        clocks = Clocks(0)
        for offset in (900_000, *range(10)):
            self.hear(clocks, {"tc": 0, "ts": offset + 1}, 2)
        assert (clocks.lag_ms, clocks.offset_ms) == (1, 4)
