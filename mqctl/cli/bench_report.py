"""The report of `bench`: a table on a terminal, plain text in a pipe, or one JSON object."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mqctl import __version__, topics
from mqctl.bench.messages import Job
from mqctl.cli.bench_live import Outcome
from mqctl.cli.context import AppContext
from mqctl.durations import format_duration
from mqctl.errors import ExitCode
from mqctl.measurement.books import Books
from mqctl.measurement.load import Load
from mqctl.measurement.report import Latency, Report
from mqctl.model import Confirmation, Connected
from mqctl.sizes import format_size

if TYPE_CHECKING:
    from rich.box import Box
    from rich.table import Table

SCHEMA = 1
"""Of the JSON object."""

NS_PER_MS = 1e6


def publish_report(context: AppContext, outcome: Outcome, job: Job, greeting: Connected, *, as_json: bool) -> ExitCode:
    """Print the report, and say what was found; the exit code."""
    report, judgement = outcome
    if as_json:
        import msgspec

        context.emit(msgspec.json.encode(document(outcome, job, greeting)).decode())
    elif context.can_draw:
        _draw(context, rows(outcome, job, greeting), grid(report))
    else:
        _print(context, rows(outcome, job, greeting), grid(report))
    for reason in report.reasons:
        context.report(reason)
    for finding in judgement.findings:
        context.report(f"{judgement.verdict if finding.code else 'besides'}: {finding.text}")
    return judgement.code


def _print(context: AppContext, texts: Sequence[tuple[str, str]], table: Sequence[Sequence[str]]) -> None:
    for title, text in texts:
        context.emit(f"{title:<{_TITLE_WIDTH}}{text}")
    for name, *cells in table:
        context.emit(f"{name:<{_NAME_WIDTH}}" + "".join(f"{cell:>{_CELL_WIDTH}}" for cell in cells))


def _draw(context: AppContext, texts: Sequence[tuple[str, str]], table: Sequence[Sequence[str]]) -> None:
    """The same on a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    for title, text in texts:
        facts.add_row(Text(title, style="bold"), Text(text))
    console = Console()
    console.print(facts)
    lines = box.SIMPLE_HEAD if context.has_unicode else box.ASCII
    across = _times(table, lines)
    wants = console.measure(across, options=console.options.update(max_width=_WIDE)).maximum
    # A number that is cut off is no number: where the table is too wide, it is turned.
    console.print(across if wants <= console.width else _times([*zip(*table, strict=True)], lines))


def _times(cells: Sequence[Sequence[str]], lines: Box) -> Table:
    from rich.table import Table

    times = Table(box=lines)
    times.add_column(cells[0][0], no_wrap=True)
    for title in cells[0][1:]:
        times.add_column(title, justify="right", no_wrap=title in _QUANTILES)
    for row in cells[1:]:
        times.add_row(*row)
    return times


def rows(outcome: Outcome, job: Job, greeting: Connected) -> list[tuple[str, str]]:
    """The report as titles and texts."""
    report = outcome.report
    books = report.books
    handed_over = report.asked is not Confirmation.BROKER
    return [
        ("verdict", outcome.judgement.verdict),
        ("broker", f"{greeting.peer} ({greeting.server or 'without a name'}), {topics.text_of(job.topic)}"),
        ("load", _load(report.load)),
        ("published", _counts(books, "attempted", "confirmed", "rejected", "unknown", handed_over=handed_over)),
        ("delivered", _counts(books, "expected", "delivered", "lost", "recovered")),
        ("besides", _counts(books, "duplicated", "unexpected", "out_of_order")),
        ("throughput", _throughput(report)),
        ("generator", _generator(report)),
        ("latency", _clocks(report)),
    ]


def _counts(books: Books, *names: str, handed_over: bool = False) -> str:
    """Some of the books; without the broker's word, what the transport took is not called confirmed."""
    words = {"out_of_order": "out of order", **({"confirmed": "handed over"} if handed_over else {})}
    return ", ".join(f"{words.get(name, name)} {getattr(books, name):,}" for name in names)


def _clocks(report: Report) -> str:
    """What the latencies below are worth."""
    if report.load.rate is None:
        return "closed loop: what waits for a confirmation is not sent meanwhile, so that delays are hidden"
    if report.unclocked:
        return f"without {report.unclocked:,} deliveries from other machines, whose clocks cannot be compared"
    return "from when a message was due, whenever it was sent"


