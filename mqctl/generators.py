"""Values made to order for `--generate NAME[:params]`: endless, seeded, the same in every run with the same seed."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mqctl.errors import UsageError

FIELD_SIZE = 500
"""Side of the square field that positions move on."""


Params = Mapping[str, Any]
"""A generator's parameters by name: numbers, and for `const` any JSON value."""

BARS_MAX = 1000
NUMBER_MAX = 1e15
"""Beyond it a step of one is lost in a double."""


def _rotate(_rng: random.Random, *, start: float, step: float) -> Iterator[object]:
    return ((start + step * n) % 360 for n in itertools.count())


def _bars(rng: random.Random, *, n: int, low: int, high: int) -> Iterator[object]:
    while True:
        yield [rng.randint(low, high) for _ in range(n)]


def _circle(_rng: random.Random, *, x: float, y: float, radius: float, step: float) -> Iterator[object]:
    def at(n: int) -> dict[str, int]:
        angle = math.radians(step * n % 360)
        return {"x": round(x + radius * math.cos(angle)), "y": round(y + radius * math.sin(angle))}

    return map(at, itertools.count())


def _sine(_rng: random.Random, *, low: float, high: float, period: float) -> Iterator[object]:
    middle, amplitude = (low + high) / 2, (high - low) / 2
    phases = (math.tau * (n % period / period) for n in itertools.count())
    return (round(middle + amplitude * math.sin(phase), 3) for phase in phases)


def _ramp(_rng: random.Random, *, low: float, high: float, step: float) -> Iterator[object]:
    steps = math.floor((high - low) / step) + 1
    return (low + step * (n % steps) for n in itertools.count())


def _walk(rng: random.Random, *, start: float, step: float) -> Iterator[object]:
    at = start
    while True:
        yield round(at, 3)
        at += rng.uniform(-step, step)


def _const(_rng: random.Random, *, value: object) -> Iterator[object]:
    return itertools.repeat(value)


class Generator(NamedTuple):
    """A kind of generator: its parameters with their defaults, and how long to wait between two values."""

    make: Callable[..., Iterator[object]]
    params: Params
    help: str
    interval_s: float = 1.0
    rule: str = ""
    """What `valid` asks, in words."""
    valid: Callable[[Params], bool] = lambda _: True


GENERATORS: Mapping[str, Generator] = {
    "rotate": Generator(
        make=_rotate,
        params={"start": 0, "step": 50},
        help="an angle in degrees, turning by step",
    ),
    "bars": Generator(
        make=_bars,
        params={"n": 7, "low": 1, "high": 20},
        help="n random whole numbers, low to high",
        rule=f"n from 1 to {BARS_MAX}, and low not above high",
        valid=lambda p: 1 <= p["n"] <= BARS_MAX and p["low"] <= p["high"],
    ),
    "circle": Generator(
        make=_circle,
        params={"x": FIELD_SIZE // 2, "y": FIELD_SIZE // 2, "radius": 200, "step": 1},
        help="a position going round a circle, step degrees at a time",
        interval_s=0.05,
    ),
    "sine": Generator(
        make=_sine,
        params={"low": 0, "high": 100, "period": 60},
        help="a wave, period values long",
        rule="a period other than 0",
        valid=lambda p: p["period"] != 0,
    ),
    "ramp": Generator(
        make=_ramp,
        params={"low": 0, "high": 100, "step": 1},
        help="from low up to high, then again",
        rule=f"low not above high, a step above 0, and at most {NUMBER_MAX:g} steps",
        valid=lambda p: p["low"] <= p["high"] and p["step"] > 0 and (p["high"] - p["low"]) / p["step"] <= NUMBER_MAX,
    ),
    "walk": Generator(
        make=_walk,
        params={"start": 0, "step": 1},
        help="a random walk, at most step at a time",
    ),
    "const": Generator(
        make=_const,
        params={"value": 1},
        help="the same value, any JSON or text",
    ),
}


class Generate(NamedTuple):
    """A generator as asked for, with every parameter known."""

    name: str
    params: Params

    @property
    def interval_s(self) -> float:
        """How long to wait between two values unless the user says otherwise."""
        return GENERATORS[self.name].interval_s

    def values(self, rng: random.Random) -> Iterator[object]:
        """The JSON-able values, without end."""
        return GENERATORS[self.name].make(rng, **self.params)


def parse_generator(spec: str) -> Generate:
    """Read `NAME` or `NAME:param=value,…`; `const:VALUE` needs no name for its one parameter.

    Raises:
        UsageError: No such generator or parameter (the nearest is named), or a value that makes no sense.
    """
    name, _, rest = spec.partition(":")
    generator = GENERATORS.get(name)
    if generator is None:
        raise UsageError(f"no generator {name!r}", hint=_nearest(name, GENERATORS))
    given = {"value": _json_or_text(rest)} if name == "const" and rest else _given(name, rest)
    params = {**generator.params, **given}
    if not generator.valid(params):
        raise UsageError(f"{name} needs {generator.rule}")
    return Generate(name, params)


def _given(name: str, text: str) -> dict[str, float]:
    known = GENERATORS[name].params
    given = {}
    for item in filter(None, text.split(",")):
        key, _, number = item.partition("=")
        if key not in known:
            raise UsageError(f"{name} has no parameter {key!r}", hint=_nearest(key, known))
        given[key] = _number(key, number, whole=name == "bars")
    return given


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"


def _json_or_text(text: str) -> object:
    text = text.removeprefix("value=")
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _number(key: str, text: str, *, whole: bool) -> int | float:
    for read in (int,) if whole else (int, float):
        with contextlib.suppress(ValueError):
            number = read(text)
            if abs(number) <= NUMBER_MAX:  # false for NaN too
                return number
    raise UsageError(f"{key} must be a {'whole number' if whole else 'number'}, not {text[:20]!r}")
