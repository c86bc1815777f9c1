"""Places where messages wait for a consumer that comes and goes: a queue over STOMP, a kept session over MQTT."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Final, Protocol

from mqctl.errors import RefusedError, UnsupportedError
from mqctl.model import AckMode, Dialect
from mqctl.probe.ground import Ground, Visit

QUEUE_KEPT_MS: Final = 60_000
"""How long RabbitMQ keeps a queue of ours after its last use: over STOMP nobody can delete one."""


class Store(Protocol):
    """Keeps messages until they are acknowledged."""

    def open(self) -> None:
        """Begin to keep; whether or not that succeeds, `remove` ends it."""
        ...

    def fill(self, *payloads: bytes) -> None:
        """Put messages in."""
        ...

    def consumer(self, mode: AckMode, prefetch: int | None = None) -> contextlib.AbstractContextManager[Visit]:
        """Somebody who takes them out; comes again under the same name each time."""
        ...

    def remove(self) -> None:
        """Leave nothing behind."""
        ...


class Queue:
    """A queue."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._topic = ground.queue
        self._headers: dict[str, str] = {}
        self._deleted_by_broker = True
        self._is_used = False

    def open(self) -> None:
        """See `Store.open`. A queue is there once it is used."""

    def fill(self, *payloads: bytes) -> None:
        """See `Store.fill`."""
        with self._ground.visit() as visit:
            self._heed(visit)
            for payload in payloads:
                self._put(visit, payload)

    def _put(self, visit: Visit, payload: bytes) -> None:
        before, self._is_used = self._is_used, True
        try:
            visit.publish(self._topic, payload, headers=self._headers)
        except RefusedError:
            self._is_used = before
            raise

    @contextlib.contextmanager
    def consumer(self, mode: AckMode, prefetch: int | None = None) -> Iterator[Visit]:
        """See `Store.consumer`."""
        with self._ground.visit() as visit:
            self._heed(visit)
            visit.subscribe(self._topic, ack_mode=mode, prefetch=prefetch, headers=self._headers)
            yield visit

    def _heed(self, visit: Visit) -> None:
        if visit.connection.greeting.dialect is Dialect.RABBITMQ:
            self._headers = {"x-expires": str(QUEUE_KEPT_MS)}
        self._deleted_by_broker = visit.connection.greeting.dialect is not Dialect.CLASSIC

    def remove(self) -> None:
        """See `Store.remove`. Classic keeps the name of an empty queue until it is told otherwise by its console."""
        if not self._is_used:
            return
        try:
            with self.consumer(AckMode.AUTO) as visit:
                visit.settle()
        except RefusedError as error:
            # Who may send to it need not be allowed to take from it.
            self._ground.leave(f"messages in {self._topic.native} ({error})")
            return
        if not self._deleted_by_broker:
            self._ground.leave(f"the empty queue {self._topic.native}")


class Session:
    """A session that an MQTT broker keeps, with one subscription."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._topic = ground.fresh_topic()
        mqtt = ground.target.mqtt._replace(clean=False)
        if mqtt.version == "5":
            mqtt = mqtt._replace(session_expiry_s=QUEUE_KEPT_MS / 1000)
        self._as_member = {"client_id": f"mqctl-probe-{secrets.token_hex(4)}", "mqtt": mqtt}

    def open(self) -> None:
        """See `Store.open`."""
        with self._ground.visit(**self._as_member) as visit:
            visit.subscribe(self._topic, qos=1, ack_mode=AckMode.INDIVIDUAL)

    def fill(self, *payloads: bytes) -> None:
        """See `Store.fill`."""
        with self._ground.visit() as visit:
            visit.publish(self._topic, *payloads, qos=1)

    @contextlib.contextmanager
    def consumer(self, mode: AckMode, prefetch: int | None = None) -> Iterator[Visit]:
        """See `Store.consumer`."""
        with self._ground.visit(**self._as_member) as visit:
            visit.subscribe(self._topic, ack_mode=mode, prefetch=prefetch, qos=1)
            yield visit

    def remove(self) -> None:
        """See `Store.remove`. A clean connection under the same name ends the session (MQTT 3.1.1, 3.1.2.4)."""
        with self._ground.visit(**self._as_member | {"mqtt": self._ground.target.mqtt._replace(clean=True)}):
            pass


@contextlib.contextmanager
def store(ground: Ground) -> Iterator[Store]:
    """A fresh store of the kind that the transport has, removed at the end.

    Raises:
        UnsupportedError: It has none: where nothing can be acknowledged, nothing waits for that.
    """
    info = ground.adapter.info
    if info.ack_modes == {AckMode.AUTO}:
        raise UnsupportedError(f"{info.name} has no queues, and keeps nothing for who is away")
    made: Store = Session(ground) if "session" in info.features else Queue(ground)
    try:
        made.open()
        yield made
    finally:
        ground.tidy("messages of the probe", made.remove)