def _load(load: Load) -> str:
    rate = f"{load.rate:,g} messages/s (open loop)" if load.rate is not None else "as fast as it goes (closed loop)"
    amount = f"{load.count:,} messages" if load.count is not None else format_duration(load.duration_s or 0)
    warmup = f" after {format_duration(load.warmup_s)} of warm-up" if load.warmup_s else ""
    share = " that share the messages" if load.shared and load.subscribers > 1 else ""
    return (
        f"{_several(load.publishers, 'publisher')}, {_several(load.subscribers, 'subscriber')}{share}, {rate}, "
        f"{format_size(load.size)}, {amount}{warmup}"
    )


def _several(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def _throughput(report: Report) -> str:
    words = [f"sent {_number(report.sent_per_s)}/s", f"delivered {_number(report.delivered_per_s)}/s"]
    if report.delivered_least_per_s is not None:
        words.append(f"worst second {report.delivered_least_per_s:,}")
    if report.stall_ns is not None:
        words.append(f"longest stall {report.stall_ns / NS_PER_MS:,.2f} ms")
    return ", ".join(words)


def _number(number: float | None) -> str:
    return "-" if number is None else f"{number:,.0f}"


_QUANTILES = ("p50", "p90", "p95", "p99", "p99.9", "p99.99", "max")
_WIDE = 1000
"""Columns of a terminal on which everything finds room."""

_TITLE_WIDTH, _NAME_WIDTH, _CELL_WIDTH = 12, 19, 10


def grid(report: Report) -> list[list[str]]:
    """The latencies as a table, its head first."""
    latencies = {
        "due to received": report.corrected,
        "sent to received": report.uncorrected,
        "sent to confirmed": report.confirming,
    }
    return [["in ms", *_QUANTILES], *([name, *_cells(latency)] for name, latency in latencies.items())]


def _cells(latency: Latency) -> list[str]:
    return [
        "-" if ns is None else format(ns / NS_PER_MS, ",.3f")
        for ns in (*latency.quantiles.values(), latency.longest_ns)
    ]


def _generator(report: Report) -> str:
    sends, late, _, longest_ns = report.lateness
    words = []
    if report.load.rate is not None and sends:
        words.append(f"{late / sends:.2%} more than 1 ms late, at most {longest_ns / NS_PER_MS:,.2f} ms")
    if report.cpu_share is not None:
        used = ", ".join(f"{name} {share:.0%}" for name, share in report.cpu_shares.items() if share is not None)
        words.append(f"workers used {report.cpu_share:.0%} of a core ({used})")
    return ", ".join(words) or "nothing is known"


def document(outcome: Outcome, job: Job, greeting: Connected) -> dict[str, Any]:
    """The report as a JSON object; units are in the names."""
    report = outcome.report
    load = report.load
    return {
        "schema": SCHEMA,
        "verdict": outcome.judgement.verdict,
        "findings": [finding.text for finding in outcome.judgement.findings],
        "environment": _environment(greeting),
        "load": {
            **{name: value for name, value in asdict(load).items() if name != "run"},
            "run": f"{load.run:016x}",
            "topic": topics.text_of(job.topic),
            "loop": "closed" if load.rate is None else "open",
            "confirm": job.confirm.name.lower(),
            "persistent": job.persistent,
            "qos": job.qos,
            "ack": job.ack,
        },
        "books": asdict(report.books),
        "publishers": [asdict(books) for books in report.publishers],
        "sent_per_s": report.sent_per_s,
        "delivered_per_s": report.delivered_per_s,
        "delivered_least_per_s": report.delivered_least_per_s,
        "sent_each_second": report.sent_each_second,
        "delivered_each_second": report.delivered_each_second,
        "longest_stall_ms": _ms(report.stall_ns),
        "latency_due_to_received": _latency(report.corrected),
        "latency_sent_to_received": _latency(report.uncorrected),
        "latency_sent_to_confirmed": _latency(report.confirming),
        "deliveries_without_latency": report.unclocked,
        "generator": {
            "sends": report.lateness.sends,
            "late": report.lateness.late,
            "late_after_a_wait": report.lateness.held,
            "latest_ms": _ms(report.lateness.longest_ns),
            "unsent": report.unsent,
            "dropped": report.dropped,
            "cpu_share_by_worker": report.cpu_shares,
            "cpu_share": report.cpu_share,
        },
    }


def _latency(latency: Latency) -> dict[str, float | int | None]:
    quantiles = {f"{name}_ms": _ms(ns) for name, ns in latency.quantiles.items()}
    return {"samples": latency.samples, **quantiles, "max_ms": _ms(latency.longest_ns)}


def _ms(ns: int | None) -> float | None:
    return None if ns is None else ns / NS_PER_MS


def _environment(greeting: Connected) -> Mapping[str, Any]:
    return {
        "peer": greeting.peer,
        "server": greeting.server,
        "mqctl": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
    }
