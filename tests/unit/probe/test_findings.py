"""Findings: the numbers that they are made of, and the form for programs."""

from __future__ import annotations

import json

import pytest

from mqctl.probe.findings import SCHEMA, Finding, Outcome, Report, bounds, median_and_max_ms, next_size


def test_json_has_every_finding_with_its_numbers() -> None:
    report = Report("stomp://h:1", (Finding("qos 2", Outcome.PARTLY, "delivered at 1", {"granted": 1}),), ("a queue",))
    assert json.loads(json.dumps(report.as_json())) == {
        "schema": SCHEMA,
        "broker": "stomp://h:1",
        "findings": [{"question": "qos 2", "outcome": "partly", "seen": "delivered at 1", "granted": 1}],
        "left_behind": ["a queue"],
    }


def test_the_middle_and_the_longest_are_in_milliseconds() -> None:
    assert median_and_max_ms([3_000_000, 1_000_000, 2_000_000]) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("taken", "refused", "words"),
    [
        ([1024, 2048], [], "2 KiB, and perhaps more: --max-size tries larger ones"),
        ([512], [1024, 700], "512 B, but not 700 B"),
        ([], [1024], "0 B, but not 1 KiB"),
        ([1024], [], "1 KiB, but not 2 KiB"),
    ],
)
def test_bounds_in_words(taken: list[int], refused: list[int], words: str) -> None:
    assert bounds(2048, taken, refused) == words


@pytest.mark.parametrize(
    ("low", "high", "size"), [(0, 1024, 512), (100, 102, None), (1000, 1020, None), (1, 2, None), (1000, 1100, 1050)]
)
def test_the_next_size_halves_until_it_is_near(low: int, high: int, size: int | None) -> None:
    assert next_size(low, high) == size
