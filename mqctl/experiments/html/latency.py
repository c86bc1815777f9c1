"""How long deliveries took: a histogram of bars of equal ratio, with the quantiles that the samples suffice for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from mqctl.experiments.html.amounts import decades, took
from mqctl.experiments.html.markup import Node, node, number
from mqctl.measurement.histogram import Buckets, Histogram, last_of
from mqctl.measurement.report import latency_of

HEIGHT = 200
TICKS_MAX = 5
BARS_MAX = 64
_FINEST = 8
"""Bars for each doubling, at most."""

_DRAWN = ("p50", "p99")
_TOP, _BOTTOM = 40, 172


def chart(buckets: Buckets) -> Node | None:
    """The picture; None where nothing was measured."""
    if not buckets.counts:
        return None
    counts, finest = _bars(buckets)
    first, stop = min(counts), max(counts) + 1
    most = max(counts.values())
    width = 100 / (stop - first)
    scale = _Scale(first / finest, stop / finest)
    return node(
        "svg",
        (_bar(count, (at - first) * width, width, most) for at, count in sorted(counts.items())),
        node("line", class_="axis", x1="0", x2="100%", y1=_BOTTOM, y2=_BOTTOM),
        _ticks(scale),
        _quantiles(buckets, scale),
        width="100%",
        height=HEIGHT,
        role="img",
        aria_label=f"Latency, from {took(2**scale.low)} to {took(buckets.largest)}",
    )


def told(buckets: Buckets) -> Mapping[str, str]:
    """Quantiles in words, by their names."""
    latency = latency_of(Histogram(buckets))
    found = {name: took(ns) for name, ns in latency.quantiles.items() if ns is not None}
    return found | ({} if latency.longest_ns is None else {"max": took(latency.longest_ns)})


class _Scale:
    """Places of times on an axis of equal ratios. `low` and `high` are powers of two."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def share(self, ns: float) -> float:
        """In percent."""
        return 100 * (math.log2(max(1, ns)) - self.low) / (self.high - self.low)


def _bars(buckets: Buckets) -> tuple[Counter[int], int]:
    """How many took from 2**(i/k) ns up to the next, by i; and k, as fine as there is room for."""
    finest = _FINEST
    while True:
        counts: Counter[int] = Counter()
        for bucket, count in buckets.counts.items():
            counts[math.floor(finest * math.log2(max(1, last_of(bucket))))] += count
        if max(counts) - min(counts) < BARS_MAX or finest == 1:
            return counts, finest
        finest //= 2


def _bar(count: int, x: float, width: float, most: int) -> Node:
    height = max(2.0, (_BOTTOM - _TOP) * count / most)
    return node(
        "rect",
        node("title", f"{count:,}"),
        class_="bar",
        x=f"{number(x)}%",
        width=f"{number(width * 0.86)}%",
        y=_BOTTOM - height,
        height=height,
    )


def _ticks(scale: _Scale) -> Iterator[Node]:
    for ns in decades(2**scale.low, 2**scale.high, TICKS_MAX):
        share = scale.share(ns)
        anchor = "start" if share < 8 else "end" if share > 92 else "middle"
        x = f"{number(share)}%"
        yield node("line", class_="axis", x1=x, x2=x, y1=_BOTTOM, y2=_BOTTOM + 5)
        yield node("text", took(ns), class_="minor", x=x, y=HEIGHT - 8, text_anchor=anchor)


def _quantiles(buckets: Buckets, scale: _Scale) -> Iterator[Node]:
    found = latency_of(Histogram(buckets)).quantiles
    for row, name in enumerate(_DRAWN):
        ns = found[name]
        if ns is None:
            continue
        share = min(100.0, max(0.0, scale.share(ns)))
        x, end = f"{number(share)}%", share > 60
        yield node("line", class_="quantile", x1=x, x2=x, y1=row * 18 + 4, y2=_BOTTOM)
        yield node(
            "text",
            f"{name} {took(ns)}",
            class_="halo",
            x=x,
            dx=-5 if end else 5,
            y=row * 18 + 14,
            text_anchor="end" if end else None,
        )
