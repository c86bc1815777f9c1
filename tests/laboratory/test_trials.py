"""Experiments in this process: each case at a hub, what is planted is found, and a blind recorder proves nothing."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from mqctl.adapters.registry import adapter_for
from mqctl.adapters.stomp_transaction import StompTransaction
from mqctl.broker.values import Limits
from mqctl.errors import ConnectError, MeasuredWrong, OperationTimeout
from mqctl.errors import ConnectionLost as LostConnection
from mqctl.experiments import acknowledgement, ordering
from mqctl.experiments.answers import Property
from mqctl.experiments.cases import PREFETCH, Case
from mqctl.experiments.events import (
    Acked,
    Confirmed,
    ConnectionLost,
    ConnectionResumed,
    Delivered,
    End,
    FaultBegan,
    FaultEnded,
    Header,
    Planted,
    Publish,
    Requeued,
)
from mqctl.experiments.history import Reader
from mqctl.experiments.plan import Ground, Params, Plan
from mqctl.experiments.planting import Planter
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.laboratory import run
from mqctl.laboratory.run import Run, Terms
from mqctl.laboratory.scribe import Scribe
from mqctl.laboratory.trial import Place, Trial, trial
from mqctl.laboratory.wiring import STALL_BEAT_S, why_unbreakable
from mqctl.measurement.verdict import Verdict
from mqctl.protocols.bayeux.session import Terms as BayeuxTerms
from mqctl.target import Endpoint, Secret, Target, parse_url
from tests.brokers.launch import launch
from tests.brokers.process import HOST

MESSAGES = 200
QUIET_S = 0.4
HOLD_MS = 1000
IN_FLIGHT = 60
SEED = 20

LOOPBACK = (Endpoint("127.0.0.1", 0),)


@pytest.fixture(scope="module")
def hub() -> Iterator[dict[str, Target]]:
    """Where a hub is, by scheme."""
    with HubThread(HubConfig(stomp=LOOPBACK, http=LOOPBACK, drain_s=0)) as running:
        urls = [parse_url(url) for url in running.urls if not url.startswith("http")]
        targets = {url.scheme: Target(scheme=url.scheme, endpoints=url.endpoints, path=url.path) for url in urls}
        polling = targets["bayeux+http"]
        yield {**targets, "bayeux+ws": Target(scheme="bayeux+ws", endpoints=polling.endpoints, path=polling.path)}


def _http(running: HubThread) -> Endpoint:
    return next(url.endpoints[0] for url in map(parse_url, running.urls) if url.scheme == "bayeux+http")


def place_at(target: Target, run_dir: Path) -> Place:
    adapter = adapter_for(target.scheme)
    with adapter.connect(target, sink=lambda _events: None) as scout:
        greeting = scout.greeting
    ground = Ground(
        protocol=target.scheme.partition("+")[0],
        dialect=greeting.dialect,
        broker="it",
        features=adapter.info.features,
        unbreakable=why_unbreakable(target),
        restartable=False,
        name=f"open.experiment.{secrets.token_hex(4)}",
    )
    return Place(adapter=adapter, target=target, greeting=greeting, ground=ground, run_dir=run_dir, experiment="test")


def tried(
    case: Case, target: Target, run_dir: Path, *, messages: int = MESSAGES, expect: Sequence[Property] = (), **terms
) -> Trial:
    place = place_at(target, run_dir)
    number = random.SystemRandom().getrandbits(63)
    carried = Terms(number=number, name=place.ground.name, quiet_s=QUIET_S, **terms)
    return trial(case, Params(messages=messages, expect=expect), carried, place, SEED)


def assert_controls_found(done: Trial) -> None:
    assert done.report is not None, done.unsupported
    answers = [each.answer for each in done.report.judged]
    assert sum(answer.planted for answer in answers) > 0
    assert all(answer.found == answer.planted for answer in answers), answers


STOMP = ["one-producer", "many-producers", "many-producers-transacted", "competing", "redelivery"]
ACK = [f"{mode}-{fate}" for mode in ("auto", "client", "individual") for fate in ("cut", "killed")]


@pytest.mark.parametrize("name", STOMP)
def test_order_at_the_hub(hub, tmp_path, name):
    done = tried(ordering.CASES[name], hub["stomp"], tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)


@pytest.mark.parametrize("name", [*ACK, "nack", "nack-client", "topic-slow", "subscribe-later"])
def test_acknowledgement_at_the_hub(hub, tmp_path, name):
    done = tried(acknowledgement.CASES[name], hub["stomp"], tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert done.expected
    assert_controls_found(done)


@pytest.mark.parametrize("name", ["individual-cut", "topic-slow", "subscribe-later"])
def test_nobody_waits_for_who_is_away(hub, tmp_path, monkeypatch, name):
    monkeypatch.setattr(run, "AHEAD_MAX", 0)
    monkeypatch.setattr(run, "STALLED_S", 0.05)
    done = tried(acknowledgement.CASES[name], hub["stomp"], tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done


@pytest.mark.parametrize("scheme", ["bayeux+ws", "bayeux+http"])
@pytest.mark.parametrize("name", ["plain-cut", "ack-extension-cut", "ack-extension-killed"])
def test_acknowledgement_of_bayeux(hub, tmp_path, scheme, name):
    done = tried(acknowledgement.CASES[name], hub[scheme], tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)


def test_an_acknowledgement_covers_its_own_subscription(hub, tmp_path):
    """Here, and another one held its prefetch when the connection broke."""
    done = tried(acknowledgement.CASES["client-scope"], hub["stomp"], tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)
    given_back = next(each.answer for each in done.report.judged if each.answer.about is Property.REDELIVERY)
    assert given_back.chances >= PREFETCH


def test_a_durable_subscription(tmp_path):
    """Who was away sees the order of who was there; and the broker is left as it was."""
    with HubThread(HubConfig(stomp=LOOPBACK, http=LOOPBACK, drain_s=0)) as running:
        target = Target(scheme="stomp", endpoints=(running.endpoint,))
        done = tried(ordering.CASES["durable-replay"], target, tmp_path)
        with urlopen(f"http://{_http(running)}/metrics") as metrics:
            assert "mqctl_hub_durable_subscriptions 0\n" in metrics.read().decode()
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)
    with (done.folder / "history.jsonl").open("rb") as file:
        events = [event for batch in Reader(file).batches() for event in batch.events]
    left, back = (
        next(n for n, event in enumerate(events) if isinstance(event, kind))
        for kind in (ConnectionLost, ConnectionResumed)
    )
    sent = [n for n, event in enumerate(events) if isinstance(event, Publish)]
    assert left < min(sent) < max(sent) < back


def test_a_backlog_that_is_full(tmp_path):
    """What it dropped is told, and no failure where nobody promised to keep it."""
    kept = MESSAGES * 3 // 4
    limits = Limits(backlog_messages=kept)
    with HubThread(HubConfig(stomp=LOOPBACK, broker_limits=limits, drain_s=0)) as running:
        target = Target(scheme="stomp", endpoints=(running.endpoint,))
        done = tried(acknowledgement.CASES["topic-slow"], target, tmp_path, expect=(Property.NO_STRANGERS,))
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    loss = next(each.answer for each in done.report.judged if each.answer.about is Property.NO_LOSS)
    assert loss.violations == MESSAGES - kept - PREFETCH
    assert loss.found == loss.planted == 1


def test_acknowledgements_that_are_aborted(hub, tmp_path):
    """Nothing of them is lost, and none is given back after the connection broke."""
    done = tried(acknowledgement.CASES["transacted"], hub["stomp"], tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)
    with (done.folder / "history.jsonl").open("rb") as file:
        events = [event for batch in Reader(file).batches() for event in batch.events]
    kinds = [type(event) for event in events]
    lost = kinds.index(ConnectionLost)
    aborted = {event.n for event in events if isinstance(event, Requeued)}
    assert aborted
    assert Requeued not in kinds[lost:]
    came_again = {event.n for event in events[lost:] if isinstance(event, Delivered)}
    assert aborted <= came_again
    sure = {event.n for event in events[:lost] if isinstance(event, Acked) and event.confirmed}
    assert sure
    assert not sure & came_again


def test_messages_are_committed_together(hub, tmp_path):
    """And the rest at the end: of 200 messages, 28 times 7 and 4."""
    one = ordering.CASES["one-producer"]

    def plan(*given) -> Plan:
        plain = one.plan(*given)
        return replace(plain, producers=[replace(each, transaction=7, in_flight=1) for each in plain.producers])

    done = tried(replace(one, plan=plan), hub["stomp"], tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    with (done.folder / "history.jsonl").open("rb") as file:
        events = [event for batch in Reader(file).batches() for event in batch.events]
    sending = [type(event) for event in events if isinstance(event, Publish | Confirmed)]
    assert sending == ([Publish] * 7 + [Confirmed] * 7) * 28 + [Publish] * 4 + [Confirmed] * 4


def test_a_transaction_that_keeps_what_was_aborted_fails(hub, tmp_path, monkeypatch):
    """As at a broker that takes acknowledgements at once, whatever their transaction."""
    monkeypatch.setattr(StompTransaction, "abort", StompTransaction.commit)
    done = tried(acknowledgement.CASES["transacted"], hub["stomp"], tmp_path)
    assert done.verdict is Verdict.FAIL
    broken = {each.answer.about for each in done.report.judged if each.verdict is Verdict.FAIL}
    assert Property.REDELIVERY in broken


def test_a_slow_consumer(hub, tmp_path):
    done = tried(acknowledgement.CASES["slow"], hub["stomp"], tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)
    held = next(each.answer for each in done.report.judged if each.answer.about is Property.PREFETCH)
    # What is spoiled is held too, and not in the history.
    assert PREFETCH - 1 <= held.numbers["most"] <= PREFETCH


def test_a_slow_consumer_that_held_little_proves_nothing(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("mqctl.experiments.holding.prefetch_of", lambda _ground: MESSAGES)
    done = tried(acknowledgement.CASES["slow"], hub["stomp"], tmp_path, rate=200.0)
    assert done.verdict is Verdict.INCONCLUSIVE
    assert "c1 never held as many" in done.doubts[0]


def test_a_network_that_goes_silent(tmp_path):
    """Heart-beats end it, on whichever side. What did not arrive comes again."""
    beat_ms = round(STALL_BEAT_S * 1000)
    with HubThread(HubConfig(stomp=LOOPBACK, heart_beat_ms=beat_ms, drain_s=0)) as running:
        target = Target(scheme="stomp", endpoints=(running.endpoint,))
        done = tried(acknowledgement.CASES["individual-stall"], target, tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)
    with (done.folder / "history.jsonl").open("rb") as file:
        events = [event for batch in Reader(file).batches() for event in batch.events]
    kinds = [type(event) for event in events]
    began, lost, resumed, ended = map(kinds.index, (FaultBegan, ConnectionLost, ConnectionResumed, FaultEnded))
    assert began < lost < resumed < ended
    assert events[lost].at_ns - events[began].at_ns > STALL_BEAT_S * 1e9
    came = [event.n for event in events if isinstance(event, Delivered)]
    assert len(came) > len(set(came))


@pytest.mark.parametrize("scheme", ["bayeux+ws", "bayeux+http"])
def test_a_network_of_bayeux_that_goes_silent(tmp_path, scheme):
    """The connect that is not answered ends it, and the session goes on."""
    terms = BayeuxTerms(timeout_ms=HOLD_MS)
    with HubThread(HubConfig(stomp=(), http=LOOPBACK, bayeux_terms=terms, drain_s=0)) as running:
        target = Target(scheme=scheme, endpoints=(_http(running),), path="/cometd")
        done = tried(acknowledgement.CASES["ack-extension-stall"], target, tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)


def test_events_of_a_server_are_not_acknowledged(hub, tmp_path):
    target = replace(hub["bayeux+http"], scheme="bayeux+sse")
    done = tried(acknowledgement.CASES["ack-extension-stall"], target, tmp_path)
    assert "server-sent events" in done.unsupported


@pytest.mark.parametrize("scheme", ["stomp", "bayeux+ws", "bayeux+http"])
def test_a_publisher_that_is_cut_off(hub, tmp_path, scheme):
    """What was on its way is unknown, and not called lost. The hub had some of it, of which it told in vain."""
    done = tried(acknowledgement.CASES["publish-cut"], hub[scheme], tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)
    loss = next(each.answer for each in done.report.judged if each.answer.about is Property.NO_LOSS)
    assert loss.numbers["recovered"] > 0
    assert loss.numbers["confirmed"] + loss.numbers["unknown"] == MESSAGES


@pytest.mark.parametrize("scheme", ["bayeux+ws", "bayeux+http"])
@pytest.mark.parametrize("name", ["bayeux-default", "bayeux-deliver-only", "bayeux-acknowledged"])
def test_delivery_of_bayeux(hub, tmp_path, scheme, name):
    """Whether the generator kept its time depends on what else this machine does."""
    done = tried(ordering.CASES[name], hub[scheme], tmp_path)
    verdicts = {each.answer.about: each.verdict for each in done.report.judged if each.verdict}
    assert verdicts.pop(Property.LATENCY) in (Verdict.PASS, Verdict.INCONCLUSIVE)
    assert set(verdicts.values()) == {Verdict.PASS}, done
    assert_controls_found(done)


@pytest.fixture(scope="module")
def iotcore() -> Iterator[Target]:
    with launch("iotcore") as broker:
        yield Target(
            scheme="mqtt",
            endpoints=(Endpoint(HOST, broker.ports["mqtt"]),),
            user=broker.user,
            password=Secret(broker.password),
        )


@pytest.mark.parametrize("name", ["one-producer", "many-producers"])
def test_order_over_mqtt(iotcore, tmp_path, name):
    done = tried(ordering.CASES[name], iotcore, tmp_path)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)


@pytest.mark.parametrize("name", ["qos1-session-killed", "qos2-session-killed", "qos1-session-away"])
def test_a_session_of_mqtt(iotcore, tmp_path, name):
    """Another client of its name takes it over, or the same one comes back when all was sent."""
    # With as many on their way as it allows, this broker does not read the subscription of who came back.
    done = tried(acknowledgement.CASES[name], iotcore, tmp_path, messages=IN_FLIGHT)
    assert (done.verdict, done.doubts) == (Verdict.PASS, ()), done
    assert_controls_found(done)


def test_the_hub_passes_what_is_expected_of_it_only(hub, tmp_path):
    done = tried(ordering.CASES["strict-dispatch"], hub["stomp"], tmp_path)
    assert (done.verdict, done.folder) == (None, None)
    assert "dispatch policies" in done.unsupported
    assert not list(tmp_path.iterdir())


def test_a_recorder_that_plants_nothing_proves_nothing(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(Planter, "take", lambda _self, event: (event,))
    done = tried(ordering.CASES["one-producer"], hub["stomp"], tmp_path)
    assert done.verdict is Verdict.INCONCLUSIVE
    assert "found no place to be planted" in done.doubts[0]


def test_a_recorder_that_says_it_planted_and_did_not_proves_nothing(hub, tmp_path, monkeypatch):
    take = Planter.take

    def feign(self: Planter, event):
        return (*(each for each in take(self, event) if isinstance(each, Planted)), event)

    monkeypatch.setattr(Planter, "take", feign)
    done = tried(ordering.CASES["one-producer"], hub["stomp"], tmp_path)
    assert done.verdict is Verdict.INCONCLUSIVE
    assert any("were not found" in why for each in done.report.judged for why in each.why)


def test_a_cut_that_never_came_proves_nothing(hub, tmp_path, monkeypatch):
    """The proxy is told to wait for more messages than there are."""
    monkeypatch.setattr("mqctl.laboratory.wiring.MAGIC", b"never there")
    done = tried(ordering.CASES["redelivery"], hub["stomp"], tmp_path)
    assert done.verdict is Verdict.INCONCLUSIVE
    assert "c1 was not to be broken" in done.doubts[0]


def test_the_folder_of_a_run(hub, tmp_path):
    done = tried(ordering.CASES["one-producer"], hub["stomp"], tmp_path)
    facts = json.loads((done.folder / "run.json").read_text())
    assert facts["seed"] == SEED
    assert facts["outcome"] == "pass"
    assert {"python", "mqctl"} <= facts["versions"].keys()
    assert facts["clock"]["resolution_s"] <= 1e-6
    again = tried(ordering.CASES["one-producer"], hub["stomp"], tmp_path)
    assert again.folder != done.folder
    with (done.folder / "history.jsonl").open("rb") as file:
        reader = Reader(file)
        events = [event for batch in reader.batches() for event in batch.events]
    assert reader.header.facts["seed"] == SEED
    assert isinstance(events[-1], End)
    assert sum(isinstance(event, Publish) for event in events) == MESSAGES


def test_a_password_is_in_none_of_its_files(tmp_path):
    with HubThread(HubConfig(stomp=LOOPBACK, user="me", password=Secret("hush-hush"), drain_s=0)) as running:
        target = Target(scheme="stomp", endpoints=(running.endpoint,), user="me", password=Secret("hush-hush"))
        done = tried(ordering.CASES["one-producer"], target, tmp_path)
    assert done.verdict is Verdict.PASS
    assert not [path for path in done.folder.iterdir() if b"hush-hush" in path.read_bytes()]


def test_the_time_of_a_run_is_bounded(hub, tmp_path):
    with pytest.raises(OperationTimeout):
        tried(ordering.CASES["one-producer"], hub["stomp"], tmp_path, rate=10.0, timeout_s=0.3)
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / "run.json").read_text())["outcome"] == "not finished"


def test_a_broker_that_goes_away_ends_the_run(tmp_path):
    with HubThread(HubConfig(stomp=LOOPBACK, drain_s=0)) as running:
        target = Target(scheme="stomp", endpoints=(running.endpoint,))
        place = place_at(target, tmp_path)
        stop = iter([running.stop])
        seen = replace(place, watch=lambda progress: progress.came > 10 and next(stop, lambda: None)())
        terms = Terms(number=1, name=place.ground.name, rate=200.0, quiet_s=QUIET_S)
        with pytest.raises(LostConnection, match="lost its connection"):
            trial(ordering.CASES["one-producer"], Params(messages=1000), terms, seen, SEED)
    with pytest.raises(ConnectError):
        trial(ordering.CASES["one-producer"], Params(messages=1000), terms, place, SEED)


class Full:
    """A disk with room for the header."""

    def __init__(self) -> None:
        self.writes = 0

    def write(self, _data: bytes) -> None:
        self.writes += 1
        if self.writes > 1:
            raise OSError(28, "No space left on device")


def test_a_history_that_cannot_be_written_ends_the_run(hub, tmp_path):
    place = place_at(hub["stomp"], tmp_path)
    plan = ordering.CASES["one-producer"].plan(Params(messages=1000), place.ground, random.Random(1))
    terms = Terms(number=1, name=place.ground.name, rate=200.0, quiet_s=QUIET_S)
    with Scribe(Full(), Header(version=1)) as scribe, pytest.raises(MeasuredWrong, match="No space left"):
        Run(plan, adapter=place.adapter, target=place.target, terms=terms, scribe=scribe).carry_out()
