"""No password in anything that comes out: streams, files, tracebacks, logs, lists of processes.

Each test goes one way, well or badly, and then all that was printed and written is searched. The password is made of
words that occur nowhere else, so that half of one is found as well.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import io
import json
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, unquote_to_bytes

import pytest

from mqctl.adapters.proxy import proxy_for
from mqctl.errors import ExitCode, MqctlError
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.profiles import load_settings
from mqctl.protocols.stomp.codec import encode
from mqctl.protocols.stomp.spec import Version
from mqctl.protocols.websocket import accept_key, close
from mqctl.target import Endpoint, Secret, Target, TlsOptions, parse_url
from tests.brokers.launch import launch
from tests.certificates import CLIENT, Authority, self_signed, server_context
from tests.cli.aws_server import fake_aws
from tests.cli.commands import Running, run
from tests.cli.fake_server import fake_server
from tests.cli.leaks import HIDDEN, PASSWORD, QUOTED, WORDS, WRONG, World, forms, leaks
from tests.cli.terminal import Terminal
from tests.cli.tls_front import tls_front

HOST = "127.0.0.1"


@pytest.fixture
def world(home, tmp_path) -> Iterator[World]:
    world = World(home, tmp_path)
    yield world
    world.leave()


@pytest.fixture(scope="module")
def locked() -> Iterator[str]:
    """The URL of a hub with a password."""
    nowhere = (Endpoint(HOST, 0),)
    with HubThread(HubConfig(stomp=nowhere, http=nowhere, user="ann", password=Secret(PASSWORD))) as hub:
        yield hub.url


def with_login(url: str, login: str = f"ann:{QUOTED}") -> str:
    return url.replace("://", f"://{login}@")


class TestSearch:
    """The positive controls."""

    @pytest.mark.parametrize(
        "text",
        [
            f"the password is {PASSWORD}.",
            f"half of it: {WORDS[3]}",
            PASSWORD.upper(),
            QUOTED,
            quote(PASSWORD),
            repr(PASSWORD),
            ascii(PASSWORD),
            json.dumps({"password": PASSWORD}),
            *(base64.b64encode(f"{user}:{PASSWORD}".encode()).decode() for user in ("a", "an", "ann", "anna")),
            base64.urlsafe_b64encode(f"{PASSWORD}".encode()).decode(),
            PASSWORD.encode().hex(),
        ],
    )
    def test_it_finds_each_form(self, text):
        assert leaks(f"before {text} behind".encode(), forms(PASSWORD, WORDS))

    def test_forms_do_not_rest_on_the_words(self):
        """A password without words of ours is found whole."""
        hidden = forms("p ss/é")
        for text in ("p%20ss%2F%C3%A9", "p ss/\\u00e9", base64.b64encode("ann:p ss/é".encode()).decode()):
            assert leaks(text.encode(), hidden)

    def test_it_finds_what_the_command_prints(self, world, locked):
        world.run("publish", PASSWORD.partition(":")[0].replace("/", "."), "1", "--url", "mem://x")
        world.run("profile", "show", "--origin", MQCTL_USER=WORDS[0])
        assert leaks(world.everything(), HIDDEN)
        world.said[1:] = [b"forgotten"]

    def test_it_finds_what_is_written(self, world):
        world.hear("nothing")
        (world.folder / "log").write_text(QUOTED)
        assert leaks(world.everything(), HIDDEN)
        (world.folder / "log").unlink()

    def test_the_clean_is_clean(self):
        assert leaks(b"mqctl: attempted 1, confirmed 1, rejected 0, unknown 0", HIDDEN) == []


WAYS = {
    "variable": lambda world: {"MQCTL_PASSWORD": PASSWORD},
    "env": lambda world: {"MINE": PASSWORD, "REFERENCE": "env:MINE"},
    "file": lambda world: {"REFERENCE": f"file:{world.plant('kept', PASSWORD)}"},
    "command": lambda world: {"REFERENCE": f"command:cat {world.plant('kept', PASSWORD)}"},
    "url": lambda world: {"MQCTL_URL_LOGIN": f"ann:{QUOTED}@"},
}
"""How a password is given: the environment that does it. `REFERENCE` is what follows `--password`."""


@pytest.fixture(params=WAYS)
def way(request, world, locked) -> tuple[str, ...]:
    """Options for a login; what cannot be one is in the environment."""
    given = WAYS[request.param](world)
    world.env |= given
    reference = ("--password", given["REFERENCE"]) if "REFERENCE" in given else ()
    world.env["MQCTL_URL"] = with_login(locked) if request.param == "url" else locked
    return ("--user", "ann", *reference)


class TestWaysOfGivingIt:
    @pytest.mark.parametrize(
        "command",
        [
            ("publish", "x", "1"),
            ("tail", "x", "--idle", "50ms", "--json"),
            ("watch", "x", "--idle", "50ms"),
            ("profile", "show", "--origin"),
            ("profile", "show", "--json"),
            ("profile", "list"),
            ("profile", "list", "--json"),
        ],
        ids=" ".join,
    )
    def test_all_goes_well(self, world, way, command):
        tried = world.run if command[0] == "publish" else world.here
        assert tried(*command, *(way if command[0] != "profile" else ())).code == 0

    def test_probing(self, world, locked):
        assert world.run("probe", "--json", "--url", locked, "--user", "ann", MQCTL_PASSWORD=PASSWORD).code == 0

    def test_nobody_is_there(self, world, way):
        world.env["MQCTL_URL"] = with_login("stomp://127.0.0.1:1")
        assert world.run("publish", "x", "1", *way, "--reconnect", "never").code == ExitCode.CONNECTION
        for command in (("tail", "x"), ("watch", "x")):
            assert world.here(*command, *way, "--reconnect", "never").code == ExitCode.CONNECTION

    def test_checking_a_profile(self, world, way, locked):
        extra = 'password = "env:MINE"' if "MINE" in world.env else ""
        (world.folder / "p.toml").write_text(f'url = "{locked}"\n[auth]\nuser = "ann"\n{extra}\n')
        world.here("profile", "check", "p", "--connect")
        world.here("profile", "show", "p", "--origin", "--json")


class TestFailures:
    def test_the_broker_refuses_it(self, world, locked):
        for command in (("publish", "x", "1"), ("tail", "x", "--json"), ("watch", "x"), ("probe",)):
            result = world.run(*command, "--url", locked, "--user", "ann", MQCTL_PASSWORD=WRONG)
            assert result.code == ExitCode.REFUSED, result.err

    def test_the_broker_repeats_it(self, world):
        """As some that log what they were sent do."""

        def indiscreet(frame):
            words = f"wrong passcode: {frame.headers['passcode']}"
            return encode("ERROR", {"message": words}, words.encode(), version=Version.V1_2)

        with fake_server(indiscreet) as url:
            result = world.run("publish", "x", "1", "--url", url, "--user", "ann", MQCTL_PASSWORD=PASSWORD)
        assert result.code == ExitCode.REFUSED
        assert "wrong passcode: ***" in result.err

    @pytest.mark.parametrize(
        "answer",
        [b"\0", b"HTTP/1.1 400 Bad\r\n\r\n", b"CONNECTED\nversion:9\n\n\0", None],
        ids=["nul", "http", "9", "end"],
    )
    def test_the_peer_makes_no_sense(self, world, answer):
        with fake_server(lambda _: answer) as url:
            options = ("--url", with_login(url), "--connect-timeout", "500ms")
            assert world.run("publish", "x", "1", *options).code in (ExitCode.CONNECTION, ExitCode.PROTOCOL)

    @pytest.mark.parametrize("password", [f"{WORDS[0]}\udcff", f"{WORDS[0]}\n{WORDS[1]}", f"{WORDS[0]}\r"])
    def test_it_is_no_text_that_the_protocol_carries(self, world, locked, password):
        with HubThread(HubConfig(stomp=(), http=(Endpoint(HOST, 0),), user="ann", password=Secret(PASSWORD))) as hub:
            webs = [url for url in hub.urls if url.startswith(("stomp+ws", "bayeux"))]
            for url in (locked, *webs, f"{webs[0]}?token={password.splitlines()[0]}"):
                result = world.run("publish", "x", "1", "--url", url, "--user", "ann", MQCTL_PASSWORD=password)
                assert result.code in (ExitCode.USAGE, ExitCode.REFUSED), result.err

    def test_the_certificate_is_not_trusted(self, world):
        with tls_front(server_context(self_signed(HOST), world.folder), Endpoint(HOST, 1)) as front:
            for host in (HOST, "localhost"):
                url = with_login(f"stomp+ssl://{host}:{front.port}")
                assert world.run("publish", "x", "1", "--url", url).code == ExitCode.CONNECTION

    def test_the_password_of_a_key(self, world):
        cert, key = Authority().issue("me", usage=CLIENT).write(world.folder, "me", password=PASSWORD)
        options = ("--url", "stomp+ssl://127.0.0.1:1", "--cert", str(cert), "--key", str(key))
        assert world.run("publish", "x", "1", *options, MQCTL_KEY_PASSWORD=WRONG).code == ExitCode.USAGE
        assert world.run("publish", "x", "1", *options, MQCTL_KEY_PASSWORD=PASSWORD * 20).code == ExitCode.USAGE
        assert world.run("publish", "x", "1", *options, MQCTL_KEY_PASSWORD=PASSWORD).code == ExitCode.CONNECTION
        assert world.run("profile", "show", "--origin", MQCTL_KEY_PASSWORD=PASSWORD).code == 0


class TestMistakes:
    """The password itself, where something else belongs."""

    @pytest.mark.parametrize(
        "url",
        [
            f"stomp://ann:{PASSWORD}@{HOST}:1",
            f"stomp://ann:{QUOTED}@{HOST}:port",
            f"stomp://ann:{QUOTED}@{HOST}:99999",
            f"stomp://ann:{QUOTED}@[::1",
            f"stomp://ann:{QUOTED}",
            f"stomp://ann:{PASSWORD}",
            f"stomp://ann:{WORDS[0]}",
            f"stomp://ann:{WORDS[0]}/",
            f"stomp://ann:{QUOTED}@{HOST}:1,mqtt://{HOST}",
            f"stomp://{HOST}:1,ann:{PASSWORD}@{HOST}:2",
            f"ann:{QUOTED}@{HOST}:1",
            f"ann:{PASSWORD}@{HOST}:1",
            f"ann:{PASSWORD}",
            f"stomp:/ann:{QUOTED}@{HOST}:1",
            f"stomp//ann:{QUOTED}@{HOST}:1",
            f"stonp://ann:{QUOTED}@{HOST}:1",
            f"://ann:{QUOTED}@{HOST}:1",
            f"wss://ann:{QUOTED}@{HOST}:1",
            f"http://ann:{QUOTED}@{HOST}:1",
            f"failover:(ssl://ann:{PASSWORD}@{HOST}:1)",
            f"stomp://ann:{QUOTED}@<BROKER>:1",
            f"stomp://ann:{QUOTED}@{HOST}:1/{'x' * 10}?a=%zz",
        ],
    )
    def test_a_url_that_is_wrong(self, world, url):
        wrong = (ExitCode.USAGE, ExitCode.CONNECTION)
        assert world.here("publish", "x", "1", "--url", url).code in wrong
        assert world.here("tail", "x", MQCTL_URL=url).code in wrong
        world.here("--url", url, "profile", "show", "--origin")
        world.here("tail", "x", "--profile", url)
        world.here("profile", "show", url)
        world.here("profile", "use", url)
        world.here("profile", "add", "p", "--url", url)
        world.plant("q.toml", f"url = {json.dumps(url)}\n")
        for command in (("list",), ("show", "q"), ("check", "q")):
            world.here("profile", *command)

    @pytest.mark.parametrize("option", ["--password", "--key-password", "--password=", "--passwrod", "--passwrod="])
    def test_where_a_reference_belongs(self, world, option):
        given = (f"{option}{PASSWORD}",) if option.endswith("=") else (option, PASSWORD)
        for command in (("publish", "x", "1"), ("tail", "x"), ("watch", "x"), ("probe",), ("hub", "--user", "ann")):
            assert world.here(*command, *given).code == ExitCode.USAGE
        assert world.here(*given, "publish", "x", "1").code == ExitCode.USAGE
        assert (
            world.here("profile", "add", "p", "--url", "stomp://h", "--password-ref", PASSWORD).code == ExitCode.USAGE
        )

    @pytest.mark.parametrize(
        "text",
        [
            f"[auth]\npassword = {json.dumps(PASSWORD)}\n",
            f"[auth]\npassword = {PASSWORD}\n",
            f"[auth]\npassword = {WORDS[0]}\n",
            f'[auth]\npassword = "{WORDS[0]}\n',
            f"[auth]\npassword = [{json.dumps(PASSWORD)}]\n",
            f"[auth]\npasword = {json.dumps(PASSWORD)}\n",
            f"password = {json.dumps(PASSWORD)}\n",
            f"[tls]\nkey-password = {json.dumps(PASSWORD)}\n",
            f'url = "stomp://h"\n[auth]\npassword = {json.dumps("env" + PASSWORD)}\n',
        ],
    )
    def test_in_a_profile(self, world, text):
        world.plant("p.toml", text)
        assert world.here("profile", "check", "p").code == ExitCode.USAGE
        assert world.run("publish", "x", "1", "--profile", "p").code == ExitCode.USAGE
        world.here("profile", "list")
        world.here("profile", "show", "p", "--origin")
        world.here("profile", "add", "child", "--extends", "p")

    def test_a_command_that_fails_or_is_none(self, world):
        kept = world.plant("kept", PASSWORD)
        crying = world.plant("cry", f"#!/bin/sh\ncat {kept}\nexit 3\n")
        binary = world.plant("binary", f"#!/bin/sh\ncat {kept}; printf '\\377'\n")
        for reference in (f"command:{crying}", f"command:{binary}", f"command:no-such-program {PASSWORD}", "command:'"):
            options = ("--url", "stomp://127.0.0.1:1", "--password", reference)
            assert world.run("publish", "x", "1", *options).code == ExitCode.USAGE

    def test_a_file_that_is_no_text(self, world):
        world.plant("kept", "").write_bytes(PASSWORD.encode() + b"\xff\n")
        options = ("--url", "stomp://127.0.0.1:1", "--password", "file:kept")
        assert world.run("publish", "x", "1", *options).code == ExitCode.USAGE


class TestProxies:
    """The URL of a proxy holds a password by its nature."""

    @pytest.fixture(params=["stomp+ws", "stomp+wss"])
    def target(self, request) -> str:
        return f"{request.param}://broker.example:1"

    @contextmanager
    def proxy(self, answer: bytes) -> Iterator[str]:
        with socket.create_server((HOST, 0)) as listener:
            asked: list[bytes] = []

            def serve() -> None:
                with suppress(OSError):
                    while True:
                        client, _ = listener.accept()
                        with client, suppress(OSError):
                            asked.append(client.recv(65536))
                            client.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            yield f"http://ann:{QUOTED}@{HOST}:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
        assert leaks(b"".join(asked), HIDDEN), "it was logged in to"

    @pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "403 No", "502 Bad Gateway", "200 Well"])
    def test_it_refuses(self, world, target, status):
        with self.proxy(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()) as url:
            result = world.run("publish", "x", "1", "--url", target, "--reconnect", "never", all_proxy=url)
            assert result.code not in (0, ExitCode.BUG)

    @pytest.mark.parametrize("status", [b"HTTP/1.1 407 Who\r\n\r\n", b"HTTP/1.1 502 ", b""], ids=["407", "502", "echo"])
    def test_it_repeats_what_it_was_told(self, world, target, status):
        def tell(asked: bytes) -> bytes:
            login = base64.b64decode(asked.partition(b"Basic ")[2].partition(b"\r\n")[0])
            return status + login + b" " + asked

        with one_answer(tell) as proxy:
            url = f"http://ann:{QUOTED}@{proxy}"
            result = world.here("publish", "x", "1", "--url", target, "--reconnect", "never", all_proxy=url)
        assert result.code not in (0, ExitCode.BUG)
        assert "***" in result.err

    @pytest.mark.parametrize(
        "url",
        [
            f"http://ann:{QUOTED}@{HOST}:1",
            f"https://ann:{QUOTED}@{HOST}:1",
            f"socks5://ann:{QUOTED}@{HOST}:1",
            f"http://ann:{PASSWORD}@{HOST}:1",
            f"ann:{QUOTED}@{HOST}:1",
            f"http://ann:{QUOTED}@{HOST}:port",
            f"http://ann:{QUOTED}@[::1",
            f"http://ann:{QUOTED}@",
            f"http://ann:{WORDS[0]}",
            f"http://ann:{WORDS[0]}\u2100@{HOST}",
        ],
    )
    def test_it_is_wrong(self, world, target, url):
        result = world.run("publish", "x", "1", "--url", target, "--connect-timeout", "2s", all_proxy=url)
        assert result.code not in (0, ExitCode.BUG), result.err

    def test_as_a_value(self, world, monkeypatch):
        monkeypatch.setenv("http_proxy", f"http://ann:{QUOTED}@{HOST}:1")
        proxy = proxy_for(Endpoint("broker.example", 80), "stomp+ws")
        world.hear(repr(proxy), str(proxy))


class TestTokens:
    """The query of a URL for WebSocket holds a token by its use at the gateways of clouds."""

    QUERY = f"tenant=a&token={QUOTED}"
    SAYS: ClassVar[dict[str, Callable[[bytes], bytes]]] = {
        "body": lambda asked: b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(asked) + asked,
        "decoded body": lambda asked: b"HTTP/1.1 403 No\r\nConnection: close\r\n\r\n" + unquote_to_bytes(asked),
        "reason": lambda asked: b"HTTP/1.1 500 " + asked.partition(b"\r\n")[0] + b"\r\n\r\n",
        "redirect": lambda asked: b"HTTP/1.1 302 Go\r\nLocation: https://h" + asked.split(b" ")[1] + b"\r\n\r\n",
        "header": lambda asked: b"HTTP/1.1 401 No\r\nX-Asked: " + asked.partition(b"\r\n")[0] + b"\r\n\r\n",
        "echo": lambda asked: asked,
        "nothing": lambda _: b"",
    }

    @pytest.mark.parametrize("says", SAYS)
    @pytest.mark.parametrize("scheme", ["stomp+ws", "mqtt+ws", "bayeux+ws", "bayeux+http", "bayeux+sse"])
    def test_a_server_that_repeats_what_it_was_asked_for(self, world, scheme, says):
        with one_answer(self.SAYS[says]) as server:
            url = f"{scheme}://ann:{QUOTED}@{server}/w?{self.QUERY}"
            result = world.here("publish", "x", "1", "--url", url, "--connect-timeout", "2s")
        assert result.code not in (0, ExitCode.BUG), result.err

    @pytest.mark.parametrize("scheme", ["stomp+ws", "mqtt+ws"])
    def test_a_server_that_repeats_it_when_it_closes(self, world, scheme):
        def agree(asked: bytes) -> bytes:
            key = re.search(rb"Sec-WebSocket-Key: (\S+)", asked)
            if key is None:
                return b""
            head = "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: "
            return f"{head}{accept_key(key[1].decode())}\r\n\r\n".encode() + close(1008, WORDS[0])

        with one_answer(agree) as server:
            url = f"{scheme}://{server}/w?token={WORDS[0]}"
            result = world.here("publish", "x", "1", "--url", url, "--connect-timeout", "2s")
        assert "***" in result.err

    def test_what_is_said_of_a_broker(self, world):
        url = f"mem://x,stomp+ws://{HOST}:1/ws?{self.QUERY}"
        for each in (url, url.partition(",")[2]):
            for command in (
                ("publish", "x", "1"),
                ("watch", "x"),
                ("probe", "--json"),
                ("profile", "show", "--origin"),
            ):
                world.here(*command, MQCTL_URL=each)
            world.here("profile", "show", "--json", MQCTL_URL=each)
            world.here("profile", "add", "p", "--url", each)

    def test_what_is_written_of_an_experiment(self, world):
        with HubThread(HubConfig(stomp=(), http=(Endpoint(HOST, 0),))) as hub:
            (web,) = (url for url in hub.urls if url.startswith("stomp+ws"))
            options = ("--url", f"{web}?{self.QUERY}", "--messages", "40", "--quiet-for", "300ms")
            result = world.here("experiment", "ordering", "--case", "one-producer", *options)
        assert result.code == 0, result.err
        assert b"?***" in world.everything(), "the history names the broker"


class TestProcesses:
    def test_no_command_line_shows_it(self, world, locked):
        """Neither ours nor that of the command that fetches it, which looks at both."""
        listing = world.folder / "listing"
        kept = world.plant("kept", PASSWORD)
        script = world.plant("fetch", f"#!/bin/sh\ncat /proc/$PPID/cmdline /proc/$$/cmdline > {listing}\ncat {kept}\n")
        options = ("--url", locked, "--user", "ann", "--password", f"command:{script}")
        assert world.run("publish", "x", "1", *options).code == 0
        assert b"fetch" in listing.read_bytes()

    def test_no_thread_is_named_after_it(self, world, locked):
        url = with_login(locked)
        tail = Running(("tail", "x"), {**world.env, "MQCTL_URL": url, "PYTHONFAULTHANDLER": "1"}, cwd=world.folder)
        try:
            tail.said("subscribed to x")
            process = Path(f"/proc/{tail.process.pid}")
            names = [(task / "comm").read_bytes() for task in (process / "task").iterdir()]
            world.hear((process / "cmdline").read_bytes(), *names)
            crashed = tail.end(signal.SIGABRT)
        finally:
            tail.close()
        assert "Fatal Python error: Aborted" in crashed.err, "the dump of a crash"
        world.hear(crashed.out, crashed.err)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_interruption_does_not_show_it(self, world, locked, number):
        tail = Running(("tail", "x"), {**world.env, "MQCTL_URL": with_login(locked)}, cwd=world.folder)
        tail.said("subscribed to x")
        ended = tail.end(number)
        world.hear(ended.out, ended.err)


class TestPrompt:
    @pytest.mark.parametrize("keys", [PASSWORD, WRONG], ids=["right", "wrong"])
    def test_what_is_typed_is_not_on_the_screen(self, world, locked, keys):
        options = ("--url", locked, "--user", "ann", "--password", "prompt")
        terminal = Terminal(("publish", "x", "1", *options), world.env)
        try:
            terminal.shows("password for ann").until(lambda it: not it.settings[3] & 0o10)  # ECHO is off
            terminal.type(keys.encode() + b"\n")
            assert terminal.end() == (0 if keys == PASSWORD else ExitCode.REFUSED)
        finally:
            terminal.close()
        world.hear(terminal.raw)


@contextmanager
def one_answer(answer: Callable[[bytes], bytes]) -> Iterator[Endpoint]:
    """A server that gives one answer to each connection, made of what came, and hangs up."""
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, suppress(OSError):
                        client.sendall(answer(client.recv(65536)))

        thread = threading.Thread(target=serve)
        thread.start()
        yield Endpoint(*listener.getsockname())
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def at_prompt(shown: Terminal) -> bool:
    return shown.lines[shown.screen.cursor.y].rstrip().endswith(">")


class TestConsole:
    """What is typed there is on the screen; it is not to be remembered, nor said again."""

    LINES = (
        f"use stomp://ann:{QUOTED}@{HOST}:1",
        f"use 'stomp://ann:{PASSWORD}@{HOST}:1'",
        f"use stomp://ann:{WORDS[0]}",
        f"use ann:{WORDS[0]}@{HOST}",
        f"use {HOST} --password {WORDS[0]}",
        f"use {HOST} --password={WORDS[0]}",
        f"use {HOST} --passwrod {WORDS[0]}",
        f"use {HOST} --key-password '{WORDS[0]}'",
        f"use 'stomp+ws://{HOST}:1/ws?token={WORDS[0]}'",
    )

    def test_its_history(self, world):
        kept = ("status", f"use stomp://{HOST}:1", "use x --password env:MINE", "publish x a:b@c")
        terminal = Terminal(("console", "--url", "mem://x"), {**world.env, "PROMPT_TOOLKIT_NO_CPR": "1"}, width=250)
        try:
            terminal.until(at_prompt)
            for line in (*self.LINES, *kept):
                enough = len(terminal.raw) + len(line)
                terminal.type(line.encode() + b"\r")
                terminal.until(lambda it, enough=enough: len(it.raw) > enough and at_prompt(it))
            terminal.type(b"\x04")
            terminal.end()
        finally:
            terminal.close()
        (history,) = world.folder.rglob("console-history")
        assert [line[1:] for line in history.read_text().splitlines() if line.startswith("+")] == list(kept)
        world.hear("the screen is theirs")

    @pytest.mark.parametrize("line", LINES)
    def test_what_it_says_to_a_script(self, world, line):
        result = run(("--debug", "console", "--url", "mem://x"), world.env, line.encode() + b"\n", cwd=world.folder)
        assert result.code not in (0, ExitCode.BUG)
        world.hear(result.out, result.err)


class TestHub:
    def test_what_a_hub_says_of_its_visitors(self, world):
        hub = Running(
            (
                "hub",
                "--stomp",
                f"{HOST}:0",
                "--http",
                f"{HOST}:0",
                "--events",
                "--user",
                "ann",
                "--password",
                "env:MINE",
            ),
            {**world.env, "MINE": PASSWORD},
            cwd=world.folder,
        )
        try:
            url = hub.printed().decode().strip()
            assert world.run("publish", "x", "1", "--url", with_login(url)).code == 0
            refused = world.run("publish", "x", "1", "--url", url, "--user", "ann", MQCTL_PASSWORD=WRONG)
            assert refused.code == ExitCode.REFUSED
            ended = hub.end(signal.SIGTERM)
        finally:
            hub.close()
        world.hear(ended.out, ended.err)

    def test_one_that_does_not_start(self, world):
        for address in ("127.0.0.1:99999", "192.0.2.1:1"):
            options = ("--stomp", address, "--user", "ann", "--password", "env:MINE")
            assert world.run("hub", *options, MINE=PASSWORD).code not in (0, ExitCode.BUG)


class TestValues:
    def test_nothing_prints_it(self, world):
        secret = Secret(PASSWORD)
        tls = TlsOptions(key_password=secret)
        target = Target(scheme="stomp", endpoints=(Endpoint("h", 1),), user="ann", password=secret, tls=tls)
        config = HubConfig(user="ann", password=secret)
        settings = load_settings(
            {"url": f"stomp://ann:{QUOTED}@h"}, environ={"MQCTL_KEY_PASSWORD": PASSWORD}, cwd=world.folder, warn=print
        )
        values = [secret, tls, target, config, settings, settings.values, parse_url(f"stomp://ann:{QUOTED}@h")]
        values += [settings.target(), copy.deepcopy(target), dataclasses.asdict(target), dataclasses.replace(target)]
        for value in values:
            world.hear(repr(value), str(value), f"{value}", json.dumps(value, default=repr))

    def test_no_exception_carries_it(self, world):
        """Not in its words, not in its arguments, nor in those of its causes."""
        for url in (f"stomp://ann:{PASSWORD}@h", f"stomp://ann:{QUOTED}", f"ann:{QUOTED}@h"):
            with pytest.raises(MqctlError) as caught:
                parse_url(url)
            error: BaseException | None = caught.value
            while error is not None:
                world.hear(repr(error), repr(error.args), repr(vars(error)))
                error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class TestLogs:
    """A program that embeds mqctl, or a plugin, may switch on every log there is."""

    @pytest.fixture
    def log(self, world) -> Iterator[io.StringIO]:
        heard = io.StringIO()
        root = logging.getLogger()
        handler = logging.StreamHandler(heard)
        names = ("stomp", "stomp.py", "paho", "websocket", "aiohttp", "asyncio", "botocore", "urllib3")
        libraries = [logging.getLogger(name) for name in names]
        levels = [(logger, logger.level) for logger in (root, *libraries)]
        for logger, _ in levels:
            logger.setLevel(logging.DEBUG)
        root.addHandler(handler)
        yield heard
        root.removeHandler(handler)
        for logger, level in levels:
            logger.setLevel(level)
        world.hear(heard.getvalue())

    def test_the_log_is_heard(self, log):
        logging.getLogger("stomp.py").debug("a line")
        assert "a line" in log.getvalue()

    @pytest.mark.parametrize("transport", [0, 1], ids=["stomp", "stomp+ws"])
    def test_our_libraries_at_their_most_talkative(self, world, log, transport):
        nowhere = (Endpoint(HOST, 0),)
        with HubThread(HubConfig(stomp=nowhere, http=nowhere, user="ann", password=Secret(PASSWORD))) as hub:
            for login, code in ((f"ann:{QUOTED}", 0), (f"ann:{quote(WRONG, safe='')}", ExitCode.REFUSED)):
                result = world.here("publish", "x", "1", "--url", with_login(hub.urls[transport], login))
                assert result.code == code, result.err

    def test_that_of_mqtt(self, world, log):
        with launch("iotcore") as broker:
            result = world.here("publish", "x", "1", "--url", with_login(broker.url("mqtt")), "--connect-timeout", "2s")
        assert result.code not in (0, ExitCode.BUG)

    def test_that_of_aws(self, world, log, locked):
        with fake_aws() as aws:
            world.env |= aws.env
            aws.secrets["broker"] = {"SecretString": PASSWORD}
            options = ("--url", locked, "--user", "ann", "--password", "aws-secret:broker")
            assert world.here("publish", "x", "1", *options).code == 0
        assert "GetSecretValue" in log.getvalue()

    def test_the_search_of_the_environment_is_ours_alone(self):
        """The password is not in this process's own environment, where everything would find it."""
        assert leaks(repr(dict(os.environ)).encode(), HIDDEN) == []
