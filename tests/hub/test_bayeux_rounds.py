"""Answers to connects that wait: a few at once, many in rounds, between which messages gather."""

from __future__ import annotations

import asyncio
import time

import pytest

from mqctl.hub.bayeux_rounds import ROUND_S_MAX, SHARE, SLACK_S, Rounds
from tests.hub.bayeux import Poller

WORK_S = 0.05


class Port:
    """Asks again when it is told to."""

    def __init__(self, rounds: Rounds) -> None:
        self.rounds = rounds
        self.answered = asyncio.get_running_loop().create_future()

    def mark_dirty(self) -> None:
        assert self.rounds.join(self)
        self.answered.set_result(asyncio.get_running_loop().time())


def test_the_next_wait_until_there_was_time_for_more() -> None:
    """All of one turn are answered; those after it wait some times as long as that took, and then all come at once."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        rounds = Rounds(loop)
        began_s = loop.time()
        assert all(rounds.join(Port(rounds)) for _ in range(200))
        loop.call_soon(time.sleep, WORK_S)
        for _ in range(3):
            await asyncio.sleep(0)
        late = [Port(rounds) for _ in range(3)]
        assert not any(map(rounds.join, late))
        answered_s = await asyncio.gather(*(port.answered for port in late))
        assert min(answered_s) - began_s >= SHARE * WORK_S - SLACK_S

    asyncio.run(run())


def test_a_round_does_not_last_for_ever() -> None:
    """Whatever else the hub did meanwhile, for longer than answers take."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        rounds = Rounds(loop)
        assert rounds.join(Port(rounds))
        loop.call_soon(time.sleep, ROUND_S_MAX)
        for _ in range(3):
            await asyncio.sleep(0)
        assert rounds._due_s - loop.time() <= ROUND_S_MAX

    asyncio.run(run())


def test_a_few_are_answered_at_once() -> None:
    """One in each turn costs so little that the next need not wait, if nothing else keeps the machine busy."""

    async def run() -> None:
        answered = 0
        for _ in range(100):
            rounds = Rounds(asyncio.get_running_loop())
            for _ in range(3):
                answered += rounds.join(Port(rounds))
                await asyncio.sleep(0)
        assert answered > 150

    asyncio.run(run())


@pytest.mark.parametrize("via", ["web-socket"], indirect=True)
def test_who_polls_gets_everything_while_answers_wait_their_turn(hub) -> None:
    """More clients than are answered at once, and all get every message in its order."""
    pollers = [Poller(hub.endpoint).subscribe("/a").connected() for _ in range(60)]
    held = [poller.hold() for poller in pollers]
    with Poller(hub.endpoint) as publisher:
        for number in range(30):
            publisher.publish("/a", number)
    for poller, answer in zip(pollers, held, strict=True):
        first = [each["data"] for each in answer.get(timeout=10).messages if "data" in each]
        assert first + poller.data(30 - len(first)) == list(range(30))
        poller.__exit__(None, None, None)
