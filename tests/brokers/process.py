"""One broker process of our own: started, asked whether it serves, killed, restarted, stopped by its pid."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.brokers.probes import HOST, PROBES, listens

START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0
PORTS = (20_000, 32_000)
_POLL_S = 0.1
_LOG_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Two users: one may do everything, the other only what is below `open.`."""

    user: str
    password: str
    limited_user: str
    limited_password: str


class BrokerFailed(Exception):
    """The broker did not start; the message ends with the end of its log."""


class BrokerEnded(BrokerFailed):
    """It ended by itself before it served."""


@dataclass(slots=True, kw_only=True)
class Broker:
    """A configured instance; `kill` and `restart` keep its data, which is below `home`.

    `ports` names each listener by its URL's scheme. A second listener of a scheme has a dash and what is special about
    it behind that: `stomp-prefixed`. `path` is where those over HTTP and WebSocket answer.
    """

    name: str
    version: str
    home: Path
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int]
    path: str = "/"
    credentials: Credentials
    ca_file: Path
    vhost: str | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def user(self) -> str:
        return self.credentials.user

    @property
    def password(self) -> str:
        return self.credentials.password

    @property
    def schemes(self) -> tuple[str, ...]:
        """The URL schemes that are served."""
        return tuple(name for name in self.ports if "-" not in name)

    def url(self, listener: str) -> str:
        """The address of a listener, named as in `ports`."""
        scheme = listener.partition("-")[0]
        path = self.path if scheme.endswith(("http", "ws", "wss")) else ""
        return f"{scheme}://{HOST}:{self.ports[listener]}{path}"

    @property
    def pid(self) -> int:
        """Of the process that serves, not of a shell around it."""
        assert self._process is not None, "not running"
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        return self.home / "broker.log"

    def start(self) -> None:
        """Return when the broker answers CONNECT in each protocol and listens on all ports.

        One that ends meanwhile gets a second chance: Classic 5.18.3 sometimes changes the list of its listeners while
        it starts them, and ends with ConcurrentModificationException.

        Raises:
            BrokerFailed: It ended twice, or did not answer within `START_LIMIT_S`.
        """
        try:
            self._start()
        except BrokerEnded:
            self._start()

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.home,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to a broker that does not end within `STOP_LIMIT_S`."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same data and ports, after `kill` or in place of a running one."""
        self.stop()
        self.start()

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _await_ready(self) -> None:
        process = self._process
        assert process is not None
        deadline_s = time.monotonic() + START_LIMIT_S
        while not serves(self):
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise BrokerEnded(self._told(f"ended with {process.wait(_POLL_S)}"))
            if time.monotonic() > deadline_s:
                raise BrokerFailed(self._told(f"did not answer CONNECT within {START_LIMIT_S:.0f} s"))

    def _told(self, what: str) -> str:
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            return f"{self.name} {what}; its log ends:\n" + "".join(deque(lines, _LOG_LINES))


def serves(broker: Broker) -> bool:
    """Whether every port is open, and CONNECT is taken wherever it can be said without TLS and HTTP around it."""
    return all(map(listens, broker.ports.values())) and all(
        probe(broker.ports[scheme], broker.user, broker.password, broker.vhost or "/")
        for scheme, probe in PROBES.items()
        if scheme in broker.ports
    )


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now, all different.

    They are drawn by the system's chance: that of a test is seeded alike in all processes of a run, which would all
    try the same ones. They lie below those that the system gives to outgoing connections: one of these could else take
    the port of a broker that is down between `kill` and `restart`.
    """
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        for port in random.SystemRandom().sample(range(*PORTS), PORTS[1] - PORTS[0]):
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_server((HOST, port)))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise BrokerFailed("no free ports")


def ports_for(listeners: Mapping[str, str]) -> dict[str, int]:
    """A free port for each listener, shared by those that name the same owner."""
    owners = sorted(set(listeners.values()))
    ports = dict(zip(owners, free_ports(len(owners)), strict=True))
    return {name: ports[owner] for name, owner in listeners.items()}


def placeholders(ports: Mapping[str, int]) -> dict[str, int]:
    """The ports as a template names them: `mqtt_wss_port` for `mqtt+wss`."""
    return {f"{re.sub('[+-]', '_', name)}_port": port for name, port in ports.items()}


@contextlib.contextmanager
def running(broker: Broker) -> Iterator[Broker]:
    """Start it, and stop it at the end."""
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
