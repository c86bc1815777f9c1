"""ActiveMQ Classic."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.brokers.files import installed, java, version_of, write_template
from tests.brokers.process import Broker, Credentials, placeholders, ports_for, running
from tests.brokers.tls import STORE_PASSWORD, write_certificates

LISTENERS = {
    **{name: name for name in ("stomp", "stomp+ssl", "stomp+ws", "stomp+wss", "mqtt", "mqtt+ssl")},
    "mqtt+ws": "stomp+ws",
    "mqtt+wss": "stomp+wss",
}
"""What is served, and at whose port: over WebSocket the sub-protocol tells STOMP from MQTT."""

WEB_SOCKET = {
    "allowLinkStealing": "true",
    "websocket.maxTextMessageSize": 8 << 20,
    "websocket.maxBinaryMessageSize": 8 << 20,
}
"""Over TCP a client that comes again drops its older connection unasked; 64 KiB is Jetty's limit for a message."""


@contextlib.contextmanager
def launch(home: Path, credentials: Credentials, heap_mb: int) -> Iterator[Broker]:
    """A broker with its data below `home`."""
    distribution = installed("classic")
    certificates = write_certificates(home)
    ports = ports_for(LISTENERS)
    write_template(
        "classic.xml",
        home,
        home=home,
        **placeholders(ports),
        web_socket="&amp;".join(f"{name}={value}" for name, value in WEB_SOCKET.items()),
        store_password=STORE_PASSWORD,
        user=credentials.user,
        password=credentials.password,
        limited_user=credentials.limited_user,
        limited_password=credentials.limited_password,
    )
    write_template("log4j2.properties", home)
    (home / "tmp").mkdir()
    command = [
        *java(heap_mb),
        f"-Dactivemq.home={distribution}",
        f"-Dactivemq.base={home}",
        f"-Dactivemq.conf={home}",
        f"-Dactivemq.data={home}/data",
        f"-Djava.io.tmpdir={home}/tmp",
        f"-Dlog4j2.configurationFile={home}/log4j2.properties",
        "-jar",
        str(distribution / "bin/activemq.jar"),
        "start",
        f"xbean:file:{home}/classic.xml",
    ]
    configured = Broker(
        name="classic",
        version=version_of(distribution),
        home=home,
        command=command,
        ports=ports,
        credentials=credentials,
        ca_file=certificates.ca_file,
    )
    with running(configured) as broker:
        yield broker
