"""The conductor, with workers that say what the test says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mqctl.bench import conductor as conducting
from mqctl.bench.conductor import Conductor, Phase, shared_out
from mqctl.bench.messages import (
    Beat,
    End,
    Finished,
    FromWorker,
    Go,
    Gone,
    Job,
    Prepare,
    Progress,
    Ready,
    Remark,
    ToWorker,
    Trouble,
)
from mqctl.errors import ConnectionLost, MqctlError, OperationTimeout, RefusedError
from mqctl.measurement.histogram import Buckets
from mqctl.measurement.report import Work
from mqctl.model import Confirmation, Topic
from tests.unit.measurement.test_load import LOAD


def job(publishers: int = 2, subscribers: int = 3) -> Job:
    return Job(
        load=replace(LOAD, publishers=publishers, subscribers=subscribers),
        topic=Topic(("t",)),
        publishers=tuple(range(publishers)),
        subscribers=tuple(range(subscribers)),
        clocks=(),
        confirm=Confirmation.BROKER,
        confirm_timeout_s=1.0,
    )


class Crew:
    """Says what it is given, and keeps what it is told."""

    end_s = 0.0

    def __init__(self, **clocks: str) -> None:
        self.clocks = clocks
        self.says: list[tuple[str, FromWorker]] = []
        self.told: list[tuple[str, ToWorker]] = []

    def tell(self, name: str, message: ToWorker) -> None:
        self.told.append((name, message))

    def hear(self, timeout_s: float) -> list[tuple[str, FromWorker]]:
        said, self.says = self.says, []
        return said

    def kinds(self, name: str) -> list[type]:
        return [type(message) for worker, message in self.told if worker == name and not isinstance(message, Beat)]


@pytest.fixture
def now(monkeypatch) -> Iterator[Callable[[float], None]]:
    """Moves the conductor's clock on."""
    time = [1000.0]
    monkeypatch.setattr(conducting.time, "monotonic", lambda: time[0])

    def move(seconds: float) -> None:
        time[0] += seconds

    return move


def progress(*, sent: bool = False, came: int = 0, due: int = 0, recent: Buckets = Buckets()) -> Progress:  # noqa: B008
    return Progress(attempted=due, came=came, recent=recent, sent=sent, due=due)


class Run:
    """A conductor with workers `a` and `b`."""

    def __init__(self, drain_s: float = 5.0) -> None:
        self.crew = Crew(a="one", b="one")
        self.heard: list[str] = []
        self.conductor = Conductor(self.crew, job(), drain_s=drain_s, complain=self.heard.append)

    def say(self, **messages: FromWorker) -> Phase:
        self.crew.says += messages.items()
        self.conductor.step(0)
        return self.conductor.phase

    def begin(self) -> Run:
        self.say(a=Ready(), b=Ready())
        return self


def test_a_run_goes_from_connecting_to_done(now):
    run = Run()
    assert run.say(a=Ready()) is Phase.CONNECTING
    assert run.say(b=Ready()) is Phase.RUNNING
    assert run.say(a=progress(sent=True, due=3)) is Phase.RUNNING
    assert run.say(b=progress(sent=True, came=2)) is Phase.DRAINING
    now(1)
    assert run.say(b=progress(sent=True, came=3)) is Phase.DRAINING
    now(conducting.LINGER_S)
    assert run.say() is Phase.ENDING
    assert run.say(a=Finished(Work("a")), b=Finished(Work("b"))) is Phase.DONE
    assert not run.conductor.step(0)
    assert run.crew.kinds("a") == run.crew.kinds("b") == [Prepare, Go, End]
    assert [work.worker for work in run.conductor.works] == ["a", "b"]
    assert run.conductor.dead == []


def test_all_begin_at_one_time_of_one_clock_and_else_each_by_its_own(now):
    run = Run().begin()
    assert len({message.at_ns for _, message in run.crew.told if isinstance(message, Go)} - {None}) == 1
    apart = Crew(a="one", b="two")
    conductor = Conductor(apart, job(), drain_s=1, complain=print)
    apart.says = [("a", Ready()), ("b", Ready())]
    conductor.step(0)
    assert [message.at_ns for _, message in apart.told if isinstance(message, Go)] == [None, None]


