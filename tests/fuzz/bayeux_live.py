"""Throw mutated Bayeux messages at `mqctl hub`, a process of its own: python -m tests.fuzz.bayeux_live --help.

They come by requests and WebSockets, from clients with and without sessions of their own, who know the ids of others;
some never read, some vanish. Meanwhile a control group passes numbers over the same hub, from STOMP and by a request
to a WebSocket, and must lose none. Exits 1 when it does, when the hub complains, ends or grows too much, or when
something is left of the clients; prints what is needed to see it again.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import re
import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mqctl.target import Endpoint, parse_url
from tests.fuzz.bayeux_messages import body_of
from tests.hub.bayeux import Poller, Socket
from tests.hub.client import Client
from tests.hub.raw_web import frame, handshake

PATIENCE_S = 20.0
GROWTH_BYTES = 64 * 2**20
"""By which the hub may grow: what --max-memory is four times."""
OPTIONS = (
    "--stomp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--hold", "10ms", "--max-interval", "2s", "--max-frame", "1",
    "--max-memory", "16", "--max-backlog", "1000", "--max-sessions-per-address", "100", "--drain", "1s",
)  # fmt: skip
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Counters:
    """What a run did."""

    messages: int = 0
    connections: int = 0
    answers: int = 0
    exchanged: int = 0
    slowest_s: float = 0.0
    grown_bytes: int = 0


@dataclass
class LiveHub:
    """A hub in a process of its own."""

    process: subprocess.Popen[str]
    stomp: Endpoint
    web: Endpoint
    complaints: IO[str]

    @property
    def own_bytes(self) -> int:
        """Memory that is its own, and no file's."""
        found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024

    def metric(self, name: str) -> int:
        """One of its counts."""
        with urllib.request.urlopen(f"http://{self.web}/metrics", timeout=PATIENCE_S) as page:
            found = re.search(rf"^mqctl_hub_{name} (\d+)", page.read().decode(), re.MULTILINE)
        assert found is not None, name
        return int(found[1])

    def check(self) -> None:
        """Raises AssertionError if it ended or complained."""
        assert self.process.poll() is None, f"the hub ended: {self.process.returncode}"
        self.complaints.seek(0)
        said = self.complaints.read()
        assert not said, said


@contextlib.contextmanager
def live_hub(folder: Path, *options: str) -> Iterator[LiveHub]:
    """See `LiveHub`; it ends well."""
    with (folder / "stderr").open("w+") as complaints:
        command = [sys.executable, "-m", "mqctl", "hub", *(options or OPTIONS)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True, env=_environment())
        assert process.stdout is not None
        try:
            urls = {url.scheme: url for url in (parse_url(process.stdout.readline().strip()) for _ in range(2))}
            web = next(url for scheme, url in urls.items() if scheme != "stomp")
            hub = LiveHub(process, urls["stomp"].endpoints[0], web.endpoints[0], complaints)
            yield hub
            hub.check()
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MQCTL_")}


@dataclass
class Control:
    """The group that must not notice anything."""

    hub: LiveHub
    counters: Counters
    over: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None

    def run(self) -> None:
        """Pass numbers until it is over."""
        try:
            name = secrets.token_hex(8)
            with (
                Client(self.hub.stomp) as stomp,
                Poller(self.hub.web) as poller,
                Socket(self.hub.web) as reader,
            ):
                reader.subscribe(f"/{name}").connected()
                reader.tell("/meta/connect", connectionType="websocket")
                while not self.over.is_set():
                    began_s = time.monotonic()
                    poller.connect(advice={"timeout": 0})
                    self._pass(stomp, poller, reader, name)
                    self.counters.slowest_s = max(self.counters.slowest_s, time.monotonic() - began_s)
                    self.over.wait(0.01)
        except BaseException as error:
            self.failure = error

    def _pass(self, stomp: Client, poller: Poller, reader: Socket, name: str) -> None:
        number = self.counters.exchanged
        for send in (
            lambda: stomp.publish(f"/topic/{name}", b"%d" % number),
            lambda: poller.publish(f"/{name}", number),
        ):
            send()
            got: list[int] = []
            while not got:
                for each in reader.next():
                    if each["channel"] == "/meta/connect":
                        reader.tell("/meta/connect", connectionType="websocket")
                    elif "data" in each:
                        got.append(each["data"])
            assert got == [number], (got, number)
        self.counters.exchanged += 1


