"""The experiments about Bayeux as they are installed: what was planted is found, and the verdict is the exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as Tree

import pytest

from mqctl.broker.values import Limits
from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.protocols.bayeux.session import Terms
from mqctl.target import Endpoint
from tests.cli.commands import Result

pytestmark = pytest.mark.timeout(90)

LOOPBACK = (Endpoint("127.0.0.1", 0),)
LIVES_S = 1.5


def hub(**settings) -> HubThread:
    return HubThread(HubConfig(stomp=(), http=LOOPBACK, drain_s=0, **settings))


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """A hub whose sessions end soon."""
    with hub(bayeux_terms=Terms(max_interval_ms=round(LIVES_S * 1000))) as thread:
        yield f"bayeux+http://{thread.endpoint}"


@pytest.fixture
def experiment(mqctl, tmp_path: Path):
    """Runs an experiment, its folders in `tmp_path`."""
    return lambda *args, **streams: mqctl("experiment", *args, "--run-dir", str(tmp_path / "runs"), **streams)


def told(done: Result) -> dict[str, dict]:
    """The JSON of each case."""
    return {case["case"]: case for case in map(json.loads, done.lines)}


def test_each_transport_has_its_price(experiment, mqctl):
    """Long-polling takes a request for each message, an event stream none to receive, a WebSocket none at all."""
    done = experiment(
        "transports", "--messages", "60", "--rate", "100", "--rounds", "1", "--quiet-for", "300ms", "--json"
    )
    # A busy machine sends late, which is for the verdict on latency alone.
    assert done.code in (ExitCode.OK, ExitCode.INCONCLUSIVE), done.err
    cases = told(done)
    assert list(cases) == ["long-polling", "sse", "websocket"]
    for case in cases.values():
        assert (case["messages"], case["lost"], case["disordered"]) == (60, 0, 0)
        assert case["latency_ms"]["p50"] > 0
        assert case["publisher_per_message"]["bytes_out"] > 128
        assert not [why for why in case["against"] if "latency" not in why]
    requests = {
        name: [round(case[f"{who}_per_message"]["requests"], 1) for who in ("subscriber", "publisher")]
        for name, case in cases.items()
    }
    # Its setting up is counted too; and where two messages come at once, one answer brings both.
    assert requests["long-polling"][0] > 0.2
    assert requests["sse"][0] < 0.2 <= requests["sse"][1]
    assert requests["websocket"] == [0.0, 0.0]
    (folder,) = cases["websocket"]["folders"]
    planted = mqctl("check", str(Path(folder) / "history.jsonl"), "--expect", "no-loss,fifo", "--json")
    assert planted.code == ExitCode.OK, planted.err
    assert b"planted" in (Path(folder) / "history.jsonl").read_bytes()


def test_a_transport_that_loses_messages_fails(experiment):
    """A subscriber that polls is away now and then: what waits meanwhile has no room in this hub."""
    with hub(broker_limits=Limits(backlog_messages=1)) as thread:
        url = f"bayeux+http://{thread.endpoint}"
        few = ("--messages", "300", "--rate", "3000", "--rounds", "1", "--quiet-for", "300ms")
        done = experiment("transports", *few, "--url", url)
    assert done.code == ExitCode.WRONG, done.err
    assert "c1 never got A" in done.out.decode()


def test_all_rounds_together_end_in_time(experiment):
    done = experiment("transports", "--messages", "60", "--rate", "60", "--rounds", "50", "--timeout", "1500ms")
    assert done.code == ExitCode.TIMEOUT, done.err


def test_sessions_expire_with_what_was_theirs(experiment, mqctl, tmp_path):
    """A lost answer is what acknowledgements save; what came after the last connect of a session is lost with it."""
    junit = tmp_path / "junit.xml"
    done = experiment("expiry", "--max-interval", f"{LIVES_S * 1000:g}ms", "--json", "--junit", str(junit))
    assert done.code == ExitCode.OK, done.out
    cases = told(done)
    assert list(cases) == ["ack", "plain"]
    for case in cases.values():
        assert case["there_after_s"] < case["gone_after_s"]
        assert case["gone_after_s"] >= LIVES_S
        assert case["lost"] == case["lost_expected"] > 0
        assert (case["planted"], case["found"]) == (1, 1)
        assert {away["gone"] for away in case["sessions"]} == {None, "402 session_unknown"}
    lived = sum(away["gone"] is None for away in cases["plain"]["sessions"])
    assert "c1 never got A1" in "".join(cases["plain"]["notes"])
    assert "c1 never got" not in "".join(cases["ack"]["notes"])
    assert lived > 0
    assert Tree.parse(junit).getroot().attrib["tests"] == "2"  # our own
    again = mqctl("check", str(Path(cases["ack"]["folders"][0]) / "history.jsonl"), "--expect", "no-loss")
    assert again.code == ExitCode.WRONG


def test_a_session_that_ends_before_its_time_fails(experiment):
    done = experiment("expiry", "--max-interval", "3500ms")
    assert done.code == ExitCode.WRONG
    assert "before its 3.5 s were over" in done.out.decode()


def test_sessions_that_are_gone_before_they_can_vanish_prove_nothing(experiment):
    """The first of them waits for eighty more, each with three requests."""
    with hub(bayeux_terms=Terms(max_interval_ms=150)) as thread:
        done = experiment("expiry", "--at-most", "1000000000000h", "--url", f"bayeux+http://{thread.endpoint}")
    assert done.code == ExitCode.INCONCLUSIVE, done.err
    assert "too busy for sessions that end so soon" in done.out.decode()


def test_a_session_that_is_there_too_long_is_not_waited_for(experiment):
    done = experiment("expiry", "--at-most", "500ms")
    assert done.code == ExitCode.INCONCLUSIVE
    assert "give a longer --at-most" in done.out.decode()


def test_who_saved_its_session_loses_nothing(experiment):
    """And who did not loses what was published meanwhile, which proves that the cut was one."""
    done = experiment("resume", "--messages", "100", "--rate", "200", "--json")
    assert done.code == ExitCode.OK, done.out
    with_state, without = told(done).values()
    assert (with_state["lost"], with_state["session"]) == (0, "resumed")
    assert with_state["published_meanwhile"] > 10
    assert without["lost"] >= without["published_meanwhile"] > 10
    assert {each["found"] for each in (with_state, without)} == {1}
    assert "c1 never got A" in without["notes"][0]


def test_a_wrong_clock_is_found(experiment):
    """One machine has one clock, and ours is set wrong on purpose."""
    done = experiment("clock", "--exchanges", "20", "--tolerance", "1s", "--skew", "2s", "--json")
    assert done.code == ExitCode.OK, done.out
    (case,) = told(done).values()
    assert abs(case["offset_ms"]) < 100
    assert case["skew_found_ms"] == pytest.approx(2000, abs=100)
    as_is, skewed = case["one_way_ms"]["as_is"], case["one_way_ms"]["skewed"]
    assert skewed["up"] == pytest.approx(as_is["up"] - 2000, abs=100)
    assert skewed["up_corrected"] == pytest.approx(as_is["up_corrected"], abs=100)


def test_a_clock_that_cannot_be_known_so_well(experiment):
    done = experiment("clock", "--exchanges", "10", "--tolerance", "1ms")
    assert done.code == ExitCode.INCONCLUSIVE
    assert "too little for the tolerance" in done.out.decode()


@pytest.mark.parametrize(
    "asked",
    [("clock", "--exchanges", "100000"), ("resume", "--messages", "5000"), ("expiry", "--max-interval", "1m")],
    ids=lambda asked: asked[0],
)
def test_the_end_of_the_time(experiment, asked, tmp_path):
    done = experiment(*asked, "--timeout", "1s")
    assert done.code == ExitCode.TIMEOUT, done.err
    assert "--timeout is over before the run is" in done.err
    (facts,) = tmp_path.glob("runs/*/run.json")
    assert json.loads(facts.read_text())["outcome"] == "not finished"


def test_a_repeated_case_has_one_seed_after_the_other(experiment, tmp_path):
    junit = tmp_path / "junit.xml"
    done = experiment(
        "clock", "--exchanges", "10", "--tolerance", "1s", "--repeat", "2", "--seed", "7", "--json",
        "--junit", str(junit),
    )  # fmt: skip
    assert done.code == ExitCode.OK, done.out
    assert [json.loads(line)["seed"] for line in done.lines] == [7, 8]
    assert [case.attrib["name"] for case in Tree.parse(junit).getroot()] == ["clock[7]", "clock[8]"]


def test_without_a_server_there_is_a_hub(experiment, home):
    """The usual broker speaks STOMP, so that it cannot be meant."""
    done = experiment("clock", "--exchanges", "10", "--tolerance", "1s", env=home)
    assert done.code == ExitCode.OK, done.err
    assert "no server of Bayeux is named, so this hosts a hub until it ends" in done.err


@pytest.mark.parametrize("name", ["transports", "clock"])
def test_what_is_no_bayeux_is_refused(experiment, name, tmp_path):
    with HubThread(HubConfig(stomp=LOOPBACK, drain_s=0)) as thread:
        done = experiment(name, "--url", thread.url)
    assert done.code == ExitCode.REFUSED
    assert "is about Bayeux, and stomp is something else" in done.err
    assert not (tmp_path / "runs").exists()


def test_a_server_that_is_down(experiment):
    with hub() as thread:
        url = f"bayeux+http://{thread.endpoint}"
    assert experiment("clock", "--url", url).code == ExitCode.CONNECTION


def test_sessions_of_event_streams_cannot_be_kept(experiment, broker):
    done = experiment("resume", "--url", broker.replace("+http", "+sse"))
    assert done.code == ExitCode.REFUSED
    assert "their sessions cannot be kept" in done.out.decode()
