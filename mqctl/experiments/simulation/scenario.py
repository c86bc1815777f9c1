"""A simulated experiment as a value: what is run, on which ground, and the command line that runs it again."""

from __future__ import annotations

import random
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from mqctl.broker.core import Broker
from mqctl.broker.values import Limits
from mqctl.experiments.cases import Case
from mqctl.experiments.events import VERSION, Header
from mqctl.experiments.plan import Ground, Params
from mqctl.experiments.simulation.dialing import WAYS
from mqctl.experiments.simulation.run import SIZE, Simulation
from mqctl.experiments.simulation.weather import Weather
from mqctl.model import Dialect
from mqctl.topics import text_of

BROKER: Final = "mqctl, simulated"


def _ground(protocol: str) -> Ground:
    return Ground(
        protocol=protocol,
        dialect=Dialect.HUB,
        broker=BROKER,
        features=frozenset(),
        unbreakable="",
        restartable=False,
        name="mqctl.simulated",
        simulated=True,
    )


GROUNDS: Final = tuple(map(_ground, WAYS))
"""What is simulated, in order of preference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run.

    Attributes:
        experiment: The name of the family of experiments.
        case: Which of them.
        seed: Decides the rest.
        params: How much, as the user asked.
        rate: Messages per second of all producers together; None leaves it to the plan.
        size: Of a message, in bytes.
    """

    experiment: str
    case: Case
    seed: int
    params: Params = field(default_factory=Params)
    rate: float | None = None
    size: int = SIZE

    @property
    def ground(self) -> Ground:
        """Where it can be done; where it cannot, where one would do it first."""
        return next((each for each in GROUNDS if not self.case.lacks(self.params, each)), GROUNDS[0])

    @property
    def lacks(self) -> str:
        """Why it cannot be simulated; "" where it can."""
        why = self.case.lacks(self.params, self.ground)
        if why and any(not self.case.lacks(self.params, replace(each, restartable=True)) for each in GROUNDS):
            return "the broker is not restarted in a simulation"
        return why

    @property
    def command(self) -> str:
        """What to type to see the same again."""
        words = ["mqctl", "experiment", self.experiment, "--simulate", "--seed", str(self.seed)]
        words += ["--case", self.case.name, *self._amounts()]
        return shlex.join(words)

    def begin(
        self, *, make_broker: Callable[[Limits], Broker] = Broker, weather: Weather | None = None
    ) -> tuple[Header, Simulation]:
        """The first line of its history, and what makes the others.

        Args:
            make_broker: The broker under test.
            weather: The network; None is one that the seed draws.
        """
        ground = self.ground
        plan = self.case.limited(self.params, ground, random.Random(self.seed))  # noqa: S311 - places of faults
        header = Header(
            version=VERSION,
            name=f"{self.experiment} {plan.name}",
            protocol=ground.protocol,
            mode=plan.mode,
            expect=plan.words,
            facts={"simulated": True, "seed": self.seed, "broker": ground.broker, "command": self.command},
        )
        return header, Simulation(
            plan,
            seed=self.seed,
            protocol=ground.protocol,
            rate=self.rate or plan.rate,
            size=self.size,
            make_broker=make_broker,
            weather=weather,
        )

    def _amounts(self) -> Iterator[str]:
        """The options that are not as usual."""
        params, usual = self.params, Params()
        options = {
            "--messages": (params.messages, usual.messages),
            "--producers": (params.producers, None),
            "--consumers": (params.consumers, None),
            "--fillers": (params.fillers, usual.fillers),
            "--groups": (params.groups, usual.groups),
            "--rate": (self.rate, None),
            "--size": (self.size, SIZE),
            "--topic": (params.topic and text_of(params.topic), None),
            "--queue": (params.queue and text_of(params.queue), None),
            "--expect": (",".join([*params.expect, *map(str, params.limits)]), ""),
        }
        for name, (value, default) in options.items():
            if value != default:
                yield from (name, str(value))
