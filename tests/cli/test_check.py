"""`mqctl check`: a verdict is an exit code, and what is no history is named by its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from mqctl.experiments.events import Delivered, Header
from mqctl.experiments.history import encode
from tests.cli.commands import Result, run_here
from tests.unit.experiments.histories import END, got, here, sent


@pytest.fixture
def mqctl(home):
    """No broker is asked."""
    return lambda *args, data=None, **env: run_here(args, {**home, **env}, data)


@pytest.fixture
def history(tmp_path: Path):
    """Writes one, and tells its path."""

    def write(*parts, **header) -> str:
        path = tmp_path / "history.jsonl"
        path.write_bytes(encode(Header(version=1, **header), [event for part in parts for event in part]))
        return str(path)

    return write


GOOD = here("c", "d"), sent("A1 B1 A2"), got("c", "A1 B1 A2"), got("d", "A1 B1 A2"), [END]
SEED = (
    here("Chart 1", "Chart 2"),
    sent("A1 B1 A2 B2 B3"),
    got("Chart 1", "A1 B1 A2 B2 B3"),
    got("Chart 2", "B1 B2 A1 A2 B3"),
    [END],
)
TIMED = [Delivered("c", "A", n, received_ns=n + 2_000_000, intended_ns=n) for n in range(1000)]
LOSSY = here("c"), sent("A1 A2"), got("c", "A1"), [END]


@pytest.mark.parametrize(
    ("parts", "args", "code", "verdict"),
    [
        (GOOD, (), ExitCode.OK, "pass"),
        (GOOD, ("--expect", "total-order,exactly-once"), ExitCode.OK, "pass"),
        (LOSSY, (), ExitCode.WRONG, "fail"),
        (LOSSY, ("--expect", "no-duplicates"), ExitCode.OK, "pass"),
        (LOSSY, ("--expect", "no-duplicates", "--expect", "no-loss"), ExitCode.WRONG, "fail"),
        (LOSSY[:-1], ("--expect", "no-loss"), ExitCode.INCONCLUSIVE, "inconclusive"),
        ((), (), ExitCode.INCONCLUSIVE, "inconclusive"),
        (GOOD, ("--expect", "fifo", "--require-controls"), ExitCode.INCONCLUSIVE, "inconclusive"),
        ((TIMED,), ("--expect", "fifo, p99<50ms"), ExitCode.OK, "pass"),
        ((TIMED,), ("--expect", "p99<1ms"), ExitCode.WRONG, "fail"),
        ((TIMED[:-1],), ("--expect", "p99<50ms"), ExitCode.INCONCLUSIVE, "inconclusive"),
    ],
)
def test_the_verdict_is_the_exit_code(mqctl, history, parts, args, code, verdict):
    result: Result = mqctl("check", history(*parts), *args)
    assert (result.code, result.err) == (code, "")
    assert result.lines[0].split() == ["verdict", verdict]
    as_json = mqctl("check", history(*parts), *args, "--json")
    assert as_json.code == code
    assert json.loads(as_json.out)["verdict"] == verdict


def test_the_witness_is_drawn(mqctl, history):
    result = mqctl("check", history(*SEED), "--expect", "agreement")
    assert result.code == ExitCode.WRONG
    assert result.lines[-7:] == [
        "agreement: Chart 1 got A1 before B1, Chart 2 after",
        "        ┌─────┬─────┬────┬────┬────┐",
        "Chart 1 │ A1! │ B1! │ A2 │ B2 │ B3 │",
        "        └─────┴─────┴────┴────┴────┘",
        "        ┌─────┬────┬─────┬────┬────┐",
        "Chart 2 │ B1! │ B2 │ A1! │ A2 │ B3 │",
        "        └─────┴────┴─────┴────┴────┘",
    ]
    assert (
        "Chart 2 | B1! | B2 | A1! | A2 | B3 |" in mqctl("check", history(*SEED), "--expect=agreement", LC_ALL="C").lines
    )


def test_standard_input_is_a_file_too(mqctl, history):
    data = Path(history(*LOSSY)).read_bytes()
    assert mqctl("check", "-", data=data).code == ExitCode.WRONG
    wrong = mqctl("check", "-", data=data + b"oops\n")
    assert (wrong.code, wrong.out) == (ExitCode.USAGE, b"")
    assert wrong.err.startswith("mqctl: standard input, line 9 is no event: JSON is malformed")


def test_a_crash_leaves_a_history_that_can_be_judged(mqctl, history):
    path = Path(history(*LOSSY))
    path.write_bytes(path.read_bytes()[:-10])
    result = mqctl("check", str(path), "--expect", "no-loss")
    assert (result.code, result.err) == (
        ExitCode.INCONCLUSIVE,
        "mqctl: the last line was cut short, as by a crash, and is left out\n",
    )


@pytest.mark.parametrize(
    ("args", "sentence", "hint"),
    [
        (("nowhere.jsonl",), "cannot read nowhere.jsonl: No such file or directory", None),
        (("/",), "cannot read /: Is a directory", None),
        (("{readme}",), "line 1 is no header of a history", "docs/history.md is the schema"),
        (("{history}", "--expect", "fofi"), "nothing is known about 'fofi' to expect", "there are: no-loss, no-dup"),
        (("{history}", "--expect", "p99<"), "'p99<' does not say how long", "a limit on latency looks like p99<50ms"),
        (("{history}", "--expect", "p101<5ms"), "'p101<5ms' has no percentile above p0", "looks like p99<50ms"),
        (("{history}", "--expect", "fifo,p99<5 apples"), "'p99<5 apples' does not say how long", "looks like"),
        ((), "Missing argument 'FILE'", None),
    ],
)
def test_what_cannot_be_judged_is_said_in_a_sentence(mqctl, history, args, sentence, hint):
    names = {"readme": Path(__file__).parents[2] / "README.md", "history": history(*GOOD)}
    result = mqctl("check", *(arg.format(**names) for arg in args))
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert sentence in result.err
    assert hint is None or hint in result.err


def test_names_in_a_history_cannot_steer_a_terminal(mqctl, history):
    result = mqctl("check", history(here("\x1b[2J"), sent("A1"), [END]))
    assert b"\x1b" not in result.out
    assert b"\\x1b[2J never got A1" in result.out
