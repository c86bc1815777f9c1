"""Simulated time: what happens when, and that a seed decides it."""

from __future__ import annotations

from mqctl.experiments.simulation.world import World


def ran(seed: int) -> list[str]:
    world, seen = World(seed), []
    world.after(20, lambda: seen.append(f"late at {world.now_ns}"))
    world.after(10, lambda: world.at(3, lambda: seen.append(f"overdue at {world.now_ns}")))
    for name in "abcdef":
        world.at(5, lambda name=name: seen.append(name))
    while world.step():
        pass
    return seen


def test_all_happens_when_it_is_due_and_the_past_is_now():
    *together, overdue, late = ran(1)
    assert sorted(together) == list("abcdef")
    assert (overdue, late) == ("overdue at 10", "late at 20")


def test_a_seed_decides_what_comes_first_of_what_is_due_together():
    assert ran(1) == ran(1)
    assert len({tuple(ran(seed)) for seed in range(10)}) > 5


def test_what_is_drawn_lies_between_0_and_the_most():
    world = World(1)
    assert {world.draw(3) for _ in range(100)} == {0, 1, 2, 3}
    assert world.draw(0) == 0
