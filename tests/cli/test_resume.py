"""`tail --resume`: a session of Bayeux outlives the command, and the next run prints what came meanwhile, once."""

from __future__ import annotations

import json
import random
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.protocols.bayeux.session import Terms
from mqctl.target import Endpoint
from mqctl.testing import Link
from tests.cli.commands import MQCTL, run
from tests.cli.resuming import MESSAGES, TOPIC, cut_off, publishing
from tests.unit.adapters.fake_bayeux import fake_server

HTTP = (Endpoint("127.0.0.1", 0),)


@pytest.fixture(scope="module")
def hub() -> Iterator[Endpoint]:
    """A hub that keeps sessions for as long as a slow machine needs to start a command."""
    with HubThread(HubConfig(stomp=(), http=HTTP, bayeux_terms=Terms(max_interval_ms=60_000))) as thread:
        yield thread.endpoint


@pytest.fixture(params=["bayeux+http", "bayeux+ws"])
def broker(hub: Endpoint, request: pytest.FixtureRequest) -> str:
    """Its URL."""
    return f"{request.param}://{hub}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.json"


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_and_nothing_comes_twice_wherever_a_run_is_interrupted(start, broker, file, seed):
    printed = cut_off(start, broker, file, random.Random(seed), signal.SIGINT)
    assert printed == list(range(MESSAGES)), f"seed {seed}"


def test_nothing_is_lost_where_a_run_is_killed(start, broker, file):
    seed = 7
    printed = cut_off(start, broker, file, random.Random(seed), signal.SIGKILL)
    assert sorted(set(printed)) == list(range(MESSAGES)), f"seed {seed}"


def test_what_is_said_and_what_is_saved(mqctl, file):
    code, _, err = mqctl("tail", "a", "--resume", str(file), "--timeout", "500ms")
    assert code == ExitCode.TIMEOUT
    assert f"left the session open: {file} resumes it until " in err
    assert "if the server keeps it for 10s, as is usual" in err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    saved = json.loads(file.read_text())
    assert (saved["channels"], saved["user"]) == (["/a"], None)
    assert mqctl("publish", "a", "1").code == ExitCode.OK
    code, out, err = mqctl("tail", "a", "--resume", str(file), "--count", "1")
    assert (code, out) == (ExitCode.OK, b"1\n")
    assert f"going on with the session in {file}" in err
    assert json.loads(file.read_text())["client_id"] == saved["client_id"]
    assert saved["client_id"] not in err
    assert list(file.parent.iterdir()) == [file]


def test_a_session_that_the_server_does_not_know_any_more(mqctl, file):
    mqctl("tail", "a", "--resume", str(file), "--timeout", "300ms")
    saved = json.loads(file.read_text())
    file.write_text(json.dumps({**saved, "client_id": "0" * 40}))
    _, _, err = mqctl("tail", "a", "--resume", str(file), "--timeout", "300ms")
    assert f"the session in {file} cannot be resumed: session_unknown, so this is a new one; messages in between" in err
    assert "subscribed to a" in err
    assert json.loads(file.read_text())["client_id"] not in ("0" * 40, saved["client_id"])


def test_a_connection_that_breaks_loses_nothing_either(start, hub, file):

    rng = random.Random(3)
    with Link(hub) as link:
        tail = start(
            "tail", TOPIC, "--resume", str(file), "--url", f"bayeux+ws://{link.endpoint}", "--count", str(MESSAGES)
        )
        tail.said("subscribed to")
        with publishing(f"bayeux+ws://{hub}", rng):
            for _ in range(3):
                tail.printed()
                link.cut()
                tail.said("connected again")
        code, out, _ = tail.end()
    assert (code, [int(line) for line in out.split()]) == (ExitCode.OK, list(range(MESSAGES)))


