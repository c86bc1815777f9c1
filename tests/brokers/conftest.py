"""The brokers that a test names are there, and it gets each in turn."""

from __future__ import annotations

import ssl

import pytest
from _pytest.mark import ParameterSet
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.brokers import require
from tests.brokers.fleet import Fleet
from tests.brokers.launch import INSTALLATIONS, serving
from tests.brokers.process import Broker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        require.prepare(item)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return OneWorkerEach(config, log)


class OneWorkerEach(LoadScopeScheduling):
    """Gives the tests of one broker to one worker, which alone starts it; their ids name it."""

    def _split_scope(self, nodeid: str) -> str:
        return next((name for name in INSTALLATIONS if name in nodeid.rpartition("::")[2]), nodeid)


def pytest_runtest_setup(item: pytest.Item) -> None:
    require.demand(item)


def _each(scheme: str) -> list[ParameterSet]:
    return [pytest.param(name, marks=pytest.mark.broker(name)) for name in serving(scheme)]


@pytest.fixture(params=_each("stomp"))
def broker(request: pytest.FixtureRequest, fleet: Fleet) -> Broker:
    """Each of the brokers that speak STOMP in turn."""
    return fleet.get(request.param)


@pytest.fixture(params=_each("mqtt"))
def mqtt_broker(request: pytest.FixtureRequest, fleet: Fleet) -> Broker:
    """Each of the brokers that speak MQTT in turn."""
    return fleet.get(request.param)


@pytest.fixture
def trusting(broker: Broker) -> ssl.SSLContext:
    """Trusts the broker's authority, and nobody else."""
    return ssl.create_default_context(cafile=broker.ca_file)
