"""`mqctl` as it is installed, at every broker, over TCP and over TLS."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import uuid
from pathlib import Path

import pytest

from mqctl.cli.publishing import WINDOW
from mqctl.errors import ExitCode
from tests.brokers.fleet import Fleet
from tests.brokers.process import Broker
from tests.brokers.program import Ended, Program, Run, program_at
from tests.brokers.test_facts import FIRST, held, intent, settle
from tests.brokers.wire import wire

WATCHED_BEFORE_KILL = WINDOW + 100
"""How many messages a bystander has seen when the broker is killed; so many are not sent before some are confirmed."""

LINES_MAX = 1_000_000
"""More than any broker takes before it is killed."""

SUMMARY = re.compile(r"attempted (\d+), confirmed (\d+), rejected (\d+), unknown (\d+)")


@pytest.fixture
def name() -> str:
    """Nobody else's topic."""
    return f"open.{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["stomp", "stomp+ssl"])
def mqctl(request: pytest.FixtureRequest, broker: Broker, tmp_path: Path) -> Program:
    """Over each transport."""
    return program_at(broker, broker.url(request.param), tmp_path)


@pytest.fixture
def plain(broker: Broker, tmp_path: Path) -> Program:
    """Over TCP only, where the transport makes no difference."""
    return program_at(broker, broker.url("stomp"), tmp_path)


def assert_code(ended: Ended, code: ExitCode) -> None:
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err


def books(ended: Ended) -> tuple[int, ...]:
    """Attempted, confirmed, rejected, unknown."""
    summary = SUMMARY.search(ended.last_line)
    assert summary is not None, ended.err
    return tuple(map(int, summary.groups()))


def test_publish_and_tail(mqctl: Program, name: str) -> None:
    """What is published to a topic is tailed, in order, byte for byte."""
    values = ["one", "한국어 ✓", ""]
    with mqctl.running("tail", name, "--json", "--count", "3") as tail:
        tail.await_line("subscribed")
        published = mqctl.run("publish", name, *values)
        tailed = tail.ended()
    assert_code(published, ExitCode.OK)
    assert_code(tailed, ExitCode.OK)
    assert books(published) == (3, 3, 0, 0)
    assert [json.loads(line)["payload"] for line in tailed.out.splitlines()] == values


def test_queue_keeps_what_nobody_reads_yet(mqctl: Program, name: str) -> None:
    """A queue holds its messages until somebody tails it, and then no longer."""
    assert_code(mqctl.run("publish", f"/queue/{name}", "--persistent", "a", "b"), ExitCode.OK)
    tailed = mqctl.run("tail", f"/queue/{name}", "--idle", "1s")
    assert tailed.out.split() == ["a", "b"], tailed.err
    assert mqctl.run("tail", f"/queue/{name}", "--idle", "1s").out == ""


def test_tail_of_a_queue_takes_no_more_than_it_prints(plain: Program, name: str) -> None:
    """`--count` leaves the rest to others."""
    assert_code(plain.run("publish", f"/queue/{name}", "a", "b", "c"), ExitCode.OK)
    first = plain.run("tail", f"/queue/{name}", "--count", "2")
    assert_code(first, ExitCode.OK)
    assert first.out.split() == ["a", "b"]
    assert plain.run("tail", f"/queue/{name}", "--idle", "1s").out.split() == ["c"]


def test_durable_subscription_is_kept_until_it_is_forgotten(plain: Program, name: str) -> None:
    """What is published meanwhile waits; after `--forget` nothing does."""
    durable = ("tail", name, "--durable", f"d-{name}", "--client-id", f"c-{name}")
    assert_code(plain.run(*durable, "--idle", "1ms"), ExitCode.OK)
    assert_code(plain.run("publish", name, "kept"), ExitCode.OK)
    assert plain.run(*durable, "--count", "1", "--timeout", "9s").out == "kept\n"
    forgotten = plain.run(*durable, "--forget")
    assert_code(forgotten, ExitCode.OK)
    assert "forgot" in forgotten.err
    assert_code(plain.run("publish", name, "gone"), ExitCode.OK)
    assert plain.run(*durable, "--idle", "1s").out == ""
    assert_code(plain.run(*durable, "--forget"), ExitCode.OK)


