"""`mqctl experiment … --simulate` as it is installed: a seed repeats everything, and no broker is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from mqctl.experiments.events import Delivered, Planted
from mqctl.experiments.history import Reader

pytestmark = pytest.mark.timeout(90)

LOSSY = ("ack", "--simulate", "--seed", "1", "--case", "plain-cut", "--expect", "no-loss", "--messages", "60")


def histories(folder: Path) -> dict[str, bytes]:
    """By what was run."""
    return {run.name.partition("-")[2]: (run / "history.jsonl").read_bytes() for run in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes_whatever_the_process(mqctl, env, tmp_path):
    found = []
    for number, seed in enumerate(("7", "7", "8")):
        folder = tmp_path / str(number)
        args = ("ordering", "--simulate", "--seed", seed, "--messages", "200", "--run-dir", str(folder))
        done = mqctl("experiment", *args, env={**env, "PYTHONHASHSEED": str(number + 1)})
        assert done.code == ExitCode.OK, done.out.decode() + done.err
        found.append(histories(folder))
    once, again, other = found
    assert set(once) >= {"ordering-one-producer-simulated", "ordering-bayeux-default-simulated"}
    assert once == again
    assert all(once[name] != other[name] for name in once)


def test_the_folder_is_as_of_any_run_and_says_that_it_is_simulated(mqctl, tmp_path):
    args = ("experiment", "ordering", "--simulate", "--seed", "7", "--case", "one-producer", "--messages", "60")
    assert mqctl(*args, "--run-dir", str(tmp_path)).code == ExitCode.OK
    (run,) = tmp_path.iterdir()
    facts = json.loads((run / "run.json").read_text())
    assert (facts["simulated"], facts["seed"], facts["outcome"]) == (True, 7, "pass")
    assert facts["command"] == " ".join(("mqctl", *args))
    with (run / "history.jsonl").open("rb") as file:
        reader = Reader(file)
        events = [event for batch in reader.batches() for event in batch.events]
    assert reader.header.facts["simulated"]
    assert any(isinstance(event, Delivered) for event in events)
    assert any(isinstance(event, Planted) for event in events)
    assert mqctl("check", str(run / "history.jsonl")).code == ExitCode.OK


def test_a_seed_that_fails_says_what_repeats_it(mqctl, tmp_path):
    failed = mqctl("experiment", *LOSSY, "--run-dir", str(tmp_path / "1"))
    assert failed.code == ExitCode.WRONG
    (repeat,) = [line for line in failed.err.splitlines() if "to repeat it" in line]
    command = repeat.partition("to repeat it: mqctl ")[2].split()
    again = mqctl(*command, "--run-dir", str(tmp_path / "2"))
    assert again.code == ExitCode.WRONG
    assert histories(tmp_path / "1") == histories(tmp_path / "2")


def test_what_cannot_be_simulated_is_unsupported(mqctl, tmp_path):
    done = mqctl("experiment", "ordering", "--simulate", "--case", "mqtt-inflight-1", "--run-dir", str(tmp_path))
    assert done.code == ExitCode.REFUSED
    assert b"it is not simulated" in done.out


@pytest.mark.parametrize(
    ("before", "after", "option"),
    [
        ((), ("--url", "stomp://localhost"), "--url"),
        (("--profile", "local"), (), "--profile"),
        ((), ("--restart-command", "true"), "--restart-command"),
    ],
)
def test_a_simulation_is_not_taken_for_a_test_of_a_broker(mqctl, before, after, option):
    done = mqctl(*before, "experiment", "ack", "--simulate", *after)
    assert done.code == ExitCode.USAGE
    assert f"so {option} has no meaning" in done.err


def test_time_is_up(mqctl, tmp_path):
    args = ("--case", "one-producer", "--messages", "10000000", "--timeout", "500ms", "--run-dir", str(tmp_path))
    assert mqctl("experiment", "ordering", "--simulate", *args).code == ExitCode.TIMEOUT
