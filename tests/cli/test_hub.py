"""`mqctl hub` as it is installed: what it prints, how it stops, and the code it ends with."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import websocket

from mqctl.cli.hub import ListenOptions
from mqctl.hub.config import DEFAULT_HTTP, DEFAULT_STOMP
from mqctl.target import Endpoint, parse_url
from tests.hub.bayeux import Poller
from tests.hub.client import Client
from tests.hub.web_client import WebClient

MQCTL = Path(sys.executable).parent / "mqctl"
PATIENCE_S = 20.0


class Run:
    """A running hub. Readiness is its URLs on standard output; `starts` says whether it is to come to that."""

    def __init__(self, *options: str, starts: bool = True, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [MQCTL, "hub", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
        )
        lines = options.count("--stomp") + 3 * options.count("--http")
        self.urls = [self.line() for _ in range(lines if starts else 0)]

    @property
    def endpoint(self) -> Endpoint:
        return parse_url(self.urls[0]).endpoints[0]

    def line(self) -> str:
        return self.process.stdout.readline().decode().rstrip("\n")

    def end(self, number: int | None = signal.SIGTERM) -> tuple[int, str, str]:
        """Exit code, the rest of standard output, standard error."""
        if number is not None:
            self.process.send_signal(number)
        if self.process.stdout.closed:
            self.process.stdout = None
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, (out or b"").decode(), err.decode()


@pytest.fixture
def start() -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(*options: str, **settings) -> Run:
        runs.append(Run(*(options or ("--stomp", "127.0.0.1:0")), **settings))
        return runs[-1]

    yield start
    for run in runs:
        run.process.kill()
        run.process.communicate(timeout=PATIENCE_S)


def fails(*options: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code and standard error of a hub that must not start; standard output stays empty."""
    done = subprocess.run(
        [MQCTL, "hub", *options],
        capture_output=True,
        timeout=PATIENCE_S,
        env={**os.environ, **(env or {})},
        check=False,
    )
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(start, number):
    """The URL alone on standard output, nothing on standard error, exit code 0; clients see the end."""
    run = start()
    assert run.urls[0].startswith("stomp://127.0.0.1:")
    with Client(run.endpoint) as client:
        client.publish("/topic/a", b"x")
        assert run.end(number) == (0, "", "")
        client.end()


def test_several_listeners(start):
    """A line for each, in their order; IPv6 in brackets."""
    run = start("--stomp", "127.0.0.1:0", "--stomp", "[::1]:0")
    assert run.urls[1].startswith("stomp://[::1]:")
    for url in run.urls:
        with Client(parse_url(url).endpoints[0]) as client:
            client.publish("/topic/a", b"x")
    assert run.end() == (0, "", "")


def test_http(start):
    """A line for each that can be spoken, after STOMP's; health and metrics are there, and a signal ends it as well."""
    run = start("--http", "127.0.0.1:0", "--stomp", "127.0.0.1:0")
    stomp, web, bayeux = map(parse_url, run.urls[:3])
    assert [(each.scheme, each.path) for each in (stomp, web)] == [("stomp", ""), ("stomp+ws", "/stomp")]
    assert run.urls[2:] == [f"bayeux+http://{web.endpoints[0]}/bayeux", f"http://{web.endpoints[0]}/"]
    with Poller(bayeux.endpoints[0], bayeux.path) as poller:
        assert poller.say("/meta/disconnect")[0]["successful"]
    with WebClient(web.endpoints[0]) as reader, Client(stomp.endpoints[0]) as writer:
        reader.subscribe("/topic/a")
        writer.publish("/topic/a", b"x")
        assert reader.bodies(1) == [b"x"]
        with urllib.request.urlopen(f"http://{web.endpoints[0]}/metrics", timeout=PATIENCE_S) as answer:
            assert b"\nmqctl_hub_sessions 2\n" in answer.read()
        assert run.end() == (0, "", "")
        reader.end()
        assert reader.closed_with == (1001, "the hub was stopped")


def test_only_what_was_typed(start):
    """With one of --stomp and --http, only that; with neither, both."""
    run = start("--http", "127.0.0.1:0")
    assert run.urls[0].startswith("stomp+ws://127.0.0.1:")
    code, out, err = run.end()
    assert (code, out, err) == (0, "", "")
    assert ListenOptions().listeners() == ((DEFAULT_STOMP,), (DEFAULT_HTTP,))


def test_allowed_origins_reach_the_hub(start):
    run = start("--http", "127.0.0.1:0", "--allow-origin", "https://App.Example/", "--allow-origin", "http://b.example")
    for origin in ("https://app.example", "http://b.example"):
        websocket.create_connection(f"ws://{run.endpoint}/ws", origin=origin, timeout=PATIENCE_S).close()
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        websocket.create_connection(f"ws://{run.endpoint}/ws", origin="http://c.example", timeout=PATIENCE_S)
    assert caught.value.status_code == 403
    assert b"--allow-origin http://c.example" in caught.value.resp_body


def test_events(start):
    """A JSON object a line, as it happens, up to the last."""
    run = start("--stomp", "127.0.0.1:0", "--events")
    client = Client(run.endpoint, headers={"client-id": "desk"})
    opened = json.loads(run.line())
    assert (opened["event"], opened["client_id"], opened["protocol"]) == ("opened", "desk", "STOMP 1.2")
    client.raw(b"GARBAGE\n\n\0")
    client.refusal()
    closed = json.loads(run.line())
    assert (closed["event"], closed["reason"]) == ("closed", "unknown command 'GARBAGE'")
    with Client(run.endpoint):
        run.line()
        code, out, err = run.end()
    assert (code, err) == (0, "")
    assert json.loads(out)["reason"] == "the hub was stopped"


