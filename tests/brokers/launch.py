"""Any of the brokers by its name."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from tests.brokers import artemis, classic, rabbitmq
from tests.brokers.files import installed, stompjs
from tests.brokers.process import Broker, Credentials

HEAP_MB = 512

LAUNCHERS: Mapping[str, Callable[[Path, Credentials, int], AbstractContextManager[Broker]]] = {
    "classic": classic.launch,
    "artemis": artemis.launch,
    "rabbitmq": rabbitmq.launch,
}

INSTALLATIONS: Mapping[str, Callable[[], object]] = {
    "classic": lambda: installed("classic"),
    "artemis": lambda: installed("artemis"),
    "rabbitmq": rabbitmq.server,
    "stompjs": stompjs,
}
"""What raises NotInstalled where it is missing."""


@contextlib.contextmanager
def launch(name: str, *, heap_mb: int = HEAP_MB) -> Iterator[Broker]:
    """A throwaway instance on free loopback ports, gone with its data at the end.

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
        LAUNCHERS[name](Path(home), credentials, heap_mb) as broker,
    ):
        yield broker