def test_what_is_missing_is_awaited_as_long_as_something_comes(now):
    run = Run(drain_s=5).begin()
    run.say(a=progress(sent=True, due=3), b=progress(sent=True))
    for came in range(1, 3):
        now(4.9)
        assert run.say(b=progress(sent=True, came=came)) is Phase.DRAINING
    now(5)
    assert run.say() is Phase.ENDING


def test_workers_that_never_get_ready_end_the_run(now):
    run = Run()
    now(conducting.READY_S)
    with pytest.raises(OperationTimeout, match="not connected within 30 s: worker b"):
        run.say(a=Ready())


def test_a_worker_that_dies_before_the_begin_ends_the_run(now):
    run = Run()
    with pytest.raises(ConnectionLost, match="worker b was killed before the run began"):
        run.say(b=Gone("worker b was killed"))


def test_a_worker_that_dies_later_ends_the_run_with_what_is_known(now):
    run = Run().begin()
    assert run.say(b=Gone("worker b was killed")) is Phase.ENDING
    run.say(a=Finished(Work("a")))
    assert run.conductor.phase is Phase.DONE
    assert run.heard == ["worker b was killed"]
    assert run.conductor.dead == ["worker b was killed, and what it did is not in the books"]


def test_a_worker_that_is_done_may_go(now):
    run = Run().begin()
    run.conductor.end()
    run.say(a=Finished(Work("a")), b=Finished(Work("b")))
    run.say(a=Gone("worker a ended by itself"))
    assert (run.heard, run.conductor.dead) == ([], [])


def test_who_does_not_answer_the_end_is_not_awaited_for_ever(now):
    run = Run().begin()
    run.conductor.end()
    assert run.conductor.phase is Phase.DONE
    assert run.conductor.works == []
    assert run.conductor.dead == [
        "worker a did not answer, and what it did is not in the books",
        "worker b did not answer, and what it did is not in the books",
    ]


def test_the_end_before_the_begin_is_the_end(now):
    run = Run()
    run.conductor.end()
    assert run.conductor.phase is Phase.DONE
    assert run.crew.kinds("a") == [Prepare, End]


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Trouble("RefusedError", "no", "ask"), RefusedError),
        (Trouble("KeyError", "x"), MqctlError),
        (Trouble("ExitCode", "x"), MqctlError),
    ],
)
def test_an_error_of_a_worker_is_the_runs_and_the_others_may_go(now, trouble, kind):
    run = Run().begin()
    with pytest.raises(kind) as caught:
        run.say(a=trouble)
    assert type(caught.value) is kind
    assert caught.value.hint == trouble.hint
    assert run.crew.kinds("b")[-1] is End


def test_remarks_are_passed_on_and_latencies_gathered(now):
    run = Run().begin()
    run.say(a=Remark("psst"), b=progress(recent=Buckets({5: 2}, 5)))
    run.say(b=progress(recent=Buckets({7: 1}, 7)))
    assert run.heard == ["psst"]
    assert run.conductor.take_recent().count == 3
    assert run.conductor.take_recent().count == 0


def test_a_thousand_complaints_are_not_all_told(now):
    run = Run().begin()
    for number in range(1000):
        run.say(a=Remark(f"no {number}"))
    assert run.heard == [*(f"no {number}" for number in range(10)), "and more of the kind, which is not told"]


def test_workers_hear_that_the_conductor_is_there(now):
    run = Run()
    now(conducting.BEAT_S)
    run.say()
    assert sum(isinstance(message, Beat) for _, message in run.crew.told) == 2


@pytest.mark.parametrize(("publishers", "subscribers", "workers"), [(1, 1, 2), (2, 3, 2), (3, 1, 3), (5, 0, 2)])
@pytest.mark.parametrize("one_clock", [True, False])
def test_everything_is_shared_out_once(publishers, subscribers, workers, one_clock):
    clocks = {str(n): "same" if one_clock else str(n) for n in range(workers)}
    whole = job(publishers, subscribers)
    parts = shared_out(whole, clocks)
    assert sorted(itertools.chain(*(part.publishers for part in parts.values()))) == list(range(publishers))
    assert sorted(itertools.chain(*(part.subscribers for part in parts.values()))) == list(range(subscribers))
    owners = {number: name for name, part in parts.items() for number in part.publishers}
    for part in parts.values():
        assert list(part.clocks) == [clocks[owners[number]] for number in range(publishers)]
