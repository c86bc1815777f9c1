"""Where the probing happens: under names of its own, and what a check has made is removed however the check ends."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from mqctl.adapters.base import EventSink, SubscribeSpec
from mqctl.adapters.memory import MemoryAdapter
from mqctl.adapters.pending import Settled
from mqctl.errors import RefusedError
from mqctl.model import Rejected, SubscriptionId
from mqctl.probe import checks
from mqctl.probe.ground import Ground
from mqctl.target import Endpoint, MqttOptions, Target


class ReadOnly:
    """A connection that may not publish."""

    def __init__(self, connection: Any, log: list[str]) -> None:
        self._connection, self._log = connection, log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> ReadOnly:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def submit(self, *_: object, **__: object) -> Settled:
        return Settled(Rejected("not allowed to write"))

    def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:
        self._log.append(f"subscribe {spec.durable is not None}")
        found: SubscriptionId = self._connection.subscribe(spec, timeout_s=timeout_s)
        return found

    def unsubscribe(self, subscription: SubscriptionId, *, timeout_s: float, forget: bool = False) -> None:
        self._log.append(f"unsubscribe {forget}")
        self._connection.unsubscribe(subscription, timeout_s=timeout_s, forget=forget)


class ReadOnlyAdapter:
    """Connects such."""

    info = MemoryAdapter.info

    def __init__(self) -> None:
        self.log: list[str] = []

    def connect(self, target: Target, *, sink: EventSink) -> Any:
        return ReadOnly(MemoryAdapter().connect(target, sink=sink), self.log)


TARGET = Target(scheme="mem", endpoints=(Endpoint(secrets.token_hex(4), 0),))


@pytest.fixture
def adapter() -> ReadOnlyAdapter:
    return ReadOnlyAdapter()


def test_it_comes_under_names_of_its_own() -> None:
    mqtt = MqttOptions(version="5", clean=False, session_expiry_s=60.0, will_topic="will")
    target = Target(scheme="mem", endpoints=TARGET.endpoints, client_id="mine", mqtt=mqtt)
    ground = Ground(adapter=MemoryAdapter(), target=target)
    assert ground.target.client_id is None
    assert ground.target.mqtt == MqttOptions(version="5")


def test_a_prefix_may_be_written_with_slashes() -> None:
    ground = Ground(adapter=MemoryAdapter(), target=TARGET, prefix="open/test")
    assert ground.fresh_topic().levels[:2] == ("open", "test")
    assert (ground.queue.native or "").startswith("/queue/open.test.")


def test_a_durable_subscription_is_deleted_where_nothing_may_be_published(adapter: ReadOnlyAdapter) -> None:
    ground = Ground(adapter=adapter, target=TARGET)
    with pytest.raises(RefusedError, match="not allowed to write"):
        checks.durable(ground)
    assert adapter.log[-1] == "unsubscribe True"
    assert ground.left_behind == []


def test_nothing_is_said_to_be_left_by_who_was_refused_to_put_it_there(adapter: ReadOnlyAdapter) -> None:
    ground = Ground(adapter=adapter, target=TARGET)
    with pytest.raises(RefusedError, match="not allowed to write"):
        checks.ack_auto(ground)
    assert ground.left_behind == []


def test_who_may_publish_nothing_is_told_so_and_no_size(adapter: ReadOnlyAdapter) -> None:
    with pytest.raises(RefusedError, match="not allowed to write"):
        checks.largest(Ground(adapter=adapter, target=TARGET), 1024)