@pytest.mark.parametrize("scheme", ["bayeux+http", "bayeux+ws"])
def test_whoever_reads_slowly_keeps_the_session(home, file, scheme):
    """The server is told nothing while a pipe is full, for longer than it keeps a session that it hears nothing of."""
    kept_s = 4
    terms = Terms(max_interval_ms=kept_s * 1000, timeout_ms=300)
    with HubThread(HubConfig(stomp=(), http=HTTP, bayeux_terms=terms)) as hub:
        url = f"{scheme}://{hub.endpoint}"
        command = [MQCTL, "tail", "a", "--resume", str(file), "--url", url, "--count", "300"]
        tail = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=home, text=True)
        with tail:
            assert "subscribed to a" in tail.stderr.readline()
            payloads = "".join(f"{number:05}{'x' * 1_000}\n" for number in range(300))
            assert run(("publish", "a", "--lines", "--url", url), home, payloads.encode()).code == ExitCode.OK
            with pytest.raises(subprocess.TimeoutExpired):
                tail.wait(1.5 * kept_s)
            out, err = tail.communicate(timeout=20)
    assert (tail.returncode, out) == (ExitCode.OK, payloads)
    assert "new" not in err


class TestFiles:
    @pytest.fixture
    def kept(self, mqctl, file) -> Path:
        mqctl("tail", "a", "--resume", str(file), "--timeout", "300ms")
        assert file.exists()
        return file

    def refused(self, mqctl, file: Path, *options: str) -> str:
        code, out, err = mqctl("tail", "a", "--resume", str(file), *options)
        assert (code, out) == (ExitCode.USAGE, b""), err
        return err

    def test_of_another_server(self, mqctl, kept):
        err = self.refused(mqctl, kept, "--url", "bayeux+ws://127.0.0.1:1")
        assert f"the session in {kept} is of bayeux+" in err
        assert "hint: name the same server" in err

    def test_of_another_user(self, mqctl, kept):
        assert "is of another user, nobody" in self.refused(mqctl, kept, "--user", "me")

    def test_of_other_topics(self, mqctl, kept):
        assert "is subscribed to /a" in self.refused(mqctl, kept, "b")

    @pytest.mark.parametrize("content", ["{}", "no", "[]", '{"version":1}'])
    def test_of_something_else(self, mqctl, file, content):
        file.write_text(content)
        err = self.refused(mqctl, file)
        assert f"{file} cannot be resumed: it is no session that mqctl saved" in err
        assert "hint: to begin a new session, delete the file" in err
        assert file.read_text() == content

    def test_of_a_newer_version(self, mqctl, kept):
        kept.write_text(json.dumps({**json.loads(kept.read_text()), "version": 2}))
        assert "a newer mqctl wrote it" in self.refused(mqctl, kept)

    def test_in_use(self, mqctl, start, file):
        tail = start("tail", "a", "--resume", str(file))
        tail.said("subscribed to")
        assert f"{file} is in use" in self.refused(mqctl, file)
        assert tail.end(signal.SIGTERM).code == ExitCode.INTERRUPTED

    def test_where_nothing_can_be_written(self, mqctl, file):
        err = self.refused(mqctl, file / "session.json")
        assert f"a session cannot be kept in {file / 'session.json'}: No such file or directory" in err
        assert "cannot be kept" in self.refused(mqctl, file.parent)

    def test_a_run_without_a_session_leaves_none(self, mqctl, file):
        code, _, _ = mqctl("tail", "a", "--resume", str(file), "--url", "bayeux+ws://127.0.0.1:1")
        assert code == ExitCode.CONNECTION
        assert not file.exists()


@pytest.mark.parametrize(
    ("url", "hint"), [("stomp://127.0.0.1:1", "--durable NAME"), ("mqtt://127.0.0.1:1", "--no-clean"), ("mem://x", "")]
)
def test_other_protocols_keep_something_else(mqctl, file, url, hint):
    code, _, err = mqctl("tail", "a", "--resume", str(file), "--url", url)
    assert code == ExitCode.REFUSED
    assert "--resume keeps sessions of Bayeux only" in err
    assert hint in err


def test_event_streams_cannot_be_resumed(mqctl, file, hub):
    code, _, err = mqctl("tail", "a", "--resume", str(file), "--url", f"bayeux+sse://{hub}")
    assert code == ExitCode.REFUSED
    assert "hint: use bayeux+ws or bayeux+http" in err


def test_a_server_that_acknowledges_nothing(mqctl, file):
    with fake_server() as (_, target):
        code, _, err = mqctl("tail", "a", "--resume", str(file), "--url", target.name)
    assert code == ExitCode.REFUSED
    assert "has no acknowledgement extension" in err


def test_what_does_not_go_together(mqctl, file):
    code, _, err = mqctl("tail", "a", "--resume", str(file), "--ack", "auto")
    assert code == ExitCode.USAGE
    assert "--resume acknowledges each message once it is printed" in err