def test_events_that_nobody_reads_any_more(start):
    """The hub goes on without a reader, says so once, and ends well."""
    run = start("--stomp", "127.0.0.1:0", "--events")
    run.process.stdout.close()
    for _ in range(20):
        with Client(run.endpoint) as client:
            client.publish("/topic/a", b"x")
    code, _, err = run.end()
    assert code == 0
    assert err == "mqctl: nobody reads the events any more; the hub goes on without them\n"


def test_events_whose_reader_sleeps(start):
    """A full pipe holds up neither the clients nor the stop."""
    run = start("--stomp", "127.0.0.1:0", "--events")
    for _ in range(600):
        with Client(run.endpoint, headers={"client-id": "x" * 1000}) as client:
            client.publish("/topic/a", b"x")
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(PATIENCE_S) == 0


def test_a_second_signal_ends_the_drain(start):
    """A client that does not read would hold it up for a minute; how many were cut off is said."""
    run = start("--stomp", "127.0.0.1:0", "--drain", "60s")
    with Client(run.endpoint) as reader, Client(run.endpoint) as writer:
        reader.subscribe("/topic/a")
        writer.publish("/topic/a", *[b"x" * 10_000] * 2000)
        run.process.send_signal(signal.SIGTERM)
        writer.end()
        begun = time.monotonic()
        code, out, err = run.end()
    assert time.monotonic() - begun < 10
    assert (code, out) == (0, "")
    assert err == "mqctl: connections cut off because their clients did not read in time: 1\n"


def test_messages_that_nobody_fetched_are_counted(start):
    run = start("--stomp", "127.0.0.1:0", "--events")
    with Client(run.endpoint) as client:
        client.publish("/queue/orders", b"1", b"2")
    code, out, err = run.end()
    assert (code, err) == (0, "mqctl: messages that were still waiting for somebody, and are gone: 2\n")
    last = json.loads(out.splitlines()[-1])
    assert last.pop("session") is None
    assert last == {"event": "dropped", "destination": "/queue/orders", "count": 2, "reason": "the hub was stopped"}


def test_user_and_password_by_reference(start):
    run = start("--stomp", "0.0.0.0:0", "--user", "ann", "--password", "env:HUB_WORD", env={"HUB_WORD": "s3cret"})
    endpoint = Endpoint("127.0.0.1", run.endpoint.port)
    with Client(endpoint, headers={"login": "ann", "passcode": "s3cret"}) as client:
        client.publish("/topic/a", b"x")
    with Client(endpoint, connect=False) as client:
        client.send("CONNECT", {"accept-version": "1.2", "host": "hub"})
        assert client.refusal() == "wrong user or password"
    assert run.end() == (0, "", "")


def test_options_reach_the_hub(start):
    """Each limit is the hub's own when it is given."""
    run = start("--stomp", "127.0.0.1:0", "--max-connections", "2", "--max-headers", "5", "--max-subscriptions", "1")
    with Client(run.endpoint) as one, Client(run.endpoint, connect=False) as two:
        with Client(run.endpoint, connect=False) as three:
            assert three.refusal() == "too many connections (limit: connections, 2)"
        two.send("CONNECT", {"accept-version": "1.2", "host": "hub", "a": "", "b": "", "c": "", "d": ""})
        assert "limit: headers" in two.refusal()
        one.subscribe("/topic/a")
        one.send("SUBSCRIBE", {"destination": "/topic/b", "id": "t"})
        assert "limit: subscriptions" in one.refusal()


def test_an_address_in_use():
    """Exit code 4, the address, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = fails("--stomp", f"127.0.0.1:{port}")
    assert code == 4
    assert said.startswith(f"mqctl: cannot listen on 127.0.0.1:{port}: address already in use\n")
    assert "port 0 picks a free port" in said


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--stomp", "0.0.0.0:0"], 2, "a hub that listens on 0.0.0.0:0 is open to the network, so it needs a password"),
        (["--stomp", "[::]:0"], 2, "so it needs a password"),
        (["--http", "0.0.0.0:0"], 2, "a hub that listens on 0.0.0.0:0 is open to the network, so it needs a password"),
        (["--http", "nonsense"], 2, "not an address: 'nonsense'"),
        (["--http", "127.0.0.1:0", "--allow-origin", "app.example"], 2, "not an origin: 'app.example'"),
        (["--stomp", "nonsense"], 2, "not an address: 'nonsense'"),
        (["--stomp", "127.0.0.1:65536"], 2, "not an address"),
        (["--stomp", "nowhere.invalid:0", "--password", "env:HUB_WORD"], 4, "cannot listen on nowhere.invalid:0: "),
        (["--user", "ann"], 2, "--user without --password keeps nobody out"),
        (["--password", "s3cret"], 2, "--password"),
        (["--password", "env:NOT_SET_ANYWHERE"], 2, "NOT_SET_ANYWHERE"),
        (["--slow-consumer", "ignore"], 2, "--slow-consumer takes drop-oldest, disconnect, block"),
        (["--max-memory", "0"], 2, "--max-memory"),
        (["--durable-for", "10"], 2, "has no unit"),
    ],
)  # fmt: skip
def test_wrong_usage(options, code, says):
    found, said = fails(*options, env={"HUB_WORD": "s3cret"})
    assert found == code
    assert says in said
    assert "s3cret" not in said


def test_a_full_disk_on_standard_output():
    """The URL could not be told, so nobody would find the hub: it ends with 1 and says why."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [MQCTL, "hub", "--stomp", "127.0.0.1:0"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"mqctl: cannot write to standard output: no space left on the device\n"
