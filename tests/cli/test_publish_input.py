"""`mqctl publish` from standard input: lines, and JSON lines."""

from __future__ import annotations

import base64
import json

import pytest

from mqctl.errors import ExitCode
from tests.cli.commands import run
from tests.cli.conftest import put


def jsonl(*records: dict) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.mark.parametrize(
    ("typed", "payloads"),
    [
        (b"", []),
        (b"one\n\ntwo", [b"one", b"", b"two"]),
        (b"\n", [b""]),
        (b"--count\n -n \r\n\0\xff\n", [b"--count", b" -n \r", b"\0\xff"]),
    ],
)
def test_each_line_is_a_message(mqctl, ear, typed, payloads):
    heard = ear("/topic/x")
    done = mqctl("publish", "x", "--lines", data=typed)
    n = len(payloads)
    assert (done.code, done.last) == (ExitCode.OK, f"mqctl: attempted {n}, confirmed {n}, rejected 0, unknown 0")
    assert heard.bodies() == payloads


def test_a_line_is_sent_when_it_is_typed(start, ear):
    """Nobody waits for a buffer to fill."""
    heard = ear("/topic/x")
    publish = start("publish", "x", "--lines", stdin=-1)
    for line in (b"one", b"two"):
        publish.write(line + b"\n")
        assert heard.client.bodies(1) == [line]
    publish.process.stdin.close()
    assert publish.end().code == ExitCode.OK


def test_lines_for_rect_are_numbers_in_the_envelope(mqctl, ear):
    heard = ear("/topic/rect")
    typed = b"1\n 2.5 \nthree\n\xff\n\n4"
    done = mqctl("publish", "rect", "--lines", "--keep-going", data=typed)
    assert [json.loads(body)["data"] for body in heard.bodies()] == [1, 2.5, 4]
    assert done.code == ExitCode.USAGE
    assert done.err.splitlines() == [
        "mqctl: line 3: not a number: 'three'",
        "mqctl: line 4: not UTF-8",
        "mqctl: line 5: not a number: ''",
        "mqctl: attempted 3, confirmed 3, rejected 0, unknown 0",
    ]


def test_after_a_bad_line_the_rest_is_not_sent(mqctl, ear):
    heard = ear("/topic/rect")
    done = mqctl("publish", "rect", "--lines", data=b"1\nx\n3\n")
    assert [json.loads(body)["data"] for body in heard.bodies()] == [1]
    assert done.code == ExitCode.USAGE
    assert done.err.splitlines() == [
        "mqctl: line 2: not a number: 'x'; the rest is not sent (--keep-going sends it)",
        "mqctl: attempted 1, confirmed 1, rejected 0, unknown 0",
    ]


def test_json_lines_carry_topic_headers_and_any_bytes(mqctl, ear):
    heard = ear("/topic/a", "/queue/b")
    records = jsonl(
        {"topic": "a", "payload": "é", "headers": {"k": "v:\n"}, "n": 7, "received_at": "whenever"},
        {"topic": "/queue/b", "payload_b64": base64.b64encode(b"\0\xff").decode()},
    )
    done = mqctl("publish", "--jsonl", "-H", "k=usual", "-H", "l=usual", data=records + b"\n  \n")
    assert done.last == "mqctl: attempted 2, confirmed 2, rejected 0, unknown 0"
    first, second = heard.frames()
    assert (first.headers["destination"], first.body) == ("/topic/a", "é".encode())
    assert (first.headers["k"], first.headers["l"]) == ("v:\n", "usual")
    assert (second.headers["destination"], second.body) == ("/queue/b", b"\0\xff")


def test_a_topic_takes_the_place_of_the_lines_own(mqctl, ear):
    heard = ear("/topic/c")
    mqctl("publish", "c", "--jsonl", data=jsonl({"topic": "a", "payload": "1"}, {"payload": "2"}))
    assert heard.bodies() == [b"1", b"2"]


BAD_LINES = {
    b"nonsense": "not JSON: Expecting value at character 1",
    b'{"topic":"x","payload":NaN}': "not JSON: it has no NaN",
    b"\xff": "not UTF-8",
    b"[" * 100_000: "JSON nested too deep",
    b"[1]": "not a JSON object",
    b'{"payload":"1"}': "no member 'topic'",
    b'{"topic":"x"}': "no member 'payload'",
    b'{"topic":"x","payload":1}': "'payload' is no text",
    b'{"topic":"x","payload_b64":"!"}': "'payload_b64' is no base64: Only base64 data is allowed",
    b'{"topic":"x","payload":"","headers":{"a":1}}': "'headers' has a value that is no text",
    b'{"topic":"x","payload":"","headers":[]}': "'headers' is no object",
    b'{"topic":"","payload":"1"}': "a topic needs a name",
    b'{"topic":"x.*","payload":"1"}': "cannot publish to a wildcard: 'x.*'",
    b'{"topic":"x","payload":"1","headers":{"receipt":"1"}}': "the header 'receipt' belongs to the protocol",
    b'{"topic":"x","payload":"\\ud800"}': "'payload' has half a surrogate pair",
}


def test_every_bad_line_is_named_and_the_good_ones_between_are_sent(mqctl, ear):
    heard = ear("/topic/x")
    good = jsonl({"topic": "x", "payload": "good"})
    done = mqctl("publish", "--jsonl", "--keep-going", data=b"".join(good + bad + b"\n" for bad in BAD_LINES))
    assert heard.bodies() == [b"good"] * len(BAD_LINES)
    assert done.code == ExitCode.USAGE
    complaints = done.err.splitlines()
    for number, (complaint, reason) in enumerate(zip(complaints, BAD_LINES.values(), strict=False), 1):
        assert complaint.startswith(f"mqctl: line {2 * number}: {reason}")
    assert len(complaints) == len(BAD_LINES) + 1


@pytest.mark.parametrize("bad", list(BAD_LINES)[:1] + list(BAD_LINES)[-3:-2])
def test_after_a_bad_json_line_the_rest_is_not_sent(mqctl, ear, bad):
    heard = ear("/topic/x")
    good = jsonl({"topic": "x", "payload": "good"})
    done = mqctl("publish", "--jsonl", data=good + bad + b"\n" + good)
    assert heard.bodies() == [b"good"]
    assert done.code == ExitCode.USAGE
    assert done.err.startswith("mqctl: line 2: ")
    assert done.last == "mqctl: attempted 1, confirmed 1, rejected 0, unknown 0"


def test_what_tail_prints_as_json_publish_sends_on_unchanged(broker, env, ear):
    """Any bytes, and the publisher's own headers."""
    bodies = [b"", b"\0", bytes(range(256)), b"line\nline", "é\u2028".encode(), b'{"a":1}', b"x" * 100_000]
    put(broker, "/queue/from", *bodies, **{"mine": "a:b\nc\\d", "content-type": "x/y"})
    tailed = run(("tail", "/queue/from", "--json", "--count", str(len(bodies))), env)
    heard = ear("/topic/to")
    assert run(("publish", "to", "--jsonl"), env, tailed.out).code == ExitCode.OK
    frames = heard.frames()
    assert [frame.body for frame in frames] == bodies
    assert all({"mine": "a:b\nc\\d", "content-type": "x/y"}.items() <= frame.headers.items() for frame in frames)
