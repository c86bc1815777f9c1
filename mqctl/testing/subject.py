"""What the contract suite is told about the transport and the broker under test."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from mqctl.adapters.base import Adapter, Connection, SubscribeSpec
from mqctl.faults.link import Link
from mqctl.model import Confirmed, Outgoing, Topic
from mqctl.target import Target
from mqctl.testing.recorder import Recorder


def fresh_topic() -> Topic:
    """A topic that nobody else uses; levels may be appended."""
    return Topic(levels=("open", f"contract-{secrets.token_hex(6)}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A transport at a broker.

    Args:
        adapter: The transport.
        target: Where it connects; through `link`, if there is one.
        features: What transport and broker can do together; the transport's own list unless the broker does less.
        topic: Makes a topic that nobody uses.
        queue: Makes a queue that nobody uses; None where there are no queues.
        link: Breaks connections; None where there is no network.
        nobody: Where nobody listens.
        stranger: As somebody whom the broker does not let in.
        forbidden: A topic that `target`'s user may not publish to.
        text_only: Whether payloads that are not UTF-8 are refused.
        ordered: Whether confirmed messages arrive in the order they were published in.
        payload_max: Bytes of the largest payload that travels in bearable time.
        patience_s: How long to wait for what must come.
    """

    adapter: Adapter
    target: Target
    features: frozenset[str] = frozenset()
    topic: Callable[[], Topic] = fresh_topic
    queue: Callable[[], Topic] | None = None
    link: Link | None = None
    nobody: Target | None = None
    stranger: Target | None = None
    forbidden: tuple[Target, Topic] | None = None
    text_only: bool = False
    ordered: bool = True
    payload_max: int = 8 * 1024 * 1024
    patience_s: float = 10.0
    _open: list[Connection] = field(default_factory=list)

    def needs(self, feature: str) -> None:
        """Skip the test where the feature is missing."""
        if feature not in (self.features or self.adapter.info.features):
            pytest.skip(f"{self.adapter.info.name} at this broker has no {feature}")

    def carries(self, payload: bytes) -> None:
        """Skip the test where a payload of this size takes too long."""
        if len(payload) > self.payload_max:
            pytest.skip(f"{len(payload):,} bytes take too long here")

    def as_published(self, payloads: list[bytes]) -> list[bytes]:
        """Payloads that were published in ascending order: as they came, or sorted where the order is not kept."""
        return payloads if self.ordered else sorted(payloads)

    def a_queue(self) -> Topic:
        """A fresh queue; skips the test where there are none."""
        if self.queue is None:
            pytest.skip(f"{self.adapter.info.name} has no queues")
        return self.queue()

    def a_link(self) -> Link:
        """The link; skips the test where there is none."""
        if self.link is None:
            pytest.skip(f"{self.adapter.info.name} runs over no network that can break")
        return self.link

    def connect(self, **changes: object) -> tuple[Connection, Recorder]:
        """A connection and its events; closed at the end of the test."""
        recorder = Recorder(self.patience_s)
        target = dataclasses.replace(self.target, **changes)  # type: ignore[arg-type]  # fields of Target, by name
        connection = self.adapter.connect(target, sink=recorder)
        self._open.append(connection)
        return connection, recorder

    def latest(self) -> Connection:
        """The connection that `connect` made last."""
        return self._open[-1]

    def publish(self, connection: Connection, topic: Topic, *payloads: bytes, **more: object) -> None:
        """Publish in order, and see all of it confirmed as far as this transport can."""
        pending = [
            connection.submit(Outgoing(topic=topic, payload=payload, **more))  # type: ignore[arg-type]  # fields by name
            for payload in payloads
        ]
        expected = Confirmed(self.adapter.info.confirmation)
        for each in pending:
            outcome = each.outcome(self.patience_s)
            assert outcome == expected, outcome

    def barrier(self, connection: Connection, recorder: Recorder) -> None:
        """Return when a message that is published now has come back: what was under way before has come too.

        Its subscription stays: Artemis 2.56 now and then never answers an UNSUBSCRIBE of MQTT that meets the end of a
        delivery.
        """
        topic, mark = self.topic(), secrets.token_hex(8).encode()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=self.patience_s)
        self.publish(connection, topic, mark)
        recorder.message(mark)

    def serve(self) -> Iterator[Subject]:
        """The body of the fixture `subject`: close at the end what the test opened."""
        try:
            yield self
        finally:
            for connection in self._open:
                connection.close(timeout_s=1.0)
