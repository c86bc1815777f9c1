"""A server of Bayeux over long-polling that does what a test tells it, and keeps what it was sent."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mqctl.target import Endpoint, Target

Message = dict[str, Any]
PATIENCE_S = 20.0


class FakeServer:
    """`answers` has, by channel, what to make of a message in place of success; a connect waits for `wake`.

    `requests` has the headers and messages of every request. `status` and `body` answer all of them where they are set,
    and `headers` go with every answer. `events` is what a stream of events says next; None is no streams.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], list[Message]]] = []
        self.answers: dict[str, Callable[[Message], list[Message]]] = {}
        self.advice: Message = {"reconnect": "retry", "interval": 0, "timeout": 20_000}
        self.headers: dict[str, str] = {}
        self.events: list[bytes] | None = None
        self.asked: list[dict[str, str]] = []
        """The headers of what was no POST: WebSockets and streams."""
        self.streams: list[str] = []
        """The paths of the streams that were asked for."""
        self.status = 200
        self.body: bytes | None = None
        self.connections = 0
        self.sessions = 0
        self.changed = threading.Condition()
        self._woken: list[list[Message]] = []
        self.closed = False

    def wake(self, *messages: Message) -> None:
        """Let the connect that waits, or the next, be answered with these before its reply."""
        with self.changed:
            self._woken.append(list(messages))
            self.changed.notify_all()

    def say(self, data: bytes) -> None:
        """Write this to the stream of events; nothing ends it."""
        assert self.events is not None
        with self.changed:
            self.events.append(data)
            self.changed.notify_all()

    def next_event(self) -> bytes | None:
        """What is to be written next, once there is something; None at the end."""
        assert self.events is not None
        with self.changed:
            self.changed.wait_for(lambda: bool(self.events) or self.closed)
            return (self.events.pop(0) or None) if self.events else None

    def sent(self, channel: str) -> list[Message]:
        """What came for a channel."""
        with self.changed:
            return [each for _, messages in self.requests for each in messages if each["channel"] == channel]

    def wait_for(self, channel: str, count: int = 1) -> list[Message]:
        """Wait until that many messages came for a channel."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.sent(channel)) >= count, PATIENCE_S), self.requests
        return self.sent(channel)

    def take(self, headers: dict[str, str], messages: list[Message]) -> list[Message]:
        with self.changed:
            self.requests.append((headers, messages))
            self.changed.notify_all()
        return [answer for message in messages for answer in self._answer(message)]

    def _answer(self, message: Message) -> list[Message]:
        channel = message["channel"]
        if channel in self.answers:
            return self.answers[channel](message)
        done = reply(message)
        if channel == "/meta/handshake":
            self.sessions += 1
            done |= {
                "clientId": f"session{self.sessions}",
                "supportedConnectionTypes": ["long-polling", *(["eventsource"] if self.events is not None else [])],
                "advice": self.advice,
            }
        elif channel == "/meta/connect" and "advice" not in message:
            return [*self._held(), done]
        return [done]

    def _held(self) -> list[Message]:
        with self.changed:
            self.changed.wait_for(lambda: bool(self._woken) or self.closed, 20)
            return self._woken.pop(0) if self._woken else []


def reply(message: Message, **more: Any) -> Message:
    """A successful one."""
    return {"id": message["id"], "channel": message["channel"], "successful": True, **more}


def refusal(message: Message, error: str, **more: Any) -> Message:
    """The other kind."""
    return {"id": message["id"], "channel": message["channel"], "successful": False, "error": error, **more}


@contextlib.contextmanager
def fake_server() -> Iterator[tuple[FakeServer, Target]]:
    """The server, and the target that it is."""
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            fake.connections += 1
            super().setup()

        def do_POST(self) -> None:
            messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answers = fake.take({name.lower(): value for name, value in self.headers.items()}, messages)
            body = json.dumps(answers).encode() if fake.body is None else fake.body
            self.send_response(fake.status)
            for name, value in {"Content-Length": str(len(body)), **fake.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            fake.asked.append({name.lower(): value for name, value in self.headers.items()})
            if fake.events is None or self.headers.get("Accept") != "text/event-stream":
                self.send_error(400)
                return
            with fake.changed:
                fake.streams.append(self.path)
            self.send_response(fake.status)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            while (data := fake.next_event()) is not None:
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            port = server.server_address[1]
            yield fake, Target(scheme="bayeux+http", endpoints=(Endpoint("127.0.0.1", port),), path="/cometd")
        finally:
            with fake.changed:
                fake.closed = True
                fake.changed.notify_all()
            server.shutdown()
            thread.join()
