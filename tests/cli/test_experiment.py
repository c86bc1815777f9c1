"""`mqctl experiment` as it is installed: the verdict is the exit code, and what ends a run leaves its history."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as Tree

import pytest

from mqctl.errors import ExitCode
from mqctl.experiments import acknowledgement, ordering
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from tests.cli.commands import Result
from tests.cli.terminal import Terminal

pytestmark = pytest.mark.timeout(90)

FEW = ("--messages", "200", "--quiet-for", "400ms")
LOOPBACK = (Endpoint("127.0.0.1", 0),)


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with HubThread(HubConfig(stomp=LOOPBACK, drain_s=0)) as hub:
        yield hub.urls[0]


@pytest.fixture
def experiment(mqctl, tmp_path: Path):
    """Runs an experiment, its folders in `tmp_path`."""
    return lambda *args, **streams: mqctl("experiment", *args, "--run-dir", str(tmp_path / "runs"), **streams)


def told(result: Result) -> dict[str, dict]:
    """The JSON of each case."""
    return {run["case"]: run for run in map(json.loads, result.lines)}


def runs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "runs").iterdir())


def test_all_about_order(experiment, mqctl, tmp_path):
    """What the hub cannot do is unsupported, and counts as nothing."""
    done = experiment("ordering", *FEW, "--json")
    cases = told(done)
    assert done.code == ExitCode.OK, done.err
    assert list(cases) == list(ordering.CASES)
    verdicts = {name: case["verdict"] for name, case in cases.items() if case["verdict"] != "unsupported"}
    orders = ("many-producers", "many-producers-transacted", "durable-replay")
    assert verdicts == dict.fromkeys(("one-producer", *orders, "competing", "redelivery"), "pass")
    assert all(case["why"] for case in cases.values() if case["verdict"] == "unsupported")
    fifo = cases["one-producer"]["properties"]["fifo"]
    assert (fifo["violations"], fifo["planted"], fifo["found"]) == (0, 1, 1)
    assert 0 < fifo["bound"] < 0.1
    assert done.last == f"mqctl: {len(verdicts)} pass, {len(cases) - len(verdicts)} unsupported"
    assert len(runs(tmp_path)) == len(verdicts)
    again = mqctl("check", str(Path(cases["one-producer"]["folder"]) / "history.jsonl"))
    assert again.code == ExitCode.OK, again.err


def test_expected_stands_beside_observed(experiment):
    done = experiment("ack", *FEW, "--case", "individual-cut", "--case", "nack", "--case", "qos1-session-cut")
    assert done.code == ExitCode.OK, done.err
    text = done.out.decode()
    assert "expected  loses nothing; what was not acknowledged comes again" in text
    assert "observed  0 of 200 lost" in text
    assert "it is about MQTT, and this is STOMP" in text


def test_what_is_expected_and_does_not_hold_fails(experiment, tmp_path):
    """With ack:auto, what is on its way is lost: fail is a failure, unsupported is skipped."""
    junit = tmp_path / "junit.xml"
    asked = ("--case", "auto-cut", "--case", "plain-cut", "--messages", "2000", "--quiet-for", "400ms")
    done = experiment("ack", *asked, "--expect", "no-loss", "--junit", str(junit))
    assert done.code == ExitCode.WRONG, done.err
    assert "c1 never got" in done.out.decode()
    suite = Tree.parse(junit).getroot()  # our own
    assert dict(suite.attrib) | {"name": ""} == {
        "name": "", "tests": "2", "failures": "1", "errors": "0", "skipped": "1",
    }  # fmt: skip
    assert [child.tag for case in suite for child in case] == ["failure", "skipped"]
    assert "c1 never got" in suite[0][0].text


def test_what_nothing_can_tell_is_inconclusive(experiment, tmp_path):
    junit = tmp_path / "junit.xml"
    done = experiment("ordering", *FEW, "--case", "one-producer", "--expect", "agreement", "--junit", str(junit))
    assert done.code == ExitCode.INCONCLUSIVE, done.err
    assert "inconclusive" in done.out.decode()
    assert [child.tag for case in Tree.parse(junit).getroot() for child in case] == ["error"]


def test_a_limit_on_latency(experiment, mqctl):
    """Kept in the history, so that it is judged the same again; the delay that was planted is none."""
    asked = ("ordering", "--case", "one-producer", "--messages", "1100", "--quiet-for", "400ms", "--json")
    done = experiment(*asked, "--expect", "fifo,p99<1m,p50<0.001ms")
    assert done.code == ExitCode.WRONG, done.err
    trial = json.loads(done.out)
    latency = trial["properties"]["latency"]
    assert (latency["verdict"], latency["planted"], latency["found"]) == ("fail", 1, 1)
    assert "against p50<0.001ms" in latency["witnesses"][0]
    history = str(Path(trial["folder"]) / "history.jsonl")
    assert mqctl("check", history).code == ExitCode.WRONG
    assert mqctl("check", history, "--expect", "p99<1m").code == ExitCode.OK


def test_the_same_seed_again_and_again(experiment, tmp_path):
    done = experiment("ordering", *FEW, "--case", "one-producer", "--repeat", "2", "--seed", "7", "--json")
    assert done.code == ExitCode.OK, done.err
    assert [json.loads(line)["seed"] for line in done.lines] == [7, 8]
    assert [json.loads((run / "run.json").read_text())["seed"] for run in runs(tmp_path)] == [7, 8]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("ordering", "--case", "nothing"), "there is no case 'nothing'"),
        (("ack", "--case", "one-producer"), "cases: auto-cut"),
        (("ordering", "--expect", "luck"), "nothing is known about 'luck'"),
        (("ordering", "--expect", "fifo,p99<5 apples"), "'p99<5 apples' does not say how long"),
        (("ack", "--expect", "p101<5ms"), "no percentile above p0 and below p100"),
        (("ordering", "--rate", "0"), "--rate is above 0"),
        (("ordering", "--messages", "3"), "is not in the range"),
        (("ordering", "--topic", "a.**"), "has no wildcard"),
        (("ordering", "--groups", "70000"), "is not in the range"),
        (("ordering", "--junit", "/no/such/folder/junit.xml"), "--junit cannot be written"),
    ],
)
def test_bad_input_is_told_before_anything_is_sent(experiment, tmp_path, asked, says):
    done = experiment(*asked)
    assert done.code == ExitCode.USAGE
    assert says in done.err
    assert not (tmp_path / "runs").exists()


def test_where_no_folder_can_be_made(mqctl, tmp_path):
    (tmp_path / "file").touch()
    done = mqctl("experiment", "ordering", *FEW, "--run-dir", str(tmp_path / "file"))
    assert done.code == ExitCode.USAGE
    assert "--run-dir" in done.err


def test_nothing_that_can_be_done_is_no_success(experiment):
    done = experiment("ordering", "--case", "mqtt-inflight-1")
    assert done.code == ExitCode.REFUSED
    assert "none of these experiments can be done here" in done.err


def test_a_broker_that_is_down(experiment, env, tmp_path):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"stomp://127.0.0.1:{reserved.getsockname()[1]}"
        done = experiment("ordering", "--url", url)
    assert done.code == ExitCode.CONNECTION
    assert not (tmp_path / "runs").exists()


def test_without_a_broker_there_is_a_hub(mqctl, home, tmp_path):
    """As for `tail` and `watch`: the profile `local` names it, and nobody is there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    (tmp_path / "local.toml").write_text(f'url = "stomp://{address}"\n')
    few = ("--case", "one-producer", "--messages", "200", "--quiet-for", "300ms", "--run-dir", str(tmp_path / "runs"))
    done = mqctl("experiment", "ordering", *few, env=home)
    assert done.code == ExitCode.OK, done.err
    assert f"nobody listens at {address}, so this hosts a hub there until it ends" in done.err
    assert mqctl("publish", "a", "1", env=home).code == ExitCode.CONNECTION