class Attacker:
    """A client of no good.

    Args:
        hub: At whom.
        chance: What it does.
        known: Ids of sessions, its own and others'.
        counters: What it did.
    """

    def __init__(self, hub: LiveHub, chance: random.Random, known: list[str], counters: Counters) -> None:
        self.hub = hub
        self.chance = chance
        self.known = known
        self.counters = counters
        # Addresses of our own, or the ports and sessions of one would run out.
        self.source = (f"127.0.0.{chance.randrange(2, 250)}", 0)

    def attack(self) -> None:
        """One connection."""
        self.counters.connections += 1
        with contextlib.suppress(OSError, http.client.HTTPException):  # the hub may close it, and say nothing more
            self.chance.choice((self._requests, self._socket, self._socket, self._stream))()

    def _connection(self) -> socket.socket:
        return socket.create_connection((self.hub.web.host, self.hub.web.port), PATIENCE_S, self.source)

    def _body(self) -> bytes:
        count = self.chance.choice((1, 5, 20, 100))
        self.counters.messages += count
        # Who asks for a long interval is kept an hour, and nobody waits for that here.
        return body_of(self.chance, self.known, count).replace(b"1000000000", b"1000")

    def _requests(self) -> None:
        """Some requests, one after the other or all at once; a connect in them is answered soon."""
        web = http.client.HTTPConnection(self.hub.web.host, self.hub.web.port, PATIENCE_S, self.source)
        with contextlib.closing(web):
            cookie = {}
            for _ in range(10):
                body = b'[{"channel":"/meta/handshake"}]' if not cookie else self._body()
                web.request("POST", "/bayeux", body, cookie)
                answer = web.getresponse()
                self._learn(answer.read())
                assert answer.status in (200, 400, 413, 500), answer.status
                if made := answer.headers.get("Set-Cookie"):
                    cookie = {"Cookie": made.partition(";")[0]}

    def _socket(self) -> None:
        with self._connection() as sock:
            sock.sendall(handshake(self.hub.web, path="/bayeux"))
            sock.sendall(frame(b'[{"channel":"/meta/handshake"}]', 1))
            reads = self.chance.random() < 0.7
            for patience_s in (0.05, 0.05, *[0.002] * 20):
                sock.settimeout(patience_s)
                with contextlib.suppress(TimeoutError):
                    self._learn(sock.recv(65_536) if reads else b"")
                sock.settimeout(PATIENCE_S)
                sock.sendall(frame(self._body(), 1))
            if self.chance.random() < 0.3:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _stream(self) -> None:
        """Events, perhaps of somebody else; most are refused."""
        with self._connection() as sock:
            path = f"/bayeux/{self.chance.choice(self.known)}"
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.hub.web}\r\nAccept: text/event-stream\r\n\r\n".encode())
            sock.recv(1000)

    def _learn(self, said: bytes) -> None:
        self.counters.answers += bool(said)
        for found in re.findall(rb'"clientId":"(\w+)"', said):
            self.known[self.chance.randrange(len(self.known))] = found.decode()


def run(messages: int, seed: int, folder: Path) -> Counters:
    """Try at least so many messages.

    Raises:
        AssertionError: The hub complained, grew or ended, the control group lost something, or something was left.
    """
    chance = random.Random(seed)
    counters = Counters()
    with live_hub(folder) as hub:
        control = Control(hub, counters)
        exchanging = threading.Thread(target=control.run)
        exchanging.start()
        try:
            known = ["x"] * 4
            before_bytes = hub.own_bytes
            while counters.messages < messages and control.failure is None and hub.process.poll() is None:
                Attacker(hub, chance, known, counters).attack()
            counters.grown_bytes = hub.own_bytes - before_bytes
        finally:
            control.over.set()
            exchanging.join()
        assert control.failure is None, f"the control group failed: {control.failure!r}"
        assert counters.grown_bytes < GROWTH_BYTES, counters
        nothing_left(hub)
    return counters


def nothing_left(hub: LiveHub) -> None:
    """Raises AssertionError unless all sessions end and all messages are let go, soon."""
    end_s = time.monotonic() + PATIENCE_S
    names = ("sessions", "held_bytes", "waiting_messages", "connections")
    while (left := {name: hub.metric(name) for name in names}) != {**dict.fromkeys(names, 0), "connections": 1}:
        hub.check()
        assert time.monotonic() < end_s, f"left: {left}"
        time.sleep(0.1)


def main() -> int:
    """Run from the command line."""
    import tempfile

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    chosen = options.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    began_s = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            counters = run(chosen.messages, chosen.seed, Path(folder))
    except (AssertionError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"{counters}, {counters.messages / (time.monotonic() - began_s):.0f} messages/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
