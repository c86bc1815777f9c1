"""A client of Bayeux by hand: what it is told to say, over long-polling by http.client, and what it is answered."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from queue import Queue
from types import TracebackType
from typing import Any, NamedTuple, Self

import websocket

from mqctl.target import Endpoint
from tests.hub.client import PATIENCE_S

TYPES = ["websocket", "eventsource", "long-polling", "callback-polling"]
Json = dict[str, Any]


class Reply(NamedTuple):
    """An answer of HTTP."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def messages(self) -> list[Json]:
        assert self.status == 200, (self.status, self.body)
        return json.loads(self.body)


class Poller:
    """One client, with a cookie and, unless told otherwise, a session."""

    def __init__(self, endpoint: Endpoint, path: str = "/bayeux", *, handshake: bool = True, **fields: Any) -> None:
        self.endpoint = endpoint
        self.path = path
        self.cookie: str | None = None
        self.headers: dict[str, str] = {}
        self.client_id: str | None = None
        self._ids = itertools.count(1)
        self._http = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=PATIENCE_S)
        self._threads: list[threading.Thread] = []
        if handshake:
            self.greeting = self.handshake(**fields)
            self.client_id = self.greeting.get("clientId")

    def handshake(self, **fields: Any) -> Json:
        fields = {"version": "1.0", "supportedConnectionTypes": TYPES, **fields}
        (reply,) = self.ask({"id": "h", "channel": "/meta/handshake", **fields})
        return reply

    def post(self, body: bytes, connection: http.client.HTTPConnection | None = None, **headers: str) -> Reply:
        """Send bytes."""
        connection = connection or self._http
        cookie = {"Cookie": self.cookie} if self.cookie else {}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(
            "POST", self.path, body, {"Content-Type": "application/json", **cookie, **self.headers, **names}
        )
        answer = connection.getresponse()
        reply = Reply(answer.status, answer.headers, answer.read())
        if set_cookie := reply.headers.get("Set-Cookie"):
            self.cookie = set_cookie.partition(";")[0]
        return reply

    def ask(self, *messages: Json) -> list[Json]:
        """Send messages as one request."""
        return self.post(json.dumps(messages).encode()).messages

    def message(self, channel: str, **fields: Any) -> Json:
        """A message of this session, with the next id."""
        return {"id": str(next(self._ids)), "channel": channel, "clientId": self.client_id, **fields}

    def say(self, channel: str, **fields: Any) -> list[Json]:
        return self.ask(self.message(channel, **fields))

    def connect(self, **fields: Any) -> list[Json]:
        return self.say("/meta/connect", connectionType="long-polling", **fields)

    def connected(self) -> Self:
        """Past the first connect, which does not wait."""
        assert self.connect()[-1]["successful"]
        return self

    def subscribe(self, *channels: str) -> Self:
        assert self.say("/meta/subscribe", subscription=list(channels))[-1]["successful"]
        return self

    def publish(self, channel: str, data: Any = 0) -> list[Json]:
        return self.say(channel, data=data)

    def hold(self, **fields: Any) -> Queue[Reply]:
        """Connect over a connection of its own, and go on."""
        answer: Queue[Reply] = Queue()
        body = json.dumps([self.message("/meta/connect", connectionType="long-polling", **fields)]).encode()
        connection = http.client.HTTPConnection(self.endpoint.host, self.endpoint.port, timeout=PATIENCE_S)

        def run() -> None:
            try:
                answer.put(self.post(body, connection))
            finally:
                connection.close()

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()
        return answer

    def data(self, count: int) -> list[Any]:
        """The data of the next messages, by as many connects as it takes."""
        got: list[Any] = []
        while len(got) < count:
            got += [each["data"] for each in self.connect() if "data" in each]
        return got

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)


class Socket:
    """One client over WebSocket; `client_id` takes up a session that there is, or with `""` none."""

    def __init__(self, endpoint: Endpoint, client_id: str | None = None, **fields: Any) -> None:
        self.web = websocket.create_connection(f"ws://{endpoint}/bayeux", timeout=PATIENCE_S)
        self._socket = self.web.sock
        self.client_id = client_id
        self._ids = itertools.count(1)
        if client_id is None:
            fields = {"version": "1.0", "supportedConnectionTypes": TYPES, **fields}
            self.send({"id": "h", "channel": "/meta/handshake", **fields})
            (self.greeting,) = self.next()
            self.client_id = self.greeting.get("clientId")

    def send(self, *messages: Json) -> None:
        """Send messages as one array."""
        self.web.send(json.dumps(messages))

    def next(self) -> list[Json]:
        """The next array."""
        return json.loads(self.web.recv())

    def tell(self, channel: str, **fields: Any) -> str:
        """Send a message of this session; its id."""
        identity = str(next(self._ids))
        self.send({"id": identity, "channel": channel, "clientId": self.client_id, **fields})
        return identity

    def say(self, channel: str, **fields: Any) -> list[Json]:
        """Send a message; all that comes up to its reply."""
        identity = self.tell(channel, **fields)
        got: list[Json] = []
        while not any(each.get("id") == identity for each in got):
            got += self.next()
        return got

    def connect(self, **fields: Any) -> list[Json]:
        return self.say("/meta/connect", connectionType="websocket", **fields)

    def connected(self) -> Self:
        assert self.connect()[-1]["successful"]
        return self

    def subscribe(self, *channels: str) -> Self:
        assert self.say("/meta/subscribe", subscription=list(channels))[-1]["successful"]
        return self

    def publish(self, channel: str, data: Any = 0) -> list[Json]:
        return self.say(channel, data=data)

    def data(self, count: int) -> list[Any]:
        """The data of the next messages."""
        got: list[Any] = []
        while len(got) < count:
            got += [each["data"] for each in self.next() if "data" in each]
        return got

    def closed(self) -> tuple[int, str]:
        """The code and reason with which the hub closes, whatever comes before."""
        while True:
            opcode, data = self.web.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2]), data[2:].decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.web.close()
        self._socket.close()  # which the library leaves open where the hub closed first
