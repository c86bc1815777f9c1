"""Each exit code, through the installed command, with what it says."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Secret
from tests.cli.conftest import put
from tests.cli.fake_server import dying_after, fake_server, refusing, silent


@pytest.fixture
def free_port() -> int:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_0_what_was_asked_for_was_done(mqctl):
    code, out, err = mqctl("publish", "rect", "45")
    assert (code, out, err) == (ExitCode.OK, b"", "mqctl: attempted 1, confirmed 1, rejected 0, unknown 0\n")


def test_1_fewer_messages_came_than_expected(mqctl):
    code, out, err = mqctl("tail", "nothing.here", "--count", "2", "--idle", "50ms")
    assert (code, out) == (ExitCode.WRONG, b"")
    assert err.endswith("mqctl: 0 of 2 messages came before --idle was over\n")


@pytest.mark.parametrize("args", [("profile", "list"), ("--help",), ("publish", "--help"), ("--version",)])
def test_1_a_full_disk_takes_no_output(mqctl, args):
    with Path("/dev/full").open("wb") as full:
        code, _, err = mqctl(*args, stdout=full)
    assert code == ExitCode.WRONG
    assert err == "mqctl: cannot write to standard output: no space left on the device\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("publish",), "nothing to publish"),
        (("publish", "rect"), "nothing to publish"),
        (("publish", "rect", "45", "--lines"), "VALUE and --lines exclude each other"),
        (("publish", "rect", "45", "--cuont", "2"), "no such option: --cuont\n  hint: did you mean --count?"),
        (("publish", "rect", "forty"), "not a number: 'forty'"),
        (("publish", "rect", "45", "--rate", "0"), "--rate is above 0"),
        (("publish", "rect", "45", "--confirm", "loudly"), "--confirm takes none, socket, broker, not 'loudly'"),
        (("publish", "rect", "45", "--timeout", "5"), "Invalid value for '--timeout': '5' has no unit; write 5ms, 5s"),
        (("publish", "rect", "--generate", "rotat"), "no generator 'rotat'\n  hint: did you mean rotate?"),
        (("publish", "a..b", "1"), "a topic has no empty level: 'a..b'"),
        (("publish", "a.*", "1"), "cannot publish to a wildcard: 'a.*'"),
        (("publish", "a/b.c", "1"), "STOMP separates levels by dots, so the level 'b.c'"),
        (("tail",), "Missing argument 'TOPIC...'.\n  hint: mqctl tail --help"),
        (("tail", "x", "-n", "two"), "Invalid value for '-n' / '--count': 'two' is no whole number"),
        (("tail", "x", "--fromat", "y"), "No such option: --fromat (Possible options: --forget, --format"),
        (("tail", "a.#"), "'#' is no wildcard of mqctl"),
        (("watch", "x", "--view", "chrt"), "no view 'chrt'\n  hint: did you mean chart?"),
        (("tial", "x"), "No such command 'tial'. Did you mean 'tail'?"),
        (("--profile", "activmq", "tail", "x"), "no profile 'activmq'; did you mean 'activemq'?"),
        (("--url", "stonp://localhost", "tail", "x"), "no transport for stonp://\n  hint: did you mean stomp://?"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_2_a_wrong_call_is_named_and_nothing_is_done(mqctl, args, says):
    code, out, err = mqctl(*args)
    assert (code, out) == (ExitCode.USAGE, b"")
    assert f"mqctl: {says}" in err
    assert "bug" not in err


def test_3_a_confirmation_that_does_not_come_leaves_the_message_unknown(mqctl):
    with fake_server(silent) as url:
        code, _, err = mqctl("publish", "rect", "45", "--url", url, "--confirm-timeout", "100ms")
    assert code == ExitCode.INCONCLUSIVE
    assert err.splitlines() == [
        "mqctl: no confirmation within 100ms",
        "mqctl: attempted 1, confirmed 0, rejected 0, unknown 1",
    ]


def test_4_nobody_listens(home, mqctl, free_port):
    (Path(home["HOME"]) / "local.toml").write_text(f'url = "stomp://127.0.0.1:{free_port}"\n')
    code, out, err = mqctl("publish", "rect", "45", env=home)
    assert (code, out) == (ExitCode.CONNECTION, b"")
    assert err.startswith(f"mqctl: nobody listens at 127.0.0.1:{free_port}: connection refused\n  hint: ")
    assert "mqctl hub" in err


def test_4_the_connection_is_lost_on_the_way(mqctl):
    with fake_server(dying_after(3)) as url:
        code, _, err = mqctl(
            "publish", "x", "a", "b", "c", "d", "e", "--interval", "200ms", "--url", url, "--reconnect", "never"
        )
    assert code == ExitCode.CONNECTION
    assert err.splitlines() == [
        "mqctl: connection lost: the broker closed the connection",
        "mqctl: attempted 4, confirmed 3, rejected 0, unknown 1",
    ]


def test_4_a_tail_that_loses_its_broker(start, home):
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), drain_s=0)) as hub:
        tail = start("tail", "x", "--url", hub.urls[0], "--reconnect", "never", env=home)
        tail.said("subscribed to x")
    code, _, err = tail.end()
    assert code == ExitCode.CONNECTION
    assert "mqctl: connection lost after 0 messages: " in err


def test_5_the_password_is_wrong(mqctl, env):
    config = HubConfig(stomp=(Endpoint("127.0.0.1", 0),), user="ann", password=Secret("right"))
    with HubThread(config) as hub:
        wrong = env | {"MQCTL_URL": hub.urls[0], "MQCTL_USER": "ann", "MQCTL_PASSWORD": "wr0ng"}
        code, _, err = mqctl("publish", "rect", "45", env=wrong)
        assert mqctl("publish", "rect", "45", env=wrong | {"MQCTL_PASSWORD": "right"}).code == ExitCode.OK
    assert code == ExitCode.REFUSED
    assert "refused the connection" in err
    assert "wr0ng" not in err


def test_5_the_broker_refuses_a_message(mqctl):
    with fake_server(refusing("you may not write here")) as url:
        code, _, err = mqctl("publish", "rect", "45", "--url", url)
    assert code == ExitCode.REFUSED
    assert err.splitlines() == [
        "mqctl: you may not write here",
        "mqctl: attempted 1, confirmed 0, rejected 1, unknown 0",
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP, not STOMP"),
        (b"220 smtp ready\r\n", "does not speak STOMP: it says '220 smtp ready"),
        (b"RECEIPT\nreceipt-id:1\n\n\0", "answered CONNECT with RECEIPT"),
    ],
)
def test_6_whoever_answers_does_not_speak_the_protocol(mqctl, answer, says):
    with fake_server(lambda _: answer) as url:
        code, _, err = mqctl("publish", "rect", "45", "--url", url)
    assert code == ExitCode.PROTOCOL
    assert says in err


def plugin(home: dict[str, str], code: str) -> dict[str, str]:
    """An environment with an installed package that claims the scheme odd://."""
    site = Path(home["HOME"]) / "site"
    info = site / "odd-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mqctl.adapters.v1]\nodd = odd:Adapter\n")
    (site / "odd.py").write_text(code)
    return {**home, "PYTHONPATH": str(site), "MQCTL_URL": "odd://here"}


