"""The stream is freed once, by whoever is the last to need it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from mqctl.adapters.reader import ReaderThread
from mqctl.adapters.stream import plain

PATIENCE_S = 20.0


class Reading:
    """A thread that reads until it is let go, over one end of a pair of sockets."""

    def __init__(self, socket_end: socket.socket) -> None:
        self.let_go = threading.Event()
        self.began = threading.Event()
        self._socket = socket_end
        self.thread = ReaderThread(plain(socket_end))

    def start(self) -> None:
        self.thread.start("mqctl.test.read", self._read)
        assert self.began.wait(PATIENCE_S)

    def _read(self) -> None:
        self.began.set()
        self.let_go.wait(PATIENCE_S)

    @property
    def freed(self) -> bool:
        return self._socket.fileno() < 0


@pytest.fixture
def reading() -> Iterator[Reading]:
    near, far = socket.socketpair()
    with far, near:
        it = Reading(near)
        yield it
        it.let_go.set()


def test_nobody_waits_for_a_thread_that_never_ran(reading: Reading) -> None:
    assert not reading.thread.ended_within(PATIENCE_S)
    assert reading.thread.join(PATIENCE_S)
    assert reading.freed


def test_a_thread_that_ends_in_time_leaves_the_stream_to_who_waits(reading: Reading) -> None:
    reading.start()
    reading.let_go.set()
    assert reading.thread.ended_within(PATIENCE_S)
    assert not reading.freed
    assert reading.thread.join(PATIENCE_S)
    assert reading.freed


def test_a_thread_that_is_held_frees_the_stream_itself(reading: Reading) -> None:
    reading.start()
    assert not reading.thread.ended_within(0)
    assert not reading.thread.join(0)
    assert not reading.freed
    reading.let_go.set()
    assert reading.thread.ended_within(PATIENCE_S)
    assert reading.freed


@pytest.mark.parametrize("act", [lambda thread: thread.ended_within(1), lambda thread: not thread.join(1)])
def test_it_does_not_wait_for_itself(reading: Reading, act: Callable[[ReaderThread], bool]) -> None:
    waited: list[bool] = []
    done = threading.Event()

    def read() -> None:
        waited.append(act(reading.thread))
        done.set()

    reading.thread.start("mqctl.test.read", read)
    assert done.wait(PATIENCE_S)
    assert waited == [False]
