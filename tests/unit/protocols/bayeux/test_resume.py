"""What is written down of a session, and which of its messages are taken again after a connection was lost."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec import Raw

from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.resume import VERSION, SavedError, SavedSession, Tally, read, write
from mqctl.protocols.bayeux.spec import ConnectionType

SESSION = SavedSession(
    url="bayeux+ws://h:1/x",
    peer="h:1",
    user="me",
    connection_type=ConnectionType.WEBSOCKET,
    client_id="secret",
    batch=3,
    seen=("a",),
    channels=("/a", "/b/**"),
    cookies={"BAYEUX_BROWSER": "1"},
    max_interval_ms=10_000,
    saved_ms=1,
)


def message(data: bytes, channel: str = "/a") -> Message:
    return Message(channel=channel, data=Raw(data))


def test_what_is_written_is_read() -> None:
    assert read(write(SESSION)) == SESSION
    least = dataclasses.replace(SESSION, user=None, max_interval_ms=None, cookies={}, seen=())
    assert read(write(least)) == least


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"version":"1"}', b'{"version":1}', b"\xff"])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(SavedError, match="no session that mqctl saved"):
        read(data)


def test_what_a_newer_version_wrote() -> None:
    with pytest.raises(SavedError, match="a newer mqctl wrote it"):
        read(write(dataclasses.replace(SESSION, version=VERSION + 1)))


class TestTally:
    def test_it_is_idle_when_all_that_came_was_handled(self) -> None:
        tally = Tally()
        assert tally.idle
        numbers = [tally.come(message(b"1")), tally.come(message(b"1"))]
        assert numbers == [1, 2]
        assert tally.handle(1)
        assert not tally.idle
        assert tally.handle(2)
        assert tally.idle
        assert not tally.handle(2)
        assert len(tally.seen) == 2

    def test_what_comes_again_is_taken_once(self) -> None:
        tally = Tally()
        for data in (b"1", b"2", b"3"):
            tally.come(message(data))
        tally.handle(1)
        tally.handle(2)
        again = Tally(tally.seen)
        again.expect_again()
        assert again.seen == tally.seen
        assert [again.come(message(data)) for data in (b"1", b"2", b"3", b"1")] == [None, None, 1, 2]
        assert again.seen == tally.seen

    def test_what_had_not_come_again_when_another_connection_was_lost_is_taken_once_too(self) -> None:
        tally = Tally()
        for data in (b"1", b"2", b"3"):
            tally.handle(tally.come(message(data)) or 0)
        tally.expect_again()
        tally.expect_again()
        assert tally.come(message(b"1")) is None
        tally.expect_again()
        assert [tally.come(message(data)) for data in (b"1", b"2", b"3", b"4")] == [None, None, None, 4]

    def test_what_was_acknowledged_does_not_come_again(self) -> None:
        tally = Tally()
        tally.come(message(b"1"))
        tally.handle(1)
        tally.acknowledge()
        tally.expect_again()
        assert tally.come(message(b"1")) == 2

    def test_where_something_else_comes_nothing_is_left_out(self) -> None:
        """A server that dropped the first may send another that looks like the second."""
        tally = Tally()
        for data in (b"1", b"2"):
            tally.handle(tally.come(message(data)) or 0)
        tally.expect_again()
        assert [tally.come(message(data)) for data in (b"2", b"1", b"2")] == [3, 4, 5]

    @pytest.mark.parametrize("other", [message(b"1", "/b"), message(b"2")])
    def test_it_is_channel_and_data_that_count(self, other: Message) -> None:
        tally = Tally()
        tally.handle(tally.come(message(b"1")) or 0)
        tally.expect_again()
        assert tally.come(other) is not None

    def test_of_another_session_nothing_comes_again(self) -> None:
        tally = Tally()
        for _ in range(2):
            tally.come(message(b"1"))
        tally.handle(1)
        tally.forget()
        assert not tally.idle
        assert tally.handle(2)
        assert (tally.idle, tally.seen) == (True, ())
