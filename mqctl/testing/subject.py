"""What the contract suite is told about the transport and the broker under test."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import pytest

from mqctl.adapters.base import Adapter, Connection, SubscribeSpec
from mqctl.faults.link import Link
from mqctl.model import Confirmed, Outgoing, Topic
from mqctl.target import Target
from mqctl.testing.offers import offered
from mqctl.testing.recorder import Recorder

_GIVEN: Final = ("queue", "link", "nobody", "stranger", "forbidden")


def fresh_topic() -> Topic:
    """A topic that nobody else uses; levels may be appended."""
    return Topic(levels=("open", f"contract-{secrets.token_hex(6)}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A transport at a broker.

    Args:
        adapter: The transport.
        target: Where it connects; through `link`, if there is one.
        topic: Makes a topic that nobody uses.
        queue: Makes a queue that nobody uses.
        link: Breaks connections.
        nobody: Where nobody listens.
        stranger: As somebody whom the broker does not let in.
        forbidden: As whom, and to which topic, nothing may be published.
        patience_s: How long to wait for what must come.
        offers: What laws may count on; `serve` knows it.

    What is None must be declared as `lacking`.
    """

    adapter: Adapter
    target: Target
    topic: Callable[[], Topic] = fresh_topic
    queue: Callable[[], Topic] | None = None
    link: Link | None = None
    nobody: Target | None = None
    stranger: Target | None = None
    forbidden: tuple[Target, Topic] | None = None
    patience_s: float = 10.0
    offers: frozenset[str] = frozenset()
    _open: list[Connection] = field(default_factory=list)

    def as_published(self, payloads: list[bytes]) -> list[bytes]:
        """Payloads that were published in ascending order: as they came, or sorted where the order is not kept."""
        return payloads if "order" in self.offers else sorted(payloads)

    def a_queue(self) -> Topic:
        """A fresh queue, for a law that needs one."""
        assert self.queue is not None
        return self.queue()

    def a_link(self) -> Link:
        """The link, for a law that needs it."""
        assert self.link is not None
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
        topic, mark = self.topic(), f"mark-{secrets.token_hex(8)}".encode()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=self.patience_s)
        self.publish(connection, topic, mark)
        recorder.message(mark)

    def serve(self, request: pytest.FixtureRequest) -> Iterator[Subject]:
        """The body of the fixture `subject`: close at the end what the test opened.

        Raises:
            AssertionError: Something is neither given nor declared as lacking.
        """
        offers = offered(request.node)
        missing = [what for what in _GIVEN if what in offers and getattr(self, what) is None]
        assert not missing, f"a Subject without {', '.join(missing)}: give it, or declare what is `lacking`"
        try:
            yield dataclasses.replace(self, offers=offers)
        finally:
            for connection in self._open:
                connection.close(timeout_s=1.0)
