"""`mqctl experiment matrix` as it is installed: a column for each broker, and each cell leads to its run."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as Tree

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint

pytestmark = pytest.mark.timeout(90)

FEW = ("--messages", "200", "--quiet-for", "400ms")


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), drain_s=0)) as hub:
        yield hub.urls[0]


@pytest.fixture
def matrix(mqctl, home, broker, tmp_path: Path):
    """Runs it with the profiles `hub` and `nobody`, its folders in `tmp_path`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (tmp_path / "hub.toml").write_text(f'url = "{broker}"\n')
        (tmp_path / "nobody.toml").write_text(f'url = "stomp://127.0.0.1:{free.getsockname()[1]}"\n')
        yield lambda *args: mqctl("experiment", "matrix", *args, "--run-dir", str(tmp_path / "runs"), env=home)


def test_a_table_of_what_can_be_tried_and_what_cannot(matrix, tmp_path):
    page, markdown, junit = tmp_path / "out.html", tmp_path / "out.md", tmp_path / "out.xml"
    files = ("--html", str(page), "--markdown", str(markdown), "--junit", str(junit))
    cases = ("--case", "one-producer", "--case", "message-groups", "--case", "individual-cut")
    done = matrix("--profiles", "hub", *cases, *FEW, *files)
    assert done.code == ExitCode.OK, done.err
    shown = done.out.decode()
    assert re.search(r"ordering one-producer +pass\n", shown)
    assert re.search(r"ordering message-groups +unsupported \(1\)\n", shown)
    assert re.search(r"ack individual-cut +pass\n", shown)
    links = re.findall(r'href="([^"]+)"', page.read_text())
    assert len(links) == 2
    for link in links:
        assert "<!doctype html>" in (tmp_path / link).read_text()
        assert f"({link})" in markdown.read_text()
    assert [[child.tag for child in case] for case in Tree.parse(junit).getroot()] == [[], ["skipped"], []]


def test_a_broker_that_is_not_there_is_an_error_of_its_column(matrix):
    done = matrix("--profiles", "hub,nobody", "--experiments", "ordering", "--case", "one-producer", *FEW, "--json")
    assert done.code == ExitCode.CONNECTION, done.err
    told = json.loads(done.out)
    assert [(cell["profile"], cell["outcome"]) for cell in told["cells"]] == [("hub", "pass"), ("nobody", "error")]
    assert "nobody listens" in told["cells"][1]["reason"]
    assert "hub: ordering one-producer: pass" in done.err


def test_the_experiments_about_bayeux_are_rows_too(matrix, tmp_path):
    """At a hub that speaks it, and at one that does not."""
    with HubThread(HubConfig(stomp=(), http=(Endpoint("127.0.0.1", 0),), drain_s=0)) as hub:
        (tmp_path / "bayeux.toml").write_text(f'url = "bayeux+ws://{hub.endpoint}"\n')
        done = matrix(
            "--profiles", "hub,bayeux", "--experiments", "ordering,transports,resume,clock", *FEW, "--json",
            *(f"--case={case}" for case in ("one-producer", "websocket", "with-state", "clock")),
        )  # fmt: skip
    assert done.code in (ExitCode.OK, ExitCode.INCONCLUSIVE), done.err
    told = {(cell["experiment"], cell["profile"]): cell for cell in json.loads(done.out)["cells"]}
    special = ("transports websocket", "resume with-state", "clock clock")
    assert list(told) == [
        (row, profile) for profile in ("hub", "bayeux") for row in ("ordering one-producer", *special)
    ]
    for row in special:
        here, elsewhere = told[row, "bayeux"], told[row, "hub"]
        assert "<!doctype html>" in Path(here["run"]).read_text()
        assert (elsewhere["outcome"], elsewhere["run"]) == ("unsupported", None)
        assert "this experiment is about Bayeux, and stomp is something else" in elsewhere["reason"]
    assert told["resume with-state", "bayeux"]["outcome"] == "pass"


def test_all_columns_together_end_in_time(matrix):
    """What is not run any more says why."""
    asked = ("--experiments", "ordering", "--case", "one-producer", "--case", "many-producers", "--rate", "40")
    done = matrix("--profiles", "hub", *asked, *FEW, "--timeout", "1s", "--json")
    assert done.code == ExitCode.TIMEOUT, done.err
    cells = json.loads(done.out)["cells"]
    assert [(cell["outcome"], cell["reason"]) for cell in cells] == [
        ("error", "--timeout is over before the run is")
    ] * 2


def test_the_command_that_restarts_a_broker_is_told_which(matrix, tmp_path):
    """This one restarts nothing, which a run survives."""
    told = tmp_path / "told"
    asked = ("--case", "individual-restart", "--restart-command", f"echo {{profile}} >> {told}")
    done = matrix("--profiles", "hub", *asked, *FEW, "--json")
    (cell,) = json.loads(done.out)["cells"]
    assert cell["outcome"] != "unsupported"
    assert told.read_text() == "hub\n"


def test_a_failure_is_worse_than_an_error(matrix):
    asked = ("--case", "auto-cut", "--messages", "2000", "--quiet-for", "400ms", "--expect", "no-loss")
    done = matrix("--profiles", "nobody,hub", *asked)
    assert done.code == ExitCode.WRONG, done.err
    assert re.search(r"ack auto-cut +error \(1\) +fail \(2\)", done.out.decode())
    assert re.search(r"fail +ack auto-cut at hub: .*report.html", done.out.decode())


def test_many_runs_of_a_cell_are_counted_and_doubts_are_told(matrix):
    asked = ("--case", "one-producer", *FEW, "--expect", "agreement", "--repeat", "2")
    done = matrix("--profiles", "hub", *asked)
    assert done.code == ExitCode.INCONCLUSIVE, done.err
    assert "inconclusive 2 of 2 (1)" in done.out.decode()


def test_without_profiles_it_is_the_usual_broker(mqctl, env, broker, tmp_path):
    where = ("--run-dir", str(tmp_path / "runs"))
    done = mqctl("experiment", "matrix", "--case", "one-producer", *FEW, *where, env=env)
    assert done.code == ExitCode.OK, done.err
    assert broker in done.out.decode()


def test_where_nothing_can_be_tried_nothing_is_proved(matrix):
    done = matrix("--profiles", "hub", "--case", "message-groups")
    assert done.code == ExitCode.REFUSED
    assert "none of these experiments can be done there" in done.err


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("--experiments", "luck"), "there is no experiment 'luck'"),
        (("--case", "luck"), "there is no case 'luck'"),
        (("--profiles", "luck"), "luck"),
        (("--html", "/no/such/folder/x.html"), "--html cannot be written"),
        (("--expect", "luck"), "nothing is known about 'luck'"),
    ],
)
def test_bad_input_is_told_before_anything_is_run(matrix, tmp_path, asked, says):
    done = matrix(*asked)
    assert done.code == ExitCode.USAGE
    assert says in done.err
    assert not (tmp_path / "runs").exists()
