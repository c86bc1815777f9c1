"""`mqctl tail`: what arrived is printed, in the form asked for, and nothing else is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from mqctl.protocols.stomp.codec import Frame
from tests.cli.commands import MQCTL
from tests.cli.conftest import put
from tests.cli.fake_server import fake_server, polite

EVERY_BYTE = bytes(range(256))


@pytest.mark.parametrize(
    ("topics", "lines"),
    [
        (["a.b"], [b"1"]),
        (["a.b", "c"], [b"a.b 1", b"c 2"]),
        (["a.*"], [b"a.b 1"]),
        (["a.**"], [b"a.b 1", b"a.x.y 3"]),
        (["/topic/c"], [b"2"]),
        (["a/b"], [b"1"]),
    ],
    ids=str,
)
def test_text_is_the_payload_after_its_topic_where_there_are_several(start, broker, topics, lines):
    tail = start("tail", *topics, "--count", str(len(lines)))
    tail.said(
        f"subscribed to {', '.join(topic.replace('/', '.') if topic == 'a/b' else topic for topic in topics)} at "
    )
    for destination, body in (("/topic/a.b", b"1"), ("/topic/c", b"2"), ("/topic/a.x.y", b"3")):
        put(broker, destination, body)
    code, out, err = tail.end()
    assert (code, out.splitlines()) == (ExitCode.OK, lines)
    assert err.endswith(f"mqctl: received {len(lines)}\n")


def test_each_line_of_json_has_the_members_of_the_manual(mqctl, broker):
    put(broker, "/queue/json", b"text", EVERY_BYTE, b"", mine="1")
    code, out, _ = mqctl("tail", "/queue/json", "--json", "--count", "3")
    assert code == ExitCode.OK
    records = [json.loads(line) for line in out.splitlines()]
    members = ["topic", "payload", "headers", "id", "received_at", "n", "redelivered", "retained", "qos"]
    assert [list(record) for record in records] == [members, ["topic", "payload_b64", *members[2:]], members]
    first = records[0]
    assert (first["topic"], first["payload"], first["headers"]["mine"]) == ("/queue/json", "text", "1")
    assert (first["redelivered"], first["retained"], first["qos"]) == (False, False, None)
    assert first["id"]
    assert [record["n"] for record in records] == [1, 2, 3]
    assert abs(datetime.fromisoformat(first["received_at"]).timestamp() - time.time()) < 60


@pytest.mark.parametrize(
    ("options", "out"),
    [
        (["--raw"], EVERY_BYTE + b"two"),
        (["--null"], EVERY_BYTE + b"\0two\0"),
        (["-F", r"%n %t %l %h{mine}\x21\n"], b"1 /queue/form 256 1!\n2 /queue/form 3 1!\n"),
        (["--format", "%p|%q|%r|é\\0"], EVERY_BYTE + "|individual|-|é\0two|individual|-|é\0".encode()),
        ([], EVERY_BYTE + b"\ntwo\n"),
    ],
    ids=str,
)
def test_in_a_pipe_every_byte_is_as_it_came(mqctl, broker, options, out):
    put(broker, "/queue/form", EVERY_BYTE, b"two", mine="1")
    done = mqctl("tail", "/queue/form", "--count", "2", *options)
    assert (done.code, done.out) == (ExitCode.OK, out)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--format", "%z"], "--format has no %z\n  hint: verbs: %t %p"),
        (["--format", "%p{rot13}"], "--format has no %p{rot13}"),
        (["--format", r"\q"], r"--format has no \q"),
        (["--format", "100%"], "--format has no %"),
        (["--json", "--raw"], "--json, --format, --raw and --null exclude each other"),
        (["--ack", "never"], "--ack takes auto, client, individual, not 'never'"),
        (["x"], "a topic is named twice"),
        (["y", "--durable", "d"], "--durable names one subscription, so it takes one topic"),
        (["--forget"], "--forget needs --durable"),
    ],
    ids=str,
)
def test_a_wrong_call_is_named(mqctl, options, says):
    code, out, err = mqctl("tail", "x", *options)
    assert (code, out) == (ExitCode.USAGE, b"")
    assert f"mqctl: {says}" in err


def test_count_leaves_the_rest_with_the_broker(mqctl, broker):
    put(broker, "/queue/count", *[b"%d" % n for n in range(1, 6)])
    assert mqctl("tail", "/queue/count", "-n", "2").lines == ["1", "2"]
    assert mqctl("tail", "/queue/count", "-n", "2", "--ack", "client").lines == ["3", "4"]
    code, out, err = mqctl("tail", "/queue/count", "--idle", "100ms")
    assert (code, out) == (ExitCode.OK, b"5\n")
    # The run before had been sent it too, and left it.
    assert err.endswith("mqctl: received 1, redelivered 1\n")


def test_the_time_limit_counts_from_the_start_however_much_comes(start, broker):
    tail = start("tail", "x", "--timeout", "500ms")
    publish = start("publish", "x", "--generate", "ramp", "--interval", "5ms")
    ended = tail.end()
    publish.end(signal.SIGINT)
    assert ended.code == ExitCode.TIMEOUT
    assert ended.last.startswith("mqctl: --timeout is over; ")


@pytest.mark.parametrize("mode", ["client", "individual"])
def test_what_a_full_disk_did_not_take_is_delivered_again(mqctl, broker, mode):
    put(broker, f"/queue/full-{mode}", b"1", b"2", b"3")
    with Path("/dev/full").open("wb") as full:
        code, _, err = mqctl("tail", f"/queue/full-{mode}", "--ack", mode, stdout=full)
    assert code == ExitCode.WRONG
    assert err.endswith("mqctl: cannot write to standard output: no space left on the device\n")
    assert "received 0" in err
    again = mqctl("tail", f"/queue/full-{mode}", "--count", "3", "--format", "%p %r,")
    assert again.out == b"1 redelivered,2 redelivered,3 redelivered,"


@pytest.mark.parametrize("mode", ["client", "individual"])
def test_what_a_killed_reader_had_not_written_is_delivered_again(start, mqctl, broker, mode):
    bodies = [bytes([n]) * 2**20 for n in b"123"]
    put(broker, f"/queue/killed-{mode}", *bodies)
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb", buffering=0) as pipe:
        tail = start("tail", f"/queue/killed-{mode}", "--ack", mode, stdout=theirs)
        os.close(theirs)
        assert pipe.read(1) == b"1"  # it has begun to write, and nobody reads on
        tail.end(signal.SIGKILL)
    again = mqctl("tail", f"/queue/killed-{mode}", "--count", "3", "--raw")
    assert again.out == b"".join(bodies)


def test_with_ack_auto_what_was_sent_is_gone(mqctl, broker):
    put(broker, "/queue/auto", b"1")
    with Path("/dev/full").open("wb") as full:
        assert mqctl("tail", "/queue/auto", "--ack", "auto", stdout=full).code == ExitCode.WRONG
    assert mqctl("tail", "/queue/auto", "--idle", "100ms").out == b""


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        (["/queue/q"], {"ack": "client-individual"}),
        (["x"], {"ack": "auto"}),
        (["x", "--ack", "client", "--prefetch", "7"], {"ack": "client", "prefetch-count": "7"}),
        (["/queue/q", "--count", "3"], {"ack": "client-individual", "prefetch-count": "3"}),
        (["x", "--durable", "d", "--client-id", "me"], {"activemq.subscriptionName": "d"}),
        (["a.b/c", "--native"], {"destination": "a.b/c"}),
    ],
    ids=str,
)
def test_what_the_broker_is_asked_for(mqctl, options, headers):
    asked: list[Frame] = []
    with fake_server(lambda frame: asked.append(frame) or polite(frame)) as url:
        assert mqctl("tail", *options, "--idle", "1ms", "--url", url).code in (ExitCode.OK, ExitCode.WRONG)
    subscribe = next(frame for frame in asked if frame.command == "SUBSCRIBE")
    assert headers.items() <= subscribe.headers.items()


def test_what_a_durable_subscription_did_not_print_is_kept(mqctl, broker):
    """--count takes one of two: the other one is not acknowledged, and comes the next time."""
    durable = ("tail", "kept", "--durable", "mine", "--client-id", "keeper", "--count", "1")
    assert mqctl(*durable[:-2], "--idle", "1ms").code == ExitCode.OK
    put(broker, "/topic/kept", b"first", b"second")
    assert mqctl(*durable).out == b"first\n"
    assert mqctl(*durable).out == b"second\n"


def test_a_durable_subscription_gets_what_came_while_nobody_was_there(mqctl, broker):
    durable = ("tail", "news", "--durable", "mine", "--client-id", "me")
    assert mqctl(*durable, "--idle", "1ms").code == ExitCode.OK
    put(broker, "/topic/news", b"extra")
    assert mqctl(*durable, "--count", "1").out == b"extra\n"
    code, _, err = mqctl("tail", "news", "--durable", "mine")
    assert code == ExitCode.USAGE
    assert "needs a client id\n  hint: give one with --client-id" in err


def test_a_message_is_printed_when_it_comes(start, broker):
    tail = start("tail", "slow")
    tail.said("subscribed")
    for body in (b"one", b"two"):
        put(broker, "/topic/slow", body)
        assert tail.printed() == body + b"\n"


def test_a_reader_that_has_had_enough_ends_the_run_in_peace(start, broker):
    """As in `mqctl tail x | head -1`."""
    ours, theirs = os.pipe()
    tail = start("tail", "x", stdout=theirs)
    os.close(theirs)
    tail.said("subscribed")
    put(broker, "/topic/x", b"one")
    with os.fdopen(ours, "rb") as pipe:
        assert pipe.readline() == b"one\n"
    put(broker, "/topic/x", b"two")
    ended = tail.end()
    assert (ended.code, ended.last) == (ExitCode.OK, "mqctl: received 1")
    assert "Traceback" not in ended.err


def test_a_shell_pipeline_sees_success(env, broker):
    put(broker, "/queue/pipe", *[b"x" * 100] * 2000)
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {MQCTL} tail /queue/pipe --quiet | head -n 1"],
        env=env, capture_output=True, check=False, timeout=25,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"x" * 100 + b"\n", b"")


def test_standard_output_that_is_closed_is_named(env, broker):
    put(broker, "/queue/closed", b"1")
    command = f"{MQCTL} tail /queue/closed --count 1 >&-"
    done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, check=False, timeout=25)
    assert done.returncode == ExitCode.WRONG
    assert done.stderr.endswith(b"mqctl: cannot write to standard output: it is closed\n")


def test_a_hundred_thousand_messages_arrive_complete_and_in_order(start, broker):
    bodies = [b"%d" % n for n in range(100_000)]
    tail = start("tail", "/queue/many", "--count", str(len(bodies)), "--ack", "client")
    tail.said("subscribed")
    put(broker, "/queue/many", *bodies)
    ended = tail.end()
    assert ended.code == ExitCode.OK
    assert ended.out.split() == bodies
