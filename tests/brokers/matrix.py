"""`python -m tests.brokers.matrix` runs all experiments at all brokers, and writes the tables of docs/matrix.md anew.

`python -m tests.brokers.matrix Bayeux` does so for one protocol.

The text around the tables is written by hand: read it again when they change.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from mqctl.errors import ExitCode
from mqctl.experiments import acknowledgement, ordering
from mqctl.experiments.matrix import Entry, Matrix, Outcome, markdown
from tests.brokers.launch import launch
from tests.brokers.process import Broker
from tests.brokers.program import Ended, Program, program_at
from tests.brokers.rabbitmq import SINGLE_ACTIVE

PAGE: Final = Path(__file__).parents[2] / "docs" / "matrix.md"
START, END = "<!-- observed by python -m tests.brokers.matrix -->", "<!-- until here -->"

MESSAGES, MESSAGES_RESTARTED, RUNS, SEED = 1000, 400, 3, 1
RESTART_RATE = 50
"""A queue of RabbitMQ that is younger than two seconds may be forgotten, with what its consumers hold."""

TIMED: Final = "bayeux-"
"""The cases about latency. A broker in Java compiles what it has done often, and takes processors for it."""
MESSAGES_WARM: Final = 2000

RESTART: Final = "-restart"
CODES: Final = {ExitCode.OK, ExitCode.WRONG, ExitCode.INCONCLUSIVE, ExitCode.REFUSED}
"""Of a run that came to its end."""


class Column(NamedTuple):
    """A broker, and how it is spoken to."""

    broker: str
    scheme: str

    @property
    def title(self) -> str:
        return _TITLES.get(self.scheme, self.broker)


_TITLES: Final = MappingProxyType({"bayeux+ws": "cometd-java, WebSocket", "bayeux+http": "cometd-java, long-polling"})

TABLES: Final[Mapping[str, Sequence[Column]]] = MappingProxyType(
    {
        "STOMP": [Column(name, "stomp") for name in ("classic", "artemis", "rabbitmq")],
        "MQTT": [Column(name, "mqtt") for name in ("mosquitto", "classic", "artemis", "rabbitmq")],
        "Bayeux": [Column("cometd-java", scheme) for scheme in ("bayeux+ws", "bayeux+http")],
    }
)
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType({"cometd-java": {"timeout": 2000}})
"""That long CometD holds a connect, in ms: who heard nothing for longer knows that the network is silent."""

FAMILIES: Final = MappingProxyType({"ordering": ordering.CASES, "ack": acknowledgement.CASES})
PROMISES: Final = MappingProxyType({f"{mode.name}{RESTART}": mode.promise for mode in acknowledgement.MODES})
"""What is judged where the broker is restarted: the pace is no matter there."""

POLICY: Final = "strictOrderDispatchPolicy"
POLICED: Final = ("--topic", "strict.matrix", "--expect", "exactly-once,total-order")
"""The throwaway ActiveMQ Classic has the policy for topics below `strict`."""

MORE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"single-active-consumer": ("--queue", SINGLE_ACTIVE)})
"""What a case needs besides a broker."""


class Arm(NamedTuple):
    """A row: a case, and what it is run with."""

    family: str
    case: str
    options: tuple[str, ...] = ()
    note: str = ""

    @property
    def row(self) -> str:
        return f"{self.family} {self.case}, {self.note}" if self.note else f"{self.family} {self.case}"


def _arms() -> Iterator[Arm]:
    for family, cases in FAMILIES.items():
        for case in cases:
            yield Arm(family, case, MORE.get(case, ()))
            if case.startswith("strict-dispatch"):
                yield Arm(family, case, POLICED, POLICY)


ARMS: Final = tuple(_arms())

Trial = Mapping[str, Any]


class Observed(NamedTuple):
    """What came of the cases of a column; the keys are such as `ack auto-cut`."""

    version: str
    trials: Mapping[str, Sequence[Trial]]


def committed() -> Mapping[tuple[str, str, str], Outcome | None]:
    """What the page says, by table, row and column; None where the runs of a cell differed."""
    cells: dict[tuple[str, str, str], Outcome | None] = {}
    table, columns = "", list[str]()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            table, columns = line.lstrip("# "), []
        elif line.startswith("|") and table in TABLES:
            row, *words = [word.strip() for word in line.strip("|").split("|")]
            columns = columns or words
            cells |= {(table, row, column): _sure(word) for column, word in zip(columns, words, strict=True)}
    return cells


def _sure(word: str) -> Outcome | None:
    """Of a cell such as `fail 2 of 3 (1)`."""
    told = re.fullmatch(r"(?P<outcome>\w+)(?: (?P<alike>\d+) of (?P<all>\d+))?(?: \(\d+\))?", word)
    return (
        Outcome(told["outcome"]) if told and told["outcome"] in set(Outcome) and told["alike"] == told["all"] else None
    )


def observe(column: Column) -> Observed:
    """Start a broker, and run everything there."""
    with (
        launch(column.broker, **SETTINGS.get(column.broker, {})) as broker,
        tempfile.TemporaryDirectory(prefix="mqctl-matrix-") as home,
    ):
        program = program_at(broker, broker.url(column.scheme), Path(home))
        return Observed(
            broker.version,
            {arm.row: _trials(program, broker, Path(home), arm) for arm in ARMS},
        )


def _trials(program: Program, broker: Broker, home: Path, arm: Arm) -> Sequence[Trial]:
    arguments = ["experiment", arm.family, "--case", arm.case, "--quiet-for", "1s", "--drain", "10s", "--json"]
    arguments += ["--run-dir", str(home / "runs"), *arm.options]
    if arm.case in PROMISES:
        expect = ",".join(PROMISES[arm.case])
        return _told(_restarting(program, broker, home, [*arguments, "--seed", str(SEED), "--expect", expect]))
    if arm.case.startswith(TIMED):
        program.run(*arguments, "--messages", str(MESSAGES_WARM))
    trials: list[Trial] = []
    for seed in range(SEED, SEED + RUNS):
        trials += _told(program.run(*arguments, "--seed", str(seed), "--messages", str(MESSAGES)))
        if not _tried(trials):
            break
    return trials


def _told(ended: Ended) -> Sequence[Trial]:
    if ended.code not in CODES:
        raise SystemExit(ended.err)
    return [json.loads(line) for line in ended.out.splitlines()]


def _restarting(program: Program, broker: Broker, home: Path, arguments: Sequence[str]) -> Ended:
    """The user's command asks a thread of ours to kill the broker and to start it, and waits for it."""
    asked, done = home / "asked", home / "done"
    for pipe in (asked, done):
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)

    def restart() -> None:
        if not asked.read_bytes():
            return
        broker.kill()
        broker.start()
        done.write_bytes(b"")

    restarter = threading.Thread(target=restart)
    restarter.start()
    command = f"echo please > {asked}; cat {done} > {os.devnull}"
    pace = ("--messages", str(MESSAGES_RESTARTED), "--rate", str(RESTART_RATE))
    ended = program.run(*arguments, *pace, "--restart-command", command)
    # Who was never asked is still waiting for it.
    with contextlib.suppress(OSError):
        os.close(os.open(asked, os.O_WRONLY | os.O_NONBLOCK))
    restarter.join()
    return ended


