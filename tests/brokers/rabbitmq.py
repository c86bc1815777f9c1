"""RabbitMQ from Debian's package, run as an ordinary program of ours with a name server of its own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.brokers.files import NotInstalled, write_template
from tests.brokers.process import HOST, STOP_LIMIT_S, Broker, Credentials, free_ports, placeholders, ports_for, running
from tests.brokers.tls import write_certificates

VHOST = "/"
PLUGINS = ("rabbitmq_stomp", "rabbitmq_mqtt", "rabbitmq_web_stomp", "rabbitmq_web_mqtt")
LISTENERS = {
    name: name for name in ("stomp", "stomp+ssl", "stomp+ws", "stomp+wss", "mqtt", "mqtt+ssl", "mqtt+ws", "mqtt+wss")
}
"""What is served, and at whose port."""

_SINGLE_ACTIVE = "single.active"
SINGLE_ACTIVE = f"/amq/queue/{_SINGLE_ACTIVE}"
"""A queue that serves one consumer at a time, which cannot be declared over STOMP; as a STOMP destination."""


@contextlib.contextmanager
def launch(home: Path, credentials: Credentials, heap_mb: int) -> Iterator[Broker]:
    """A broker with its data below `home`; `heap_mb` is where it begins to hold publishers back."""
    script = server()
    certificates = write_certificates(home)
    amqp_port, distribution_port, epmd_port = free_ports(3)
    ports = ports_for(LISTENERS)
    write_template(
        "rabbitmq.conf",
        home,
        home=home,
        amqp_port=amqp_port,
        **placeholders(ports),
        memory_mb=heap_mb,
    )
    (home / "enabled_plugins").write_text(f"[{', '.join(PLUGINS)}].\n", encoding="utf-8")
    (home / "definitions.json").write_text(json.dumps(_definitions(credentials)), encoding="utf-8")
    _write_cookie(home)
    configured = Broker(
        name="rabbitmq",
        version=script.parent.parent.name.rpartition("-")[2],
        home=home,
        command=[str(script)],
        environment=_environment(home, amqp_port, distribution_port, epmd_port),
        ports=ports,
        path="/ws",
        credentials=credentials,
        ca_file=certificates.ca_file,
        vhost=VHOST,
    )
    with _name_server(epmd_port), running(configured) as broker:
        yield broker


def _environment(home: Path, amqp_port: int, distribution_port: int, epmd_port: int) -> dict[str, str]:
    return {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"throwaway{amqp_port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": HOST,
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        # Makes the script replace itself by the server, so that our child's pid is the one to kill.
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput",
    }


def server() -> Path:
    """The script itself: Debian's wrapper insists on a user and a data folder of its own.

    Raises:
        NotInstalled: The package is missing.
    """
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if not found or not shutil.which("epmd"):
        raise NotInstalled("rabbitmq is not installed: run `make brokers`")
    return found[-1]


def _write_cookie(home: Path) -> None:
    cookie = home / ".erlang.cookie"
    cookie.write_text(os.urandom(16).hex(), encoding="ascii")
    cookie.chmod(0o400)


@contextlib.contextmanager
def _name_server(port: int) -> Iterator[None]:
    """Erlang's epmd in the foreground. Left to itself, the server would start one that outlives it."""
    program = shutil.which("epmd")
    assert program is not None
    process = subprocess.Popen([program, "-address", HOST, "-port", str(port)], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(STOP_LIMIT_S)


def _definitions(credentials: Credentials) -> dict[str, object]:
    """What the server imports at its first start. A topic is a routing key on the exchange amq.topic."""
    user, limited = credentials.user, credentials.limited_user
    own = r"open\..*|(stomp|mqtt)-subscription-.*"
    return {
        "vhosts": [{"name": VHOST}],
        "users": [_user(user, credentials.password), _user(limited, credentials.limited_password)],
        "permissions": [
            {"user": user, "vhost": VHOST, "configure": ".*", "write": ".*", "read": ".*"},
            {
                "user": limited,
                "vhost": VHOST,
                "configure": f"^({own})$",
                "write": rf"^({own}|amq\.topic|amq\.default)$",
                "read": rf"^({own}|amq\.topic)$",
            },
        ],
        "queues": [
            {
                "name": _SINGLE_ACTIVE,
                "vhost": VHOST,
                "durable": True,
                "auto_delete": False,
                "arguments": {"x-single-active-consumer": True},
            }
        ],
        "topic_permissions": [
            {"user": limited, "vhost": VHOST, "exchange": "amq.topic", "write": r"^open\.", "read": r"^open\."}
        ],
    }


def _user(name: str, password: str) -> dict[str, object]:
    """RabbitMQ's password hash: base64 of salt and SHA-256 of salt and password."""
    salt = os.urandom(4)
    digest = salt + hashlib.sha256(salt + password.encode()).digest()
    return {
        "name": name,
        "password_hash": base64.b64encode(digest).decode("ascii"),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }
