"""The options of `mqctl experiment …`."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from mqctl import topics
from mqctl.cli.bench_options import RATE_MAX
from mqctl.cli.options import TimeoutOption, duration_option
from mqctl.errors import UsageError
from mqctl.experiments.plan import GROUPS, Params
from mqctl.experiments.policy import Policy, expectation
from mqctl.measurement.stamp import PUBLISHERS_MAX, SIZE_MIN
from mqctl.topics import STOMP_QUEUE_PREFIX

MESSAGES = 1000
MESSAGES_MIN = 40
"""Fewer leave no room for the faults that are planted among them."""

MESSAGES_MAX = 100_000_000
CLIENTS_MAX = 1000
REPEAT_MAX = 10_000
SIZE_MAX = 2**20
FILLERS = 20
QUIET_S = 2.0
DRAIN_S = 30.0
RUN_DIR = Path("runs")
SEED_BITS = 32

SimulateOption = Annotated[
    bool, typer.Option("--simulate", help="Run mqctl's own broker in simulated time; --seed repeats all of it.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatOptions:
    """What is tried, and how much of it."""

    TITLE: ClassVar = "The experiment"

    case: Annotated[
        list[str] | None, typer.Option("--case", metavar="NAME", help="Only this one; may be repeated. All if absent.")
    ] = None
    messages: Annotated[
        int, typer.Option("-n", "--messages", min=MESSAGES_MIN, max=MESSAGES_MAX, metavar="N", help="In each run.")
    ] = MESSAGES
    producers: Annotated[
        int | None,
        typer.Option("-x", "--producers", min=1, max=CLIENTS_MAX, metavar="N", help="Connections that send."),
    ] = None
    consumers: Annotated[
        int | None, typer.Option("-y", "--consumers", min=1, max=CLIENTS_MAX, metavar="N", help="Those that receive.")
    ] = None
    fillers: Annotated[
        int,
        typer.Option(
            "--fillers", min=0, max=CLIENTS_MAX, metavar="N", help="Subscribers in between (strict-dispatch)."
        ),
    ] = FILLERS
    groups: Annotated[
        int, typer.Option("--groups", min=1, max=PUBLISHERS_MAX, metavar="N", help="Message groups (message-groups).")
    ] = GROUPS
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", metavar="N", help="Messages per second of all together; if absent, as fast as confirmations come."
        ),
    ] = None
    size: Annotated[int, typer.Option("--size", min=SIZE_MIN, max=SIZE_MAX, metavar="BYTES", help="Of a message.")] = (
        128
    )
    topic: Annotated[
        str | None, typer.Option("--topic", metavar="TOPIC", help="Where there is one; a fresh one if absent.")
    ] = None
    queue: Annotated[
        str | None, typer.Option("--queue", metavar="QUEUE", help="Where there is one; a fresh one if absent.")
    ] = None

    def params(self, expect: str | None) -> Params:
        """The same as a value.

        Raises:
            UsageError: An impossible rate, topic, queue or expectation.
        """
        if self.rate is not None and not 0 < self.rate <= RATE_MAX:
            raise UsageError(f"--rate is above 0 and at most {RATE_MAX:,}, not {self.rate:g}")
        topic = None if self.topic is None else topics.parse(self.topic)
        if topic is not None and topics.is_wildcard(topic):
            raise UsageError(f"--topic is one to publish to, so it has no wildcard: {self.topic!r}")
        queue = None
        if self.queue is not None:
            name = self.queue if self.queue.startswith("/") else STOMP_QUEUE_PREFIX + self.queue
            queue = topics.parse(name, native=True)
        policy = expectation(word.strip() for word in expect.split(",")) if expect else Policy(expected=frozenset())
        return Params(
            expect=tuple(sorted(policy.expected)),
            limits=policy.limits,
            producers=self.producers,
            consumers=self.consumers,
            messages=self.messages,
            fillers=self.fillers,
            groups=self.groups,
            timed=self.rate is not None,
            topic=topic,
            queue=queue,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How it is run, what is expected, where it is told."""

    TITLE: ClassVar = "The run"

    expect: Annotated[
        str | None,
        typer.Option(
            "--expect", metavar="NAMES", help="What must hold instead, such as 'fifo,p99<50ms' (see mqctl check)."
        ),
    ] = None
    repeat: Annotated[int, typer.Option("--repeat", min=1, max=REPEAT_MAX, metavar="N", help="Run each N times.")] = 1
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Makes the places of faults the same.")] = None
    quiet_for: Annotated[float, duration_option("--quiet-for", "Nothing came for this long, so nothing more will.")] = (
        QUIET_S
    )
    drain: Annotated[float, duration_option("--drain", "Wait for that at most so long.")] = DRAIN_S
    timeout: TimeoutOption = None
    run_dir: Annotated[
        Path, typer.Option("--run-dir", metavar="FOLDER", help="Each run gets a folder of its own in it.")
    ] = RUN_DIR
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the verdicts as JUnit's XML too.")
    ] = None
    json: Annotated[bool, typer.Option("--json", help="One JSON object per run.")] = False

    def first_seed(self) -> int:
        """The seed of the first run; that of each later one is one higher."""
        return random.SystemRandom().getrandbits(SEED_BITS) if self.seed is None else self.seed