def test_wildcards(plain: Program, name: str) -> None:
    """A subtree is tailed in mqctl's own notation at every broker."""
    with plain.running("tail", f"{name}.**", "--format", "%t=%p\\n", "--count", "2") as tail:
        tail.await_line("subscribed")
        for topic in (f"{name}.a", f"{name}.b.c"):
            assert_code(plain.run("publish", topic, "x"), ExitCode.OK)
        tailed = tail.ended()
    assert_code(tailed, ExitCode.OK)
    assert tailed.out.split() == [f"{name}.a=x", f"{name}.b.c=x"]


def test_watch(mqctl: Program, name: str) -> None:
    """In a pipe: a line for each value, and the last picture."""
    with mqctl.running("watch", name, "--view", "rect", "--count", "2") as watch:
        watch.await_line("subscribed")
        assert_code(mqctl.run("publish", name, "45", "90"), ExitCode.OK)
        watched = watch.ended()
    assert_code(watched, ExitCode.OK)
    lines = watched.out.splitlines()
    assert "45" in lines[0]
    assert "90" in lines[1]
    assert len(lines) > 10, "a picture"


def test_five_mebibytes(mqctl: Program, name: str, tmp_path: Path) -> None:
    """A large binary body goes out of a file and comes in again."""
    body = bytes(range(256)) * (5 * 4096)
    (tmp_path / "body").write_bytes(body)
    with mqctl.running("tail", name, "--json", "--count", "1") as tail:
        tail.await_line("subscribed")
        assert_code(mqctl.run("publish", name, "--file", str(tmp_path / "body")), ExitCode.OK)
        tailed = tail.ended()
    assert_code(tailed, ExitCode.OK)
    again = mqctl.run("publish", f"{name}.again", "--jsonl", data=tailed.out.replace(name, f"{name}.again").encode())
    assert_code(again, ExitCode.OK)
    assert books(again) == (1, 1, 0, 0)


@pytest.mark.parametrize("prefix", ["", "/queue/"], ids=["topic", "queue"])
def test_what_tail_wrote_is_published_again(plain: Program, name: str, prefix: str) -> None:
    """From a topic or a queue into a queue: no header that the broker added leads the copy astray."""
    with plain.running("tail", prefix + name, "--json", "--count", "2") as tail:
        tail.await_line("subscribed")
        assert_code(plain.run("publish", prefix + name, "a", "b", "--header", "mine=x"), ExitCode.OK)
        tailed = tail.ended()
    copy = f"/queue/{name}.copy"
    copied = plain.run("publish", copy, "--jsonl", "--persistent", data=tailed.out.encode())
    assert_code(copied, ExitCode.OK)
    assert books(copied) == (2, 2, 0, 0)
    again = plain.run("tail", copy, "--format", "%p %h{mine} %h{persistent}\\n", "--idle", "1s")
    assert again.out.splitlines() == ["a x true", "b x true"], again.err


def test_wrong_password(broker: Broker, tmp_path: Path) -> None:
    """Refused, and nothing is said to have been sent."""
    stranger = program_at(broker, broker.url("stomp"), tmp_path, password="wrong")
    for arguments in (("publish", "open.x", "1"), ("tail", "open.x"), ("watch", "open.x")):
        ended = stranger.run(*arguments)
        assert_code(ended, ExitCode.REFUSED)
        assert broker.password not in ended.err


def test_virtual_host(broker: Broker, tmp_path: Path) -> None:
    """RabbitMQ refuses a virtual host that it does not have; the others never look at it."""
    lost = program_at(broker, broker.url("stomp"), tmp_path, vhost="nowhere")
    ended = lost.run("publish", "open.x", "1")
    assert_code(ended, ExitCode.REFUSED if broker.name == "rabbitmq" else ExitCode.OK)


@pytest.mark.parametrize("topic", ["forbidden.x", "/queue/forbidden.x"])
def test_unauthorised_destination(broker: Broker, tmp_path: Path, topic: str) -> None:
    """Refused in the broker's words; a publish counts as rejected, not as unknown and not as sent."""
    who = broker.credentials
    limited = program_at(broker, broker.url("stomp"), tmp_path, user=who.limited_user, password=who.limited_password)
    published = limited.run("publish", topic, "1")
    assert_code(published, ExitCode.REFUSED)
    assert books(published) == (1, 0, 1, 0)
    assert who.limited_user in published.err, "the broker's words"
    tailed = limited.run("tail", topic)
    assert_code(tailed, ExitCode.REFUSED)
    assert who.limited_user in tailed.err


