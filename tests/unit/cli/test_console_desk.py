"""The console's desk: what comes late for a subscription that has ended does no harm to the others."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqctl import topics
from mqctl.adapters.base import Connection, SubscribeSpec
from mqctl.adapters.memory import MemoryAdapter
from mqctl.cli.console.desk import Desk
from mqctl.cli.formats import raw
from mqctl.model import AckMode, Confirmed, Outgoing, Topic
from mqctl.profiles import load_settings

TOPIC, QUEUE = topics.parse("a"), topics.parse("/queue/a")
PATIENCE_S = 5.0


class Printed:
    """What a desk prints, waited for."""

    def __init__(self) -> None:
        self.data = b""
        self._changed = threading.Condition()

    def write(self, data: bytes) -> None:
        with self._changed:
            self.data += data
            self._changed.notify_all()

    def shows(self, data: bytes) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: data in self.data, PATIENCE_S)


@pytest.fixture
def printed() -> Printed:
    return Printed()


@pytest.fixture
def desk(printed: Printed, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(write=printed.write, tell=lambda text: printed.write(text.encode()))
    settings = load_settings(
        {"url": f"mem://{secrets.token_hex(4)}"}, environ={"HOME": str(tmp_path)}, cwd=tmp_path, warn=pytest.fail
    )
    desk.use(settings, {}, lambda sink, _: MemoryAdapter().connect(settings.target(), sink=sink))
    yield desk
    desk.close()


def publish(connection: Connection, topic: Topic, payload: bytes) -> None:
    assert isinstance(connection.submit(Outgoing(topic=topic, payload=payload)).outcome(PATIENCE_S), Confirmed)


def test_what_was_not_printed_before_a_subscription_ended_is_not_acknowledged(desk: Desk, printed: Printed) -> None:
    desk.subscribe(SubscribeSpec(topic=TOPIC), raw, timeout_s=PATIENCE_S)
    desk.subscribe(SubscribeSpec(topic=QUEUE, ack_mode=AckMode.INDIVIDUAL), raw, timeout_s=PATIENCE_S)
    with desk.silence():
        publish(desk.connection, QUEUE, b"late")
        desk.unsubscribe("/queue/a", timeout_s=PATIENCE_S)
    publish(desk.connection, TOPIC, b"printed")
    assert printed.shows(b"printed")
    assert printed.data == b"printed"
    desk.subscribe(SubscribeSpec(topic=QUEUE, ack_mode=AckMode.INDIVIDUAL), raw, timeout_s=PATIENCE_S)
    assert printed.shows(b"late")