def outcome(trial: Trial) -> Outcome:
    """What came of it, in the words of the table."""
    return Outcome(trial["verdict"])


def _entry(row: str, column: Column, trial: Trial) -> Entry:
    return Entry(row, column.title, outcome(trial), _reason(trial))


def _reason(trial: Trial) -> str:
    """Why it is no pass."""
    if trial["why"]:
        return str(trial["why"])
    for about, told in (trial["properties"] or {}).items():
        if told["verdict"] == trial["verdict"] != Outcome.PASS:
            found = [f"{told['violations']:,} of {told['chances']:,} {told['of']}"] if told["violations"] else []
            return f"{about}: {'; '.join([*found, *told['why']])}"
    return "; ".join(trial["doubts"])


def _tried(trials: Sequence[Trial]) -> bool:
    return any(outcome(trial) is not Outcome.UNSUPPORTED for trial in trials)


def counted(trials: Sequence[Trial]) -> str:
    """What was counted of what nobody promised, the most of all runs."""
    texts = {
        "no-loss": "{most:,} of {chances:,} lost",
        "no-duplicates": "{most:,} came again{unflagged}",
        "agreement": "two orders in {runs} of {all} runs",
    }
    return "; ".join(filter(None, (_most(trials, about, text) for about, text in texts.items())))


def _most(trials: Sequence[Trial], about: str, text: str) -> str:
    found = [
        told
        for trial in trials
        if (told := (trial["properties"] or {}).get(about)) and told["verdict"] is None and told["violations"]
    ]
    if not found:
        return ""
    worst = max(found, key=lambda told: int(told["violations"]))
    silent = worst["numbers"].get("unflagged")
    unflagged = f", {silent:,} of them unflagged" if silent else ""
    return text.format(
        most=worst["violations"], chances=worst["chances"], runs=len(found), all=len(trials), unflagged=unflagged
    )


def _tables(protocol: str, columns: Sequence[Column], found: Mapping[Column, Observed]) -> str:
    versions = ", ".join(dict.fromkeys(f"{column.broker} {found[column].version}" for column in columns))
    judged = Matrix(
        _entry(row, column, trial)
        for column in columns
        for row, trials in found[column].trials.items()
        if any(_tried(found[each].trials[row]) for each in columns)
        for trial in trials
    )
    rows = [
        f"| {row} | {' | '.join(words)} |\n"
        for row in judged.experiments
        if any(words := [counted(found[column].trials[row]) for column in columns])
    ]
    head = f"| counted | {' | '.join(column.title for column in columns)} |\n| {'--- | ' * (1 + len(columns))}".rstrip()
    return f"## {protocol}\n\n{versions}\n\n{markdown(judged)}\n### Counted over {protocol}\n\n{head}\n{''.join(rows)}"


def rewritten(text: str, tables: Mapping[str, str]) -> str:
    """The page with other tables of some protocols."""
    told = (
        f"{MESSAGES:,} messages in each run, {RUNS} runs of each case, seed {SEED} and the next ones.\n"
        f"Where the broker is killed and started again: one run, {MESSAGES_RESTARTED} messages at {RESTART_RATE}/s."
    )
    before, _, rest = text.partition(START)
    sections, _, after = rest.partition(END)
    for protocol, table in tables.items():
        pattern = re.compile(rf"^## {protocol}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
        sections = pattern.sub(lambda _, table=table: f"{table}\n", sections)
    first = sections.index("## ")
    return f"{before}{START}\n\n{told}\n\n{sections[first:]}{END}{after}"


def main() -> None:
    """Observe, and write the tables of the protocols that are named, or of all."""
    tables = {}
    for protocol in sys.argv[1:] or TABLES:
        found = {}
        for column in TABLES[protocol]:
            sys.stderr.write(f"{column.title} {column.scheme}\n")
            found[column] = observe(column)
        tables[protocol] = _tables(protocol, TABLES[protocol], found)
        PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")


if __name__ == "__main__":
    main()
