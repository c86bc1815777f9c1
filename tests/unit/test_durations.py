from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl.durations import format_duration, parse_duration
from mqctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("500ms", 0.5),
        ("10s", 10),
        ("2m", 120),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        (".5s", 0.5),
        (" 2M ", 120),
    ],
)
def test_a_duration_is_read_as_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["10", "1.5", ".5"])
def test_a_number_alone_is_refused_and_the_hint_shows_units(text):
    with pytest.raises(UsageError, match="no unit") as caught:
        parse_duration(text)
    assert f"{text}s" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["", "s", "10x", "-1s", "1 s", "s10", "1e3s", "nan", "infs", "9" * 400 + "s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.00025, "0.25ms"),
        (0.5, "500ms"),
        (1.5, "1.5s"),
        (60, "1m"),
        (90, "1m30s"),
        (5400, "1h30m"),
        (3661.25, "1h1m1.25s"),
    ],
)
def test_a_duration_is_written_in_its_natural_units(seconds, text):
    assert format_duration(seconds) == text


@given(st.integers(0, 10**9))
def test_what_is_written_is_read_back(ms):
    assert parse_duration(format_duration(ms / 1000)) == pytest.approx(ms / 1000, abs=1e-6)
