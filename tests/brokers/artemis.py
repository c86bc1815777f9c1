"""Artemis, as `artemis create` would lay it out: default acceptors without anycast or multicast prefixes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.brokers.files import installed, java, version_of, write_template
from tests.brokers.process import Broker, Credentials, placeholders, ports_for, running
from tests.brokers.tls import STORE_PASSWORD, write_certificates

LISTENERS = {
    **{name: name for name in ("stomp", "stomp+ssl", "stomp-prefixed", "mqtt", "mqtt+ssl")},
    "stomp+ws": "stomp",
    "stomp+wss": "stomp+ssl",
    "mqtt+ws": "mqtt",
    "mqtt+wss": "mqtt+ssl",
}
"""What is served, and at whose port: every acceptor upgrades to WebSocket.

At `stomp-prefixed` the topic `/topic/a.b` is the address `a.b`, as MQTT's `a/b` is.
"""


@contextlib.contextmanager
def launch(home: Path, credentials: Credentials, heap_mb: int) -> Iterator[Broker]:
    """A broker with its data below `home`."""
    distribution = installed("artemis")
    certificates = write_certificates(home)
    ports = ports_for(LISTENERS)
    write_template(
        "broker.xml",
        home,
        home=home,
        **placeholders(ports),
        secure=f"sslEnabled=true;keyStorePath={home}/server.p12;keyStoreType=PKCS12;keyStorePassword={STORE_PASSWORD}",
    )
    write_template("bootstrap.xml", home, home=home)
    for name in ("management.xml", "login.config", "log4j2.properties"):
        write_template(name, home)
    _write_users(home, credentials)
    (home / "tmp").mkdir()
    command = [
        *java(heap_mb),
        "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
        f"-Dartemis.home={distribution}",
        f"-Dartemis.instance={home}",
        f"-Dartemis.instance.etc={home}",
        f"-Ddata.dir={home}/data",
        f"-Djava.io.tmpdir={home}/tmp",
        f"-Djava.library.path={distribution}/bin/lib/linux-x86_64",
        f"-Djava.security.auth.login.config={home}/login.config",
        f"-Dlog4j2.configurationFile={home}/log4j2.properties",
        "-classpath",
        str(distribution / "lib/artemis-boot.jar"),
        "org.apache.activemq.artemis.boot.Artemis",
        "run",
        "--",
        f"xml:{home}/bootstrap.xml",
    ]
    configured = Broker(
        name="artemis",
        version=version_of(distribution),
        home=home,
        command=command,
        ports=ports,
        credentials=credentials,
        ca_file=certificates.ca_file,
    )
    with running(configured) as broker:
        yield broker


def _write_users(home: Path, credentials: Credentials) -> None:
    users = {credentials.user: credentials.password, credentials.limited_user: credentials.limited_password}
    roles = {"all": credentials.user, "limited": credentials.limited_user}
    for name, entries in (("users", users), ("roles", roles)):
        lines = "".join(f"{key} = {value}\n" for key, value in entries.items())
        (home / f"{name}.properties").write_text(lines, encoding="utf-8")
