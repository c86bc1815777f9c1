from __future__ import annotations

import itertools
import json
import math
import random

import pytest

from mqctl.errors import UsageError
from mqctl.generators import BARS_MAX, GENERATORS, parse_generator


def first(count, spec, seed=1):
    return list(itertools.islice(parse_generator(spec).values(random.Random(seed)), count))


def test_rotate_turns_by_fifty_degrees_below_360():
    assert first(9, "rotate") == [0, 50, 100, 150, 200, 250, 300, 350, 40]
    assert first(2, "rotate:start=350,step=20") == [350, 10]


def test_bars_are_seven_whole_numbers_from_1_to_20():
    rows = first(500, "bars")
    assert {len(row) for row in rows} == {7}
    assert {n for row in rows for n in row} == set(range(1, 21))
    assert first(1, "bars:n=2,low=5,high=5") == [[5, 5]]


def test_circle_goes_round_in_whole_steps_of_a_degree():
    around = first(361, "circle")
    assert around[0] == {"x": 450, "y": 250}
    assert around[90] == {"x": 250, "y": 450}
    assert around[360] == around[0]
    for at in around:
        assert math.hypot(at["x"] - 250, at["y"] - 250) == pytest.approx(200, abs=1)
        assert all(isinstance(n, int) for n in at.values())


def test_sine_runs_between_low_and_high_once_a_period():
    wave = first(60, "sine")
    assert (wave[0], wave[15], wave[45]) == (50, 100, 0)
    assert first(5, "sine:period=4,low=-1,high=1") == [0, 1, 0, -1, 0]


def test_ramp_starts_again_after_high():
    assert first(5, "ramp:low=1,high=3") == [1, 2, 3, 1, 2]
    assert first(3, "ramp:low=2,high=2") == [2, 2, 2]


def test_walk_takes_steps_no_longer_than_step():
    walk = first(200, "walk:start=10,step=2")
    assert walk[0] == 10
    assert max(abs(b - a) for a, b in itertools.pairwise(walk)) <= 2.001


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("const", 1),
        ("const:5", 5),
        ("const:value=5", 5),
        ("const:[1,2]", [1, 2]),
        ("const:hello", "hello"),
        ("const:NaN", "NaN"),
        ("const:" + "[" * 100_000, "[" * 100_000),
    ],
)
def test_const_repeats_any_json_or_text(spec, value):
    assert first(2, spec) == [value, value]


@pytest.mark.parametrize("name", GENERATORS)
def test_a_seed_repeats_the_values_and_they_are_json(name):
    assert first(20, name, seed=3) == first(20, name, seed=3)
    json.dumps(first(20, name), allow_nan=False)


@pytest.mark.parametrize("name", ["bars", "walk"])
def test_another_seed_gives_other_values(name):
    assert first(20, name, seed=3) != first(20, name, seed=4)


def test_circle_comes_every_50_ms_and_the_rest_every_second():
    assert parse_generator("circle").interval_s == 0.05
    assert {parse_generator(name).interval_s for name in GENERATORS if name != "circle"} == {1.0}


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("rotat", "no generator 'rotat'", "did you mean rotate?"),
        ("zzz", "no generator 'zzz'", "there are: rotate, bars"),
        ("rotate:strat=5", "rotate has no parameter 'strat'", "did you mean start?"),
        ("rotate:qq", "rotate has no parameter 'qq'", "there are: start, step"),
        ("rotate:start=x", "start must be a number, not 'x'", None),
        ("rotate:start=nan", "start must be a number", None),
        ("rotate:start=1e16", "start must be a number", None),
        ("rotate:start=" + "9" * 5000, "start must be a number", None),
        ("rotate:start", "start must be a number, not ''", None),
        ("bars:n=1.5", "n must be a whole number", None),
        ("bars:n=0", "bars needs n from 1", None),
        (f"bars:n={BARS_MAX + 1}", "bars needs n from 1", None),
        ("bars:low=9,high=8", "low not above high", None),
        ("sine:period=0", "sine needs a period other than 0", None),
        ("ramp:step=0", "a step above 0", None),
        ("ramp:low=2,high=1", "low not above high", None),
        ("ramp:step=1e-320", "ramp needs", None),
    ],
)
def test_a_wrong_call_is_a_sentence_with_the_nearest_name(spec, message, hint):
    with pytest.raises(UsageError, match=message) as caught:
        parse_generator(spec)
    assert (caught.value.hint or "").startswith(hint or "")


@pytest.mark.parametrize("spec", ["rotate:", "rotate:start=1,", "const:"])
def test_empty_parameters_mean_the_defaults_of_what_is_left_out(spec):
    assert first(1, spec)[0] in (0, 1)


def test_a_wave_of_any_period_goes_on_for_ever():
    """The phase is kept small: the sine of infinity is an error, and one of a huge number is noise."""
    assert all(0 <= value <= 100 for value in first(3, "sine:period=1e-320"))
    assert first(5, "sine:period=-4") == [50, 0, 50, 100, 50]
