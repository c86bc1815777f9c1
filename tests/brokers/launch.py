"""Any of the brokers by its name."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from tests.brokers import artemis, chromium, classic, cometd, iotcore, mosquitto, rabbitmq
from tests.brokers.files import foreign, installed
from tests.brokers.process import Broker, Credentials

HEAP_MB = 512

LAUNCHERS: Mapping[str, Callable[..., AbstractContextManager[Broker]]] = {
    "classic": classic.launch,
    "artemis": artemis.launch,
    "rabbitmq": rabbitmq.launch,
    "mosquitto": mosquitto.launch,
    "iotcore": iotcore.launch,
    "cometd-java": cometd.launch,
}

LISTENERS: Mapping[str, Collection[str]] = {
    "classic": classic.LISTENERS,
    "artemis": artemis.LISTENERS,
    "rabbitmq": rabbitmq.LISTENERS,
    "mosquitto": mosquitto.LISTENERS,
    "iotcore": iotcore.LISTENERS,
    "cometd-java": cometd.LISTENERS,
}
"""What each will serve, known before it is started; `Broker.ports` has the same names."""

INSTALLATIONS: Mapping[str, Callable[[], object]] = {
    "classic": lambda: installed("classic"),
    "artemis": lambda: installed("artemis"),
    "rabbitmq": rabbitmq.server,
    "mosquitto": mosquitto.server,
    "iotcore": iotcore.installed,
    "cometd-java": cometd.version,
    "stompjs": lambda: foreign("stompjs"),
    "mqttjs": lambda: foreign("mqttjs"),
    "cometd": lambda: foreign("cometd"),
    "faye-client": lambda: foreign("faye"),
    "bayeux": lambda: foreign("bayeux", "server.js"),
    "chromium": chromium.installed,
}
"""What raises NotInstalled where it is missing."""


def serving(scheme: str) -> list[str]:
    """The brokers that serve a scheme."""
    return [name for name, listeners in LISTENERS.items() if scheme in listeners]


@contextlib.contextmanager
def launch(name: str, *, heap_mb: int = HEAP_MB, **settings: object) -> Iterator[Broker]:
    """A throwaway instance on free loopback ports, gone with its data at the end.

    Args:
        name: One of `LAUNCHERS`.
        heap_mb: Memory, for those that are given any.
        settings: Of the configuration file of Mosquitto, or the options of CometD.

    Raises:
        NotInstalled: The broker is not on this machine.
        BrokerFailed: It did not start.
    """
    credentials = Credentials(
        user="mqctl",
        password=secrets.token_hex(8),
        limited_user="limited",
        limited_password=secrets.token_hex(8),
    )
    with (
        tempfile.TemporaryDirectory(prefix=f"mqctl-{name}-", ignore_cleanup_errors=True) as home,
        LAUNCHERS[name](Path(home), credentials, heap_mb, **settings) as broker,
    ):
        yield broker
