"""Throw mutated STOMP frames, over TCP and WebSocket, at a running hub: python -m tests.fuzz.hub_live --help.

Meanwhile a control pair passes messages over a topic and a queue of the same hub and must lose none. Exits 1 when it
does, when the hub reports a bug, or when something is left of the connections; prints what is needed to see it again.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import resource
import secrets
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mqctl.broker import Limits as BrokerLimits
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.protocols.stomp.spec import Version
from mqctl.protocols.websocket import Opcode
from mqctl.target import Endpoint
from tests.fuzz.stomp_frames import FRAMES_PER_STREAM, LIMITS, flip, overwrite, pieces, streams, truncate
from tests.hub.client import Client
from tests.hub.raw_web import frame, handshake

CONNECT = "CONNECT\naccept-version:{}\nhost:hub\nheart-beat:1000,1000\n\n\0"
PATIENCE_S = 5.0
BROKER_LIMITS = BrokerLimits(queue_messages=1000, memory_bytes=16 * 2**20, durables=50)
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Counters:
    """What a run did."""

    frames: int = 0
    connections: int = 0
    errors: int = 0
    exchanged: int = 0
    slowest_s: float = 0.0
    grown_kib: int = 0


@dataclass
class Control:
    """The pair that must not notice anything."""

    endpoint: Endpoint
    counters: Counters
    over: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None

    def run(self) -> None:
        """Pass messages until it is over."""
        try:
            name = secrets.token_hex(8)
            with Client(self.endpoint) as writer, Client(self.endpoint, "1.1") as reader:
                reader.subscribe(f"/topic/{name}", "t")
                reader.subscribe(f"/queue/{name}", "q", ack="client")
                while not self.over.is_set():
                    self._pass(writer, reader, name)
                assert not reader.between(), "a message came twice"
        except BaseException as error:
            self.failure = error

    def _pass(self, writer: Client, reader: Client, name: str) -> None:
        began_s = time.monotonic()
        body = b"%d" % self.counters.exchanged
        for kind in ("topic", "queue"):
            writer.publish(f"/{kind}/{name}", body)
            frame = reader.expect("MESSAGE")
            assert frame.body == body, frame
        reader.ack(frame)
        self.counters.exchanged += 1
        self.counters.slowest_s = max(self.counters.slowest_s, time.monotonic() - began_s)


@contextlib.contextmanager
def watched_hub() -> Iterator[tuple[HubThread, list[dict[str, Any]]]]:
    """A hub, and the bugs that its loop reports."""
    bugs: list[dict[str, Any]] = []
    loopback = (Endpoint("127.0.0.1", 0),)
    config = HubConfig(stomp=loopback, http=loopback, stomp_limits=LIMITS, broker_limits=BROKER_LIMITS)
    with HubThread(config) as hub:
        hub.ask(lambda it: it.exchange.loop.set_exception_handler(lambda _, what: bugs.append(what)))
        yield hub, bugs


def over_web_socket(endpoint: Endpoint, data: list[bytes], chance: random.Random) -> list[bytes]:
    """The same in messages, whole and in fragments, with pings between them; some of it spoiled, the request too."""
    kind = chance.choice((Opcode.TEXT, Opcode.BINARY, Opcode.BINARY))
    sent = [handshake(endpoint)]
    begun = False
    for piece in data:
        last = chance.random() < 0.7
        sent.append(frame(piece, Opcode.CONTINUATION if begun else kind, fin=last))
        begun = not last
        if chance.random() < 0.1:
            sent.append(frame(piece[:125], chance.choice((Opcode.PING, Opcode.PONG))))
    if chance.random() < 0.1:
        sent.append(frame(chance.choice((b"", b"\x03\xe8", b"\0", b"\x03\xeewhy")), Opcode.CLOSE))
    if chance.random() < 0.3:
        at = chance.randrange(len(sent))
        sent[at] = chance.choice((flip, overwrite, truncate))(sent[at], chance)
    return sent


def attack(endpoint: Endpoint, data: list[bytes], chance: random.Random) -> bool:
    """One connection; returns whether the hub answered with ERROR, or refused to upgrade."""
    # Addresses of our own, or the ports of one would run out.
    source = (f"127.0.0.{chance.randrange(2, 250)}", 0)
    with socket.create_connection((endpoint.host, endpoint.port), PATIENCE_S, source) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in data if chance.random() < 0.1 else [b"".join(data)]:
                sock.sendall(piece)
            if chance.random() < 0.1:
                return False  # reset, with everything unread
            with contextlib.suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_WR)
            answer = b""
            while more := sock.recv(65_536):
                answer += more
            return b"ERROR\n" in answer or answer.startswith(b"HTTP/1.1 4")
    return False


def run(frames: int, seed: int) -> Counters:
    """Try at least so many frames.

    Raises:
        AssertionError: The hub reported a bug, the control pair lost something, or something was left behind.
    """
    chance = random.Random(seed)
    counters = Counters()
    with watched_hub() as (hub, bugs):
        control = Control(hub.endpoint, counters)
        exchanging = threading.Thread(target=control.run)
        exchanging.start()
        endpoints = hub.ask(lambda it: it.endpoints)
        sources = {version: streams(chance, version) for version in Version}
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        while counters.frames < frames and not bugs and control.failure is None:
            version = chance.choice(list(Version))
            data = list(pieces(next(sources[version]), chance))
            if chance.random() < 0.95:
                data.insert(0, CONNECT.format(version).encode())
            endpoint = chance.choice(endpoints)
            if endpoint != hub.endpoint:
                data = over_web_socket(endpoint, data, chance)
            try:
                counters.errors += attack(endpoint, data, chance)
            except TimeoutError as error:
                error.add_note(f"no answer: STOMP {version}, frame {counters.frames}, pieces {data!r}")
                raise
            assert not bugs, f"{bugs}, at STOMP {version}, frame {counters.frames}, pieces {data!r}"
            counters.connections += 1
            counters.frames += FRAMES_PER_STREAM
        counters.grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
        control.over.set()
        exchanging.join()
        assert control.failure is None, f"the control pair failed: {control.failure!r}"
        nothing_left(hub)
    assert not bugs, bugs
    return counters


def nothing_left(hub: HubThread) -> None:
    """Raises AssertionError unless all connections are gone from the hub, soon."""
    end_s = time.monotonic() + PATIENCE_S
    while (left := hub.ask(lambda it: it.exchange.broker.stats())).sessions:
        assert time.monotonic() < end_s, left
    assert (left.subscriptions, left.in_flight, left.held_publishers) == (0, 0, 0), left
    assert left.memory_bytes <= BROKER_LIMITS.memory_bytes, left


def main() -> int:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--frames", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    chosen = options.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    began_s = time.monotonic()
    try:
        counters = run(chosen.frames, chosen.seed)
    except (AssertionError, OSError) as error:
        print(*getattr(error, "__notes__", ()), f"{type(error).__name__}: {error}", sep="\n", file=sys.stderr)
        return 1
    print(f"{counters}, {counters.frames / (time.monotonic() - began_s):.0f} frames/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
