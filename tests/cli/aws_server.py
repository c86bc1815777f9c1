"""A stand-in for AWS on this machine: Amazon MQ and Secrets Manager, in the JSON that botocore reads."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BROKER_ID = "b-4aada85d-a80c-4be0-9d30-e344a01b921e"
REGION = "eu-west-1"
PORTS = {"ssl": 61617, "amqp+ssl": 5671, "stomp+ssl": 61614, "mqtt+ssl": 8883, "wss": 61619}
ACCOUNT = "123456789012"


def host(instance: int, broker_id: str = BROKER_ID) -> str:
    return f"{broker_id}-{instance}.mq.{REGION}.amazonaws.com"


def instance(number: int) -> dict[str, Any]:
    return {
        "consoleURL": f"https://{host(number)}:8162",
        "endpoints": [f"{scheme}://{host(number)}:{port}" for scheme, port in PORTS.items()],
        "ipAddress": f"10.0.0.{number}",
    }


def broker(**members: Any) -> dict[str, Any]:
    """The answer of DescribeBroker for an active/standby pair, with the members given in place of its own."""
    return {
        "brokerId": BROKER_ID,
        "brokerArn": f"arn:aws:mq:{REGION}:{ACCOUNT}:broker:orders:{BROKER_ID}",
        "brokerName": "orders",
        "brokerState": "RUNNING",
        "deploymentMode": "ACTIVE_STANDBY_MULTI_AZ",
        "engineType": "ACTIVEMQ",
        "engineVersion": "5.18",
        "publiclyAccessible": True,
        "securityGroups": ["sg-1"],
        "brokerInstances": [instance(2), instance(1)],
        "users": [{"username": "alice"}, {"username": "bob"}],
        **members,
    }


class FakeAws(ThreadingHTTPServer):
    """What it answers is in `brokers` (a page of ListBrokers each), `secrets` (by name) and `failure` (before all)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: list[list[dict[str, Any]]] = [[broker()]]
        self.secrets: dict[str, dict[str, Any]] = {}
        self.failure: tuple[int, str, str] | None = None
        self.asked: list[str] = []
        self.signed_for: set[str] = set()

    @property
    def env(self) -> dict[str, str]:
        """What leads botocore here, with nothing of the developer's own."""
        url = f"http://127.0.0.1:{self.server_port}"
        return {
            "AWS_ENDPOINT_URL_MQ": url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_MAX_ATTEMPTS": "1",
        }


class _Handler(BaseHTTPRequestHandler):
    server: FakeAws

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self._note(url.path)
        if self._failed():
            return
        if url.path == "/v1/brokers":
            self._list(parse_qs(url.query))
        else:
            self._describe(unquote(url.path.rpartition("/")[2]))

    def _list(self, query: dict[str, list[str]]) -> None:
        at = int(query.get("nextToken", ["0"])[0])
        following = {"nextToken": str(at + 1)} if at + 1 < len(self.server.pages) else {}
        self._answer(200, {"brokerSummaries": self.server.pages[at], **following})

    def _describe(self, broker_id: str) -> None:
        known = {each["brokerId"]: each for page in self.server.pages for each in page}
        if broker_id in known:
            self._answer(200, known[broker_id])
        else:
            self._refuse(404, "NotFoundException", f"Can't find requested broker [{broker_id}].")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._note(self.headers["X-Amz-Target"])
        if self._failed():
            return
        if request["SecretId"] in self.server.secrets:
            self._answer(200, self.server.secrets[request["SecretId"]])
        else:
            self._refuse(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")

    def _note(self, what: str) -> None:
        self.server.asked.append(what)
        self.server.signed_for.add(self.headers["Authorization"].split("/")[2])

    def _failed(self) -> bool:
        if self.server.failure is not None:
            self._refuse(*self.server.failure)
        return self.server.failure is not None

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._answer(status, {"message": message, "__type": code}, {"x-amzn-ErrorType": code})

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Tests look at what was asked, not at a log."""


@contextlib.contextmanager
def fake_aws() -> Iterator[FakeAws]:
    """The server, listening until the end."""
    with FakeAws() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
