"""The report of `bench`: a table on a terminal, plain text in a pipe, or one JSON object."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

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

SCHEMA = 1
"""Of the JSON object."""

NS_PER_MS = 1e6


def publish_report(context: AppContext, outcome: Outcome, job: Job, greeting: Connected, *, as_json: bool) -> ExitCode:
    """Print the report, and say what was found; the exit code."""
    report, judgement = outcome
    if as_json:
        import msgspec

        context.emit(msgspec.json.encode(document(outcome, job, greeting)).decode())
    else:
        for title, text in rows(outcome, job, greeting):
            context.emit(f"{title:<12} {text}".rstrip())
    for reason in report.reasons:
        context.report(reason)
    for finding in judgement.findings:
        context.report(f"{judgement.verdict}: {finding.text}")
    return judgement.code


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
        ("", _counts(books, "duplicated", "unexpected", "out_of_order")),
        ("throughput", _throughput(report)),
        ("latency", "from when due, in ms" if report.load.rate is not None else _CLOSED),
        *[("", text) for text in _grid(report)],
        ("generator", _generator(report)),
    ]


def _counts(books: Books, *names: str, handed_over: bool = False) -> str:
    """Some of the books; without the broker's word, what the transport took is not called confirmed."""
    words = {"out_of_order": "out of order", **({"confirmed": "handed over"} if handed_over else {})}
    return ", ".join(f"{words.get(name, name)} {getattr(books, name):,}" for name in names)


_CLOSED = "in ms; closed loop: what waits for a confirmation is not sent meanwhile, which hides delays"


def _load(load: Load) -> str:
    rate = f"{load.rate:,g} messages/s (open loop)" if load.rate is not None else "as fast as confirmed (closed loop)"
    amount = f"{load.count:,} messages" if load.count is not None else format_duration(load.duration_s or 0)
    warmup = f" after {format_duration(load.warmup_s)} of warm-up" if load.warmup_s else ""
    share = " that share" if load.shared else ""
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


_HEADINGS = ("p50", "p90", "p95", "p99", "p99.9", "p99.99", "max")
_CELL = 10


def _grid(report: Report) -> list[str]:
    table = {
        "due to received": report.corrected,
        "sent to received": report.uncorrected,
        "sent to confirmed": report.confirming,
    }
    head = f"{'':<18}" + "".join(f"{heading:>{_CELL}}" for heading in _HEADINGS)
    return [head, *(f"{name:<18}" + "".join(_cells(latency)) for name, latency in table.items())]


def _cells(latency: Latency) -> list[str]:
    numbers = [*latency.quantiles.values(), latency.longest_ns]
    return [f"{'-' if ns is None else format(ns / NS_PER_MS, ',.3f'):>{_CELL}}" for ns in numbers]


def _generator(report: Report) -> str:
    sends, late, _, longest_ns = report.lateness
    shares = {name: share for name, share in report.cpu_shares.items() if share is not None}
    late_share = late / sends if sends else 0.0
    used = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    cpu = f", workers used {sum(shares.values()):.0%} of a core ({used})" if shares else ""
    return f"{late_share:.2%} more than 1 ms late, at most {longest_ns / NS_PER_MS:,.2f} ms{cpu}"


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
            "dropped": report.dropped,
            "cpu_share_by_worker": report.cpu_shares,
            "cpu_share": sum(filter(None, report.cpu_shares.values())),
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