def test_7_a_plugin_does_not_load(mqctl, home):
    code, out, err = mqctl("publish", "rect", "45", env=plugin(home, "import no_such_library"))
    assert (code, out) == (ExitCode.PLUGIN, b"")
    assert "the transport of odd:// does not load: ModuleNotFoundError: No module named 'no_such_library'" in err
    assert "it comes from odd 1.0" in err


def test_70_whatever_nobody_thought_of_is_called_a_bug(mqctl, home):
    broken = plugin(home, "class Adapter:\n  def connect(self, target, *, sink):\n    raise KeyError('what')\n")
    code, out, err = mqctl("publish", "rect", "45", env=broken)
    assert (code, out, err) == (ExitCode.BUG, b"", "mqctl: this is a bug in mqctl: KeyError: 'what'\n")
    assert "Traceback" in mqctl("publish", "rect", "45", "--debug", env=broken).err


def test_124_the_time_is_over(mqctl):
    code, out, err = mqctl("tail", "nothing.here", "--timeout", "50ms")
    assert (code, out) == (ExitCode.TIMEOUT, b"")
    assert err.endswith("mqctl: --timeout is over; 0 messages came\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_130_interrupted(start, broker, number):
    tail = start("tail", "x")
    tail.said("subscribed to x")
    put(broker, "/topic/x", b"one")
    assert tail.printed() == b"one\n"
    ended = tail.end(number)
    assert (ended.code, ended.out) == (ExitCode.INTERRUPTED, b"one\n")
    assert ended.last.startswith("mqctl: received ")
    assert "Traceback" not in ended.err


def test_130_interrupted_before_anything_began():
    """While its modules load, Ctrl-C ends the program as it ends `sleep`: in silence."""
    code = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from mqctl.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_every_exit_code_has_its_test():
    tested = {int(name.split("_")[1]) for name in globals() if name.startswith("test_") and name[5].isdigit()}
    assert tested == set(ExitCode)