@pytest.mark.broker("rabbitmq")
def test_destination_that_makes_no_sense(fleet: Fleet, tmp_path: Path) -> None:
    """RabbitMQ neither names the frame nor hangs up; it is refused in its words all the same, and at once."""
    rabbitmq = fleet.get("rabbitmq")
    plain = program_at(rabbitmq, rabbitmq.url("stomp"), tmp_path)
    for command in (("publish", "/nope/x", "1", "--timeout", "9s"), ("tail", "/nope/x", "--timeout", "9s")):
        ended = plain.run(*command)
        assert_code(ended, ExitCode.REFUSED)
        assert "'/nope/x' is not a valid destination" in ended.err


def test_plain_client_on_the_tls_port(broker: Broker, tmp_path: Path) -> None:
    """Cannot connect, and the hint names TLS."""
    url = broker.url("stomp+ssl").replace("stomp+ssl", "stomp")
    ended = program_at(broker, url, tmp_path).run("publish", "open.x", "1")
    assert_code(ended, ExitCode.CONNECTION)
    assert "stomp+ssl" in ended.err


def test_tls_client_on_the_plain_port(broker: Broker, tmp_path: Path) -> None:
    """Cannot connect, though two of the brokers never answer."""
    url = broker.url("stomp").replace("stomp", "stomp+ssl", 1)
    ended = program_at(broker, url, tmp_path, connect_timeout="2s").run("publish", "open.x", "1")
    assert_code(ended, ExitCode.CONNECTION)
    assert "TLS" in ended.err


def test_certificate_of_an_unknown_authority(broker: Broker, tmp_path: Path) -> None:
    """Not trusted unless `--insecure` is typed."""
    mqctl = program_at(broker, broker.url("stomp+ssl"), tmp_path)
    del mqctl.environment["MQCTL_CA"]
    ended = mqctl.run("publish", "open.x", "1")
    assert_code(ended, ExitCode.CONNECTION)
    assert "certificate" in ended.err
    assert_code(mqctl.run("publish", "open.x", "1", "--insecure"), ExitCode.OK)


def test_nobody_there(broker: Broker, plain: Program) -> None:
    """A broker that is down is a connection error, for who publishes and for who tails."""
    broker.stop()
    for command in (("publish", "open.x", "1"), ("tail", "open.x")):
        assert_code(plain.run(*command), ExitCode.CONNECTION)


def test_broker_dies_under_tail(broker: Broker, plain: Program, name: str) -> None:
    """What came is printed; the end is a lost connection, where no other is sought."""
    with plain.running("tail", name, "--reconnect", "never") as tail:
        tail.await_line("subscribed")
        assert_code(plain.run("publish", name, "before"), ExitCode.OK)
        with wire(broker) as bystander:
            bystander.ask("SUBSCRIBE", intent(f"/topic/{name}", "SUBSCRIBE") | {"id": "1"})
        broker.kill()
        tailed = tail.ended()
    assert_code(tailed, ExitCode.CONNECTION)


def test_broker_dies_under_publish(broker: Broker, plain: Program, name: str) -> None:
    """Killed in the middle: the books balance, and no message confirmed as persistent is missing afterwards."""
    queue = f"/queue/{name}"
    settle(broker, queue)
    how = ("--lines", "--persistent", "--confirm-timeout", "5s", "--reconnect", "never")
    with plain.running("publish", queue, *how) as publish:
        with wire(broker) as bystander:
            # Without limits: brokers otherwise stop after some messages, or bytes, that nobody acknowledges.
            limits = {"consumer-window-size": "-1", "activemq.prefetchSize": "10000"}
            wish = {"id": "1", "ack": "client-individual", **limits}
            bystander.send("SUBSCRIBE", intent(queue, "SUBSCRIBE") | wish)
            feeding = _feed(publish)
            for _ in range(WATCHED_BEFORE_KILL):
                assert bystander.next() is not None
            broker.kill()
        feeding.join()
        published = publish.ended()
    assert_code(published, ExitCode.CONNECTION)
    attempted, confirmed, rejected, unknown = books(published)
    assert attempted == confirmed + rejected + unknown
    assert rejected == 0
    assert confirmed > 0
    broker.restart()
    recovered = {int(body) for body in held(broker, queue)} - {int(FIRST)}
    assert confirmed <= len(recovered) <= attempted
    assert set(range(confirmed)) <= recovered, "confirmations come in the order of sending"


def _feed(publish: Run) -> threading.Thread:
    """Number lines until the program reads no more."""

    def write() -> None:
        with contextlib.suppress(OSError):
            for number in range(LINES_MAX):
                publish.write(b"%d\n" % number)

    thread = threading.Thread(target=write)
    thread.start()
    return thread
