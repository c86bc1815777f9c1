"""Answers to connects that wait: a few at once, many in rounds, between which messages gather."""

from __future__ import annotations

import asyncio

import pytest

from mqctl.hub.bayeux_rounds import ANSWER_S, SLACK_S, Rounds
from tests.hub.bayeux import Poller


class Port:
    """Asks again when it is told to."""

    def __init__(self, rounds: Rounds) -> None:
        self.rounds = rounds
        self.answered = asyncio.get_running_loop().create_future()

    def mark_dirty(self) -> None:
        assert self.rounds.join(self)
        self.answered.set_result(asyncio.get_running_loop().time())


def test_all_of_one_turn_are_answered_and_the_next_wait_as_long_as_these_cost() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        rounds = Rounds(loop)
        began_s = loop.time()
        assert all(rounds.join(Port(rounds)) for _ in range(200))
        await asyncio.sleep(0)
        late = [Port(rounds) for _ in range(3)]
        assert not any(map(rounds.join, late))
        answered_s = await asyncio.gather(*(port.answered for port in late))
        assert min(answered_s) - began_s >= 200 * ANSWER_S - SLACK_S

    asyncio.run(run())


def test_a_few_are_answered_at_once() -> None:
    async def run() -> None:
        rounds = Rounds(asyncio.get_running_loop())
        for _ in range(int(SLACK_S / ANSWER_S)):
            assert rounds.join(Port(rounds))
            await asyncio.sleep(0)

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
