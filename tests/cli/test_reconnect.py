"""What is lost is found again: each command over a connection that breaks on the way."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from collections.abc import Iterator

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.protocols.stomp.codec import Frame, encode
from mqctl.protocols.stomp.spec import Version
from mqctl.target import Endpoint, Secret, parse_url
from mqctl.testing import Link
from tests.cli.commands import Result
from tests.cli.conftest import put
from tests.cli.fake_server import fake_server, polite
from tests.cli.terminal import ENTER, LEAVE, Terminal

MANY = 2000
BOOKS = re.compile(r"attempted (\d+), confirmed (\d+), rejected (\d+), unknown (\d+)(?:, resent (\d+))?")


@contextlib.contextmanager
def another_hub(**config: object) -> Iterator[Endpoint]:
    """A second broker; inside, where it is."""
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), **config)) as hub:
        yield hub.endpoint


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """A hub that shows more often than usual that it lives, to those who want to know."""
    with another_hub(heart_beat_ms=300) as endpoint:
        yield f"stomp://{endpoint}"


@pytest.fixture
def link(broker: str) -> Iterator[Link]:
    """The way to the hub."""
    with Link(parse_url(broker).endpoints[0]) as link:
        yield link


@pytest.fixture
def env(env: dict[str, str], link: Link) -> dict[str, str]:
    """Commands go by the link."""
    return {**env, "MQCTL_URL": f"stomp://{link.endpoint}", "MQCTL_RECONNECT_PAUSE": "1s"}


def books(done: Result) -> list[int]:
    """Attempted, confirmed, rejected, unknown, resent."""
    found = BOOKS.search(done.last)
    assert found is not None, done.err
    return [int(number or 0) for number in found.groups()]


def numbers(count: int = MANY) -> bytes:
    return b"".join(b"%d\n" % n for n in range(count))


def break_by(name: str, link: Link) -> None:
    match name:
        case "reset":
            link.cut()
        case "end":
            link.finish()
        case "half-open down":
            link.down.swallow()
        case "half-open up":
            link.up.swallow()
        case "corrupt":
            link.down.corrupt()


FATAL = {
    "reset": "the connection broke: Connection reset by peer",
    "end": "the broker closed the connection",
    "half-open down": "no sign of life from the broker for 0.9 s",
    "half-open up": "the broker closed the connection",
    "corrupt": "the broker broke the protocol: ",
}
"""Faults that end a connection, and what is said of each."""

BAD = {
    "delay": lambda link: [way.delay(0.02, jitter_s=0.02) for way in (link.up, link.down)],
    "throttle": lambda link: [way.throttle(200_000) for way in (link.up, link.down)],
    "slices": lambda link: [way.slice() for way in (link.up, link.down)],
}
"""Faults that end no connection."""


@pytest.mark.parametrize("fault", FATAL)
def test_a_tail_survives(start, link, broker, fault):
    tail = start("tail", "x", "--count", "2", "--heart-beat", "300ms" if "half-open" in fault else "10s")
    tail.said("subscribed")
    put(broker, "/topic/x", b"before")
    assert tail.printed() == b"before\n"
    break_by(fault, link)
    assert FATAL[fault] in tail.said("connection lost: ")
    assert f"connected again to {link.endpoint} after " in tail.said("connected again")
    put(broker, "/topic/x", b"after")
    ended = tail.end()
    assert (ended.code, ended.lines) == (ExitCode.OK, ["before", "after"])
    assert "; trying again for up to 1m\n" in ended.err
    assert re.fullmatch(r"mqctl: received 2, reconnects 1, longest outage [\d.]+m?s", ended.last)


@pytest.mark.parametrize("fault", BAD)
def test_a_tail_does_not_mind(start, link, broker, fault):
    BAD[fault](link)
    tail = start("tail", "x", "--count", "50")
    tail.said("subscribed")
    put(broker, "/topic/x", *[b"%d" % n for n in range(50)])
    ended = tail.end()
    assert (ended.code, ended.out.split(), ended.last) == (
        ExitCode.OK,
        [b"%d" % n for n in range(50)],
        "mqctl: received 50",
    )


def test_a_queue_is_read_to_its_end_and_what_comes_twice_is_flagged(mqctl, link, broker):
    put(broker, "/queue/twice", *[b"%d" % n for n in range(100)])
    fired = link.down.cut_at(b"MESSAGE\n", nth=60)
    done = mqctl("tail", "/queue/twice", "--json", "--idle", "1s")
    assert fired.wait(10)
    records = [json.loads(line) for line in done.lines]
    seen: set[str] = set()
    for record in records:
        assert record["redelivered"] or record["payload"] not in seen
        seen.add(record["payload"])
    assert seen == {str(n) for n in range(100)}
    again = sum(record["redelivered"] for record in records)
    assert done.last.startswith(f"mqctl: received {len(records)}, redelivered {again}, reconnects 1, longest outage ")


@pytest.mark.parametrize("fault", ["reset", "end", "corrupt"])
def test_a_publish_survives_and_reports_what_was_under_way(start, link, ear, fault):
    """What was confirmed arrived, and what arrived was attempted; the rest is unknown, and the exit code says so."""
    heard = ear("/topic/x")
    # A byte in the middle of a frame may spoil nothing that is noticed: that fault comes between two frames.
    last, nth = (b"receipt-id:1000\n\n\0", 1) if fault == "corrupt" else (b"RECEIPT\n", 300)
    far_enough = link.down.call_at(last, nth, lambda: None)
    publish = start("publish", "x", "--lines", stdin=-1)
    publish.write(numbers(1000))
    assert far_enough.wait(10)
    link.stall()
    publish.write(numbers(50))
    break_by(fault, link)
    link.resume()
    # Who waits for a line of input hears of the connection when one comes.
    fed = 1
    while not publish.hears("connected again", 0.2):
        publish.write(b"more\n")
        fed += 1
        assert fed < 100
    publish.write(b"after\n")
    publish.process.stdin.close()
    done = publish.end()
    attempted, confirmed, rejected, unknown, resent = books(done)
    bodies = heard.bodies()
    assert (rejected, resent) == (0, 0)
    assert attempted == confirmed + unknown == 1050 + fed
    assert confirmed <= len(bodies) <= attempted
    assert bodies[-1] == b"after"
    assert done.code == (ExitCode.CONNECTION if unknown else ExitCode.OK)
    if unknown:
        assert f"mqctl: {unknown} unknown were under way when a connection was lost; --resend-unknown" in done.err


@pytest.mark.parametrize("nth", [1, 300, MANY])
def test_what_was_under_way_is_sent_again_if_asked_for(mqctl, link, ear, nth):
    """Nothing is missed, the order is kept but for what comes again, and that is marked."""
    heard = ear("/topic/x")
    fired = link.down.cut_at(b"RECEIPT\n", nth)
    # The message of this receipt arrived, and nobody was told.
    done = mqctl("publish", "x", "--lines", "--resend-unknown", data=numbers())
    assert fired.wait(10)
    assert (done.code, books(done)[:4]) == (ExitCode.OK, [MANY, MANY, 0, 0])
    frames = heard.frames()
    first = [int(frame.body) for frame in frames if "mqctl-resent" not in frame.headers]
    again = [int(frame.body) for frame in frames if "mqctl-resent" in frame.headers]
    assert len(again) == books(done)[4]
    assert first == sorted(set(first))
    assert again == sorted(set(again))
    assert set(first) | set(again) == set(range(MANY))
    after = [int(frame.body) for frame in frames][-(MANY - again[-1]) :]
    assert after == list(range(again[-1], MANY)), "what was sent again comes ahead of what had not been sent"
    assert re.search(r"reconnects 1, longest outage [\d.]+m?s$", done.last)


@pytest.mark.parametrize("fault", BAD)
def test_a_publish_does_not_mind(mqctl, link, ear, fault):
    BAD[fault](link)
    heard = ear("/topic/x")
    done = mqctl("publish", "x", "--lines", "--resend-unknown", data=numbers(50))
    assert (done.code, done.last) == (ExitCode.OK, "mqctl: attempted 50, confirmed 50, rejected 0, unknown 0")
    assert heard.bodies() == [b"%d" % n for n in range(50)]


def test_a_half_open_publish_is_noticed_and_sent_again(start, link, ear):
    heard = ear("/topic/x")
    publish = start("publish", "x", "--lines", "--resend-unknown", "--heart-beat", "300ms", stdin=-1)
    publish.write(b"1\n")
    heard.client.expect("MESSAGE")
    link.up.swallow()
    publish.write(b"2\n3\n")
    publish.process.stdin.close()
    done = publish.end()
    assert (done.code, books(done)) == (ExitCode.OK, [3, 3, 0, 0, 2])
    assert heard.bodies() == [b"2", b"3"]


def test_several_losses_are_counted(start, link, broker):
    tail = start("tail", "x", "--count", "1")
    tail.said("subscribed")
    for _ in range(3):
        link.cut()
        tail.said("connected again")
    put(broker, "/topic/x", b"x")
    ended = tail.end()
    assert ended.code == ExitCode.OK
    assert ended.last.startswith("mqctl: received 1, reconnects 3, longest outage ")


@pytest.mark.parametrize("command", [("tail", "x"), ("publish", "x", "--generate", "ramp", "--interval", "10ms")])
def test_the_policy_gives_up_and_says_after_how_long(start, link, ear, command):
    heard = ear("/topic/x")
    run = start(*command, "--reconnect", "300ms")
    run.said("subscribed") if command[0] == "tail" else heard.client.expect("MESSAGE")
    link.refuse()
    link.cut()
    ended = run.end()
    assert ended.code == ExitCode.CONNECTION
    assert "; trying again for up to 300ms\n" in ended.err
    assert re.search(r"; gave up after 300ms and \d+ tries; the last: nobody listens at ", ended.err)
    assert "reconnects" not in ended.err


def test_never_is_never(start, link):
    tail = start("tail", "x", "--reconnect", "never")
    tail.said("subscribed")
    link.cut()
    ended = tail.end()
    assert ended.code == ExitCode.CONNECTION
    assert "trying" not in ended.err


def test_whoever_looks_on_waits_as_long_as_they_like(start, link, env):
    shown = Terminal(("tail", "x"), env, width=200)
    try:
        shown.shows("subscribed")
        link.cut()
        shown.shows("trying again until there is one again", "connected again")
        assert shown.end(signal.SIGINT) == ExitCode.INTERRUPTED
    finally:
        shown.close()


def test_a_live_picture_shows_that_there_is_no_connection(link, env, broker):
    shown = Terminal(("watch", "rect"), env, width=120)
    try:
        shown.until(lambda shown: ENTER in shown.raw and "127.0.0.1:" in shown.lines[-1])
        link.refuse()
        link.cut()
        shown.until(lambda shown: "! connection lost: " in shown.lines[-1])
        link.accept()
        shown.until(lambda shown: "● connected again to " in shown.lines[-1])
        put(broker, "/topic/rect", b"30")
        shown.shows("30°")
        shown.type(b"q")
        assert shown.end() == ExitCode.OK
        assert b"mqctl: received 1, reconnects 1, longest outage " in shown.raw.rpartition(LEAVE)[2]
    finally:
        shown.close()


def test_quiet_tells_only_what_came_of_it(start, link, broker):
    tail = start("tail", "/queue/quiet", "--count", "1", "--quiet")
    put(broker, "/queue/quiet", b"1")
    assert tail.end().err == ""
    fired = link.down.cut_at(b"RECEIPT\n", 2)
    publish = start("publish", "x", "1", "2", "3", "--resend-unknown", "--quiet")
    ended = publish.end()
    assert fired.wait(10)
    assert ended.err.count("\n") == 1
    assert ended.last.startswith("mqctl: attempted 3, confirmed 3, rejected 0, unknown 0, resent ")


@pytest.mark.parametrize(
    ("limit", "code"),
    [(("--idle", "500ms"), ExitCode.OK), (("--timeout", "800ms"), ExitCode.TIMEOUT)],
    ids=["idle", "timeout"],
)
def test_limits_hold_while_there_is_no_connection(start, link, limit, code):
    tail = start("tail", "x", *limit)
    tail.said("subscribed")
    link.refuse()
    link.cut()
    assert tail.end().code == code


@pytest.mark.parametrize("command", [("tail", "x"), ("publish", "x", "--generate", "ramp", "--interval", "1ms")])
def test_ctrl_c_ends_an_outage_at_once(start, link, ear, command):
    heard = ear("/topic/x")
    run = start(*command, "--reconnect", "always")
    run.said("subscribed") if command[0] == "tail" else heard.client.expect("MESSAGE")
    link.refuse()
    link.cut()
    run.said("connection lost")
    before = time.monotonic()
    ended = run.end(signal.SIGINT)
    assert ended.code == ExitCode.INTERRUPTED
    assert time.monotonic() - before < 3.0
    assert "Traceback" not in ended.err
    if command[0] == "publish":
        attempted, confirmed, rejected, unknown, _ = books(ended)
        assert attempted == confirmed + rejected + unknown


def test_the_time_limit_of_a_publish_ends_an_outage_too(start, link, ear):
    heard = ear("/topic/x")
    run = start("publish", "x", "--generate", "ramp", "--interval", "1ms", "--timeout", "1s", "--resend-unknown")
    heard.client.expect("MESSAGE")
    link.refuse()
    link.cut()
    ended = run.end()
    assert ended.code == ExitCode.TIMEOUT
    attempted, confirmed, rejected, unknown, _ = books(ended)
    assert attempted == confirmed + rejected + unknown


def test_after_a_loss_the_next_of_the_list_is_tried_first(start, link, env):
    """The standby of a pair has taken over."""
    with another_hub() as standby:
        tail = start("tail", "x", "--count", "1", env={**env, "MQCTL_URL": f"stomp://{link.endpoint},{standby}"})
        assert f" at {link.endpoint} " in tail.said("subscribed")
        link.cut()
        assert f"connected again to {standby} after " in tail.said("connected again")
        put(f"stomp://{standby}", "/topic/x", b"there")
        assert tail.end().lines == ["there"]


def test_a_refused_password_is_not_tried_again(start, link, env):
    with another_hub(user="ann", password=Secret("other")) as strict:
        tail = start("tail", "x", env={**env, "MQCTL_URL": f"stomp://{link.endpoint},{strict}"})
        tail.said("subscribed")
        link.cut()
        ended = tail.end()
    assert ended.code == ExitCode.REFUSED
    assert f"mqctl: {strict} refused the connection: " in ended.err


def test_who_speaks_no_stomp_is_not_asked_again(start, link):
    """The first byte of the answer is spoiled, at the second connection."""
    tail = start("tail", "x")
    tail.said("subscribed")
    link.down.call_at(b"CONNECTED\n", 1, lambda: None)
    link.cut()
    link.down.corrupt()
    ended = tail.end()
    assert ended.code == ExitCode.PROTOCOL
    assert "does not speak STOMP" in ended.err


def test_a_subscription_that_is_refused_now_ends_the_run(start, env):
    refused = iter([False])

    def answer(frame: Frame) -> bytes | None:
        if frame.command == "SUBSCRIBE" and next(refused, True):
            about = {"message": "not any more", "receipt-id": frame.headers["receipt"]}
            return encode("ERROR", about, version=Version.V1_2)
        return polite(frame)

    with fake_server(answer) as url, Link(parse_url(url).endpoints[0]) as link:
        tail = start("tail", "x", env={**env, "MQCTL_URL": f"stomp://{link.endpoint}"})
        tail.said("subscribed")
        link.cut()
        ended = tail.end()
    assert ended.code == ExitCode.REFUSED
    assert "not any more" in ended.err


def test_a_name_is_looked_up_again(start, link, env):
    tail = start("tail", "x", env={**env, "MQCTL_URL": f"stomp://localhost:{link.endpoint.port}"})
    tail.said("subscribed")
    link.cut()
    tail.said("connected again")
    assert tail.end(signal.SIGINT).code == ExitCode.INTERRUPTED


def test_who_asks_nobody_cannot_send_again(mqctl):
    code, _, err = mqctl("publish", "x", "1", "--resend-unknown", "--confirm", "none")
    assert code == ExitCode.USAGE
    assert "--resend-unknown needs --confirm broker" in err
