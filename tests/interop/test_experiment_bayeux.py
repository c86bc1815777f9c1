"""The experiments about Bayeux at servers of others: what each has is measured, and what it has not is unsupported."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mqctl.errors import ExitCode
from tests.brokers.launch import launch
from tests.brokers.program import Program
from tests.interop.script import script

pytestmark = pytest.mark.timeout(120)

LIVES_MS = 1_000

Cases = dict[str, dict[str, Any]]
Experiment = Callable[..., tuple[int, Cases]]


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """Runs an experiment at a URL: the exit code, and what came of each case."""
    program = Program(environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})

    def run(url: str, *args: str) -> tuple[int, Cases]:
        ended = program.run("experiment", *args, "--url", url, "--json", "--run-dir", str(tmp_path / "runs"))
        return ended.code, {case["case"]: case for case in map(json.loads, ended.out.splitlines())}

    return run


@pytest.fixture(scope="module")
def java() -> Iterator[str]:
    """CometD's server for Java, whose sessions end soon."""
    with launch("cometd-java", timeout=2_000, maxInterval=LIVES_MS) as broker:
        yield broker.url("bayeux+http")


@pytest.fixture(scope="module")
def faye() -> Iterator[str]:
    with script("bayeux", "server.js", "faye", "2000", environment={}) as said:
        yield f"bayeux+http://127.0.0.1:{said.next()['port']}/bayeux"


@pytest.mark.broker("cometd-java")
def test_sessions_of_cometd_expire_when_it_sweeps(experiment: Experiment, java: str) -> None:
    code, cases = experiment(java, "expiry", "--max-interval", f"{LIVES_MS}ms")
    assert code == ExitCode.OK, cases
    for case in cases.values():
        assert LIVES_MS / 1000 <= case["gone_after_s"] < LIVES_MS / 1000 + 2
        assert case["sessions"][-1]["gone"].startswith("402")


@pytest.mark.broker("cometd-java")
def test_cometd_has_no_event_streams(experiment: Experiment, java: str) -> None:
    code, cases = experiment(java, "transports", "--messages", "60", "--rounds", "1", "--quiet-for", "300ms")
    assert code in (ExitCode.OK, ExitCode.INCONCLUSIVE), cases
    assert "the server offers websocket, long-polling" in cases["sse"]["why"]
    tried = [cases[name] for name in ("long-polling", "websocket")]
    assert [(case["messages"], case["lost"], case["disordered"]) for case in tried] == [(60, 0, 0)] * 2


@pytest.mark.broker("cometd-java")
def test_cometd_tells_the_time(experiment: Experiment, java: str) -> None:
    code, cases = experiment(java, "clock", "--tolerance", "1s")
    assert code == ExitCode.OK, cases
    assert abs(cases["clock"]["offset_ms"]) < 100


@pytest.mark.broker("bayeux")
def test_faye_keeps_nothing_and_tells_no_time(experiment: Experiment, faye: str) -> None:
    code, cases = experiment(faye, "clock")
    assert (code, cases["clock"]["why"]) == (ExitCode.REFUSED, "the server has no timesync extension")
    code, cases = experiment(faye, "resume", "--messages", "60", "--rate", "100")
    assert (code, cases["without-state"]["verdict"]) == (ExitCode.OK, "pass")
    assert "no acknowledgement extension" in cases["with-state"]["why"]
