"""A run of `bench` while it lasts: charts on a terminal, a line each second elsewhere."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import NamedTuple

from mqctl.bench.conductor import HEAD_START_NS, Conductor, Phase
from mqctl.bench.crew import Crew
from mqctl.bench.messages import Job
from mqctl.cli.context import AppContext
from mqctl.errors import ExitCode, OperationTimeout
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.report import Report, put_together
from mqctl.measurement.verdict import Judgement, judge

SAMPLE_S = 1.0
"""How often a line is printed, or a point drawn."""

PATIENCE_S = 0.1
"""How long Ctrl-C may wait to be heard."""


class Outcome(NamedTuple):
    """What came of a run."""

    report: Report
    judgement: Judgement


class Moment(NamedTuple):
    """The last second or so of a run."""

    sent_per_s: float
    delivered_per_s: float
    p50_ns: int | None
    p99_ns: int | None
    longest_ns: int | None


class Follower:
    """Lets a run go on, and samples it once a second. A `Feed` of the screen.

    Args:
        conductor: Leads it.
        timeout_s: When the run is over; None is never.
        show: Given each sample.
    """

    def __init__(self, conductor: Conductor, timeout_s: float | None, show: Callable[[Moment], None]) -> None:
        self._conductor = conductor
        self._show = show
        now = time.monotonic()
        self._deadline = inf if timeout_s is None else now + timeout_s
        self._sampled_at = now
        self._seen = (0, 0)
        self.cut_short: ExitCode | None = None

    def warn_by(self, complain: Callable[[str], None]) -> None:
        """Tell what the user must hear this way from now on."""
        self._conductor.complain = complain

    @property
    def received(self) -> int:
        """Deliveries so far."""
        return self._conductor.received

    def step(self, patience_s: float = PATIENCE_S) -> bool:
        """Let the run go on for a moment; whether there is more to come.

        Raises:
            MqctlError: As `Conductor.step`.
        """
        if self.cut_short is None and time.monotonic() >= self._deadline:
            self.cut_short = ExitCode.TIMEOUT
        if self.cut_short is not None:
            return False
        going_on = self._conductor.step(min(patience_s, PATIENCE_S))
        self._sample(time.monotonic())
        return going_on

    def _sample(self, now: float) -> None:
        elapsed_s = now - self._sampled_at
        if self._conductor.phase is Phase.CONNECTING:
            # The workers begin so long after they are told to.
            self._sampled_at = now + HEAD_START_NS / NS_PER_S
        elif self._conductor.phase is not Phase.ENDING and elapsed_s >= SAMPLE_S:
            seen = (self._conductor.attempted, self._conductor.received)
            sent, delivered = ((new - old) / elapsed_s for new, old in zip(seen, self._seen, strict=True))
            self._sampled_at, self._seen = now, seen
            recent = self._conductor.take_recent()
            longest_ns = recent.largest if recent.count else None
            self._show(Moment(sent, delivered, recent.quantile(0.5), recent.quantile(0.99), longest_ns))


def lead(context: AppContext, crew: Crew, job: Job, *, drain_s: float, timeout_s: float | None, title: str) -> Outcome:
    """Lead a run to its end, or to that of the user's patience; `title` stands below its charts.

    Raises:
        MqctlError: A worker met an error that ends the run.
        OperationTimeout: The time was over before it began.
    """
    conductor = Conductor(crew, job, drain_s=drain_s, complain=context.report)
    cut_short = _follow(context, conductor, timeout_s, title)
    if cut_short is not None:
        begun = conductor.phase is not Phase.CONNECTING
        conductor.complain = context.report
        conductor.end()
        if not begun:
            raise _never_began(cut_short)
    dead = conductor.dead
    report = put_together(job.load, job.confirm, conductor.works, cut_short=cut_short is not None or bool(dead))
    return Outcome(report, judge(report, cut_short=cut_short, dead=dead))


def _follow(context: AppContext, conductor: Conductor, timeout_s: float | None, title: str) -> ExitCode | None:
    """Show a run while it lasts; why it ended before its time, if it did."""
    if context.can_draw and not context.quiet:
        from mqctl.cli.bench_charts import charts_for

        charts = charts_for(context)
        follower = Follower(conductor, timeout_s, charts.show)
        with _heard(follower):
            charts.draw(follower, title)
    else:
        follower = Follower(conductor, timeout_s, lambda moment: context.say(line(moment)))
        with _heard(follower):
            while follower.step():
                pass
    if follower.cut_short is None and conductor.phase is not Phase.DONE:
        return ExitCode.INTERRUPTED
    return follower.cut_short


def _never_began(code: ExitCode) -> BaseException:
    if code is ExitCode.TIMEOUT:
        return OperationTimeout("--timeout was over before the run began")
    return KeyboardInterrupt()


def line(moment: Moment) -> str:
    """A sample as a line of text."""
    times = [("p50", moment.p50_ns), ("p99", moment.p99_ns), ("max", moment.longest_ns)]
    words = [f"{name} {ns / 1e6:.2f} ms" for name, ns in times if ns is not None]
    return ", ".join([f"sent {moment.sent_per_s:,.0f}/s", f"delivered {moment.delivered_per_s:,.0f}/s", *words])


@contextmanager
def _heard(follower: Follower) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run at the next step; a second one ends the program."""

    def on_signal(_number: int, _frame: object) -> None:
        if follower.cut_short is not None:
            raise KeyboardInterrupt
        follower.cut_short = ExitCode.INTERRUPTED

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, on_signal) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
