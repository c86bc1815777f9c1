"""iotcore, the broker rumqttd as a Python package. It comes with the tools for development, and keeps nothing on disk.

It speaks one version of MQTT at each port, lets any user use any topic, and answers a wrong password, or `+` in a
client's id, by hanging up.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tests.brokers.files import NotInstalled, write_template
from tests.brokers.process import HOST, Broker, Credentials, ports_for, running
from tests.brokers.tls import write_certificates

LISTENERS = {name: name for name in ("mqtt", "mqtt+ssl", "mqtt+ws", "mqtt+wss", "mqtt-v5", "mqtt+ssl-v5")}
"""What is served, and at whose port; MQTT 3.1.1 unless it says 5."""

PAYLOAD_MAX = 8 << 20

_SECTIONS = {
    "mqtt": "v4.1",
    "mqtt+ssl": "v4.2",
    "mqtt-v5": "v5.1",
    "mqtt+ssl-v5": "v5.2",
    "mqtt+ws": "ws.1",
    "mqtt+wss": "ws.2",
}
"""What the configuration calls each listener."""

# Its log holds an ERROR for every packet, none of which is one. The package's own runner ends with its standard input.
_SERVE = """
import logging, sys
from iotcore import IotCoreBroker
logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
IotCoreBroker(config_path=sys.argv[1]).run_forever()
"""


@contextlib.contextmanager
def launch(home: Path, credentials: Credentials, _heap_mb: int) -> Iterator[Broker]:
    """A broker with its configuration in `home`."""
    version = installed()
    certificates = write_certificates(home)
    ports = ports_for(LISTENERS)
    listeners = "".join(_listener(name, port, home, credentials) for name, port in ports.items())
    configuration = write_template("rumqttd.toml", home, listeners=listeners)
    configured = Broker(
        name="iotcore",
        version=version,
        home=home,
        command=[sys.executable, "-c", _SERVE, str(configuration)],
        ports=ports,
        credentials=credentials,
        ca_file=certificates.ca_file,
    )
    with running(configured) as broker:
        yield broker


def installed() -> str:
    """Its version.

    Raises:
        NotInstalled: There is no wheel of it for this machine.
    """
    try:
        return metadata.version("iotcore")
    except metadata.PackageNotFoundError:
        raise NotInstalled("iotcore is not installed") from None


def _listener(name: str, port: int, home: Path, credentials: Credentials) -> str:
    section = _SECTIONS[name]
    secure = f"""
[{section}.tls]
capath = "{home}/ca.pem"
certpath = "{home}/server.pem"
keypath = "{home}/server.key"
"""
    return f"""
[{section}]
name = "{name}"
listen = "{HOST}:{port}"
next_connection_delay_ms = 0
{secure if name.startswith(("mqtt+ssl", "mqtt+wss")) else ""}
[{section}.connections]
connection_timeout_ms = 60000
max_payload_size = {PAYLOAD_MAX}
max_inflight_count = 100

[{section}.connections.auth]
{credentials.user} = "{credentials.password}"
{credentials.limited_user} = "{credentials.limited_password}"
"""
