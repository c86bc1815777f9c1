"""What the measurements share: things run in turn, medians, a table."""

from __future__ import annotations

import os
import random
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

ROOT = Path(__file__).parent.parent
MQCTL = str(Path(sys.executable).parent / "mqctl")

BOOTSTRAPS = 10_000

T = TypeVar("T")

# The settings of whoever runs this must not take part.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MQCTL_")}


def in_turn(rounds: int, *measures: Callable[[], T]) -> list[list[T]]:
    """Run all measures once to warm up, then `rounds` times in turn; the results of each."""
    results: list[list[T]] = [[] for _ in measures]
    for round_ in range(-1, rounds):
        for result, measure in zip(results, measures, strict=True):
            value = measure()
            if round_ >= 0:
                result.append(value)
    return results


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The median of the ratios pair by pair, with their range."""
    pairs = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return f"{statistics.median(pairs):.2f}× ({pairs[0]:.2f} to {pairs[-1]:.2f})"


def interval(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The median of the ratios pair by pair, with its 95 % interval by the bootstrap: by pairs drawn anew."""
    pairs = [a / b for a, b in zip(ours, theirs, strict=True)]
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(pairs, k=len(pairs))) for _ in range(BOOTSTRAPS))
    low, high = medians[round(0.025 * BOOTSTRAPS)], medians[round(0.975 * BOOTSTRAPS) - 1]
    return f"{statistics.median(pairs):.2f}× ({low:.2f} to {high:.2f})"


def median(values: Sequence[float], unit: str, scale: float = 1.0) -> str:
    """The median, scaled."""
    value = statistics.median(values) * scale
    return f"{value:,.{0 if value >= 100 else 2}f} {unit}"


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, from the kernel's account of it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wall_s(command: Sequence[str], settings: Mapping[str, str] = MappingProxyType({})) -> float:
    """Seconds that a command takes as a whole process; `settings` are added to its environment."""
    start = time.perf_counter()
    environment = {**ENVIRONMENT, **settings}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


@contextmanager
def serving(command: Sequence[str], last: str = "") -> Iterator[list[str]]:
    """Run a server; inside, its lines of output up to one that starts with `last`, which tells that it is ready."""
    with running(command, last) as (lines, _):
        yield lines


@contextmanager
def running(command: Sequence[str], last: str = "") -> Iterator[tuple[list[str], int]]:
    """The same, with the process id."""
    server = subprocess.Popen(command, env=ENVIRONMENT, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield list(_through(last, server.stdout)), server.pid
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()


def _through(last: str, output: Iterable[str]) -> Iterator[str]:
    for line in output:
        yield line.strip()
        if line.startswith(last):
            return


@contextmanager
def broker(name: str, heap_mb: int = 1024) -> Iterator[dict[str, str]]:
    """A real broker in a process of its own; what its launcher tells of it, or nothing where it is not installed."""
    command = [sys.executable, "-m", "tests.brokers", "run", name, "--heap", str(heap_mb)]
    with serving(command, last="log=") as lines:
        yield dict(shlex.split(line)[0].partition("=")[::2] for line in lines)


def hub() -> contextmanager[list[str]]:
    """A hub in a process of its own; its URL."""
    return serving([MQCTL, "hub", "--stomp", "127.0.0.1:0"])


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    for row in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(row)} |")
    sys.stdout.flush()
