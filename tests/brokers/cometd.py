"""CometD's server for Java, embedded in Jetty. It keeps nothing on disk, and lets anybody use any channel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.brokers.files import INTEROP, NotInstalled, installed, java
from tests.brokers.process import Broker, Credentials, ports_for, running
from tests.brokers.tls import write_certificates

LISTENERS = {"bayeux+http": "http", "bayeux+ws": "http"}
"""What is served, and at whose port."""


@contextlib.contextmanager
def launch(home: Path, credentials: Credentials, heap_mb: int, **options: object) -> Iterator[Broker]:
    """A server; `options` are CometD's, such as `timeout=2000` and `metaConnectDeliverOnly=True`."""
    ports = ports_for(LISTENERS)
    configured = Broker(
        name="cometd-java",
        version=version(),
        home=home,
        command=[
            *program("CometDServer", heap_mb),
            str(ports["bayeux+http"]),
            *(f"{name}={str(value).lower()}" for name, value in options.items()),
        ],
        ports=ports,
        path="/cometd",
        credentials=credentials,
        ca_file=write_certificates(home).ca_file,
    )
    with running(configured) as broker:
        yield broker


def program(name: str, heap_mb: int) -> list[str]:
    """The command line of a program below `tests/interop/cometd-java`.

    Raises:
        NotInstalled: Java or the libraries are missing.
    """
    options = ["-cp", str(installed("cometd-java") / "*"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return [*java(heap_mb), *options, str(INTEROP / "cometd-java" / f"{name}.java")]


def version() -> str:
    """Of CometD.

    Raises:
        NotInstalled: `scripts/brokers` has not been run.
    """
    for jar in installed("cometd-java").glob("cometd-java-common-*.jar"):
        return jar.stem.rpartition("-")[2]
    raise NotInstalled("cometd-java is not installed: run `make brokers`")