def test_the_end_of_the_time(experiment, tmp_path):
    done = experiment("ordering", "--case", "one-producer", "--rate", "20", "--timeout", "1s")
    assert done.code == ExitCode.TIMEOUT, done.err
    assert "its history so far is in" in done.err


def test_ctrl_c_leaves_a_history_that_can_be_read(start, mqctl, tmp_path):
    running = start("experiment", "ordering", "--case", "one-producer", "--rate", "100", "--run-dir", str(tmp_path))
    while not any(b'"delivered"' in path.read_bytes() for path in tmp_path.glob("*/history.jsonl")):
        assert running.process.poll() is None, running.err
    ended = running.end(signal.SIGINT)
    assert ended.code == ExitCode.INTERRUPTED
    assert "its history so far is in" in ended.err
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / "run.json").read_text())["outcome"] == "not finished"
    checked = mqctl("check", str(folder / "history.jsonl"), "--expect", "fifo")
    assert checked.code == ExitCode.INCONCLUSIVE, checked.err


def test_a_restart_by_the_users_command(experiment, tmp_path):
    """Here it restarts nothing, so nothing is missing; it is called in the middle of the run."""
    mark = tmp_path / "restarted"
    done = experiment("ack", *FEW, "--case", "individual-restart", "--restart-command", f"touch {mark}")
    assert mark.exists()
    assert done.code in (ExitCode.OK, ExitCode.INCONCLUSIVE), done.err


def test_a_restart_that_fails(experiment):
    done = experiment("ack", *FEW, "--case", "individual-restart", "--restart-command", "false")
    assert done.code == ExitCode.USAGE
    assert "the command that restarts the broker ended with 1" in done.err


def test_names_of_cases_are_unique():
    assert not ordering.CASES.keys() & acknowledgement.CASES.keys()


def test_a_bar_on_a_terminal(env, tmp_path):
    asked = ("ordering", "--case", "one-producer", "--rate", "100", "--messages", "200", "--run-dir", str(tmp_path))
    with contextlib.closing(Terminal(("experiment", *asked), env)) as terminal:
        terminal.shows("one-producer", "came", "%")
        terminal.shows("held: no-loss")
