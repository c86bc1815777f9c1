"""`mqctl publish`: what arrives is what was meant, and the last line tells what became of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from mqctl.protocols.stomp.codec import Frame, encode
from mqctl.protocols.stomp.spec import Version
from tests.cli.commands import MQCTL, Running
from tests.cli.conftest import Ear
from tests.cli.fake_server import dying_after, fake_server, polite, silent

MIB = 2**20


def books(attempted: int, confirmed: int, rejected: int = 0, unknown: int = 0) -> str:
    return f"mqctl: attempted {attempted}, confirmed {confirmed}, rejected {rejected}, unknown {unknown}"


@pytest.mark.parametrize(
    ("args", "data"),
    [
        (("rect", "45"), [45]),
        (("rect", "-45.5", "+1e2"), [-45.5, 100.0]),
        (("rect", "--json-data", '{"a":[1,null]}'), [{"a": [1, None]}]),
        (("rect", "--generate", "rotate:start=350", "--count", "2", "--interval", "0"), [350, 40]),
        (("chart", "3", "7", "12"), [[3, 7, 12]]),
        (("chart", "3", "7", "--each"), [3, 7]),
        (("chart", "3"), [3]),
        (("other", "7", "--envelope"), [7]),
    ],
    ids=str,
)
def test_the_envelope_is_the_applications(here, ear, args, data):
    """Keys in their order, one producer of 6 characters, the time of the send in milliseconds and with a Z."""
    heard, before = ear(f"/topic/{args[0]}"), datetime.now(UTC)
    done = here("publish", *args)
    assert (done.code, done.out, done.last) == (ExitCode.OK, b"", books(len(data), len(data)))
    payloads = [body.decode() for body in heard.bodies()]
    shape = r'\{"producerId":"[a-z0-9]{6}","data":.*,"date":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"\}'
    assert all(re.fullmatch(shape, payload) for payload in payloads), payloads
    read = [json.loads(payload) for payload in payloads]
    assert [each["data"] for each in read] == data
    assert len({each["producerId"] for each in read}) == 1
    rounding = timedelta(milliseconds=1)
    assert all(before - rounding <= datetime.fromisoformat(each["date"]) <= datetime.now(UTC) for each in read)


@pytest.mark.parametrize(
    ("args", "payloads"),
    [
        (("rect", "45", "--bare"), [b"45"]),
        (("chart", "3", "7", "--bare"), [b"[3,7]"]),
        (("chart", "--json-data", '{"a": 1}', "--bare"), [b'{"a":1}']),
        (("x", "b", "a", "", "c"), [b"b", b"a", b"", b"c"]),
        (("x", "-45", "-1e3"), [b"-45", b"-1e3"]),
        (("x", "--", "--count", "-"), [b"--count", b"-"]),
        (("x", "a", "b", "--count", "5"), [b"a", b"b", b"a", b"b", b"a"]),
        (("x", "a", "b", "--count", "1"), [b"a"]),
        (("x", b"\xff\xfe\xc3\xa9"), [b"\xff\xfe\xc3\xa9"]),
        (("x", "--generate", "const:on", "--count", "1"), [b'"on"']),
        (("x", "--generate", "ramp:low=1,high=2", "--count", "3", "--interval", "0"), [b"1", b"2", b"1"]),
        (("x", "--generate", "sine:period=4", "--count", "2", "--rate", "1000"), [b"50.0", b"100.0"]),
    ],
)
def test_elsewhere_what_is_typed_is_what_is_sent(here, ear, args, payloads):
    heard = ear(f"/topic/{args[0]}")
    done = here("publish", *args)
    assert (done.code, done.last) == (ExitCode.OK, books(len(payloads), len(payloads)))
    assert heard.bodies() == payloads


def test_a_position_says_who_and_when_by_itself(mqctl, ear):
    heard = ear("/topic/x")
    assert mqctl("publish", "x", "--generate", "circle", "--count", "1").code == ExitCode.OK
    (body,) = heard.bodies()
    position = json.loads(body)
    assert list(position) == ["x", "y", "producerId", "time"]
    assert (position["x"], position["y"]) == (450, 250)
    assert len(position["producerId"]) == 12


@pytest.mark.parametrize("generator", ["bars", "walk"])
def test_a_seed_repeats_what_chance_made(mqctl, ear, generator):
    heard = ear("/topic/x")
    for seed in ("1", "1", "2"):
        mqctl("publish", "x", "--generate", generator, "--seed", seed, "--count", "3", "--interval", "0")
    bodies = heard.bodies()
    assert bodies[:3] == bodies[3:6] != bodies[6:]


@pytest.mark.parametrize("value", ["NaN", "inf", "Infinity", "text", "", "1e400", "[1]"])
@pytest.mark.parametrize("topic", ["rect", "chart"])
def test_what_is_no_number_does_not_go_where_numbers_are_meant(here, ear, topic, value):
    """Not even the good values before it."""
    heard = ear(f"/topic/{topic}")
    code, out, err = here("publish", topic, "1", value)
    assert (code, out) == (ExitCode.USAGE, b"")
    assert "number" in err
    assert heard.bodies() == []


def test_headers_and_properties_travel(mqctl, ear):
    heard = ear("/topic/x")
    own = ("-H", "a=1", "-H", "b:2=3", "--header", "empty=")
    properties = ("--persistent", "--priority", "7", "--content-type", "text/x", "--expires", "1m")
    before_ms = datetime.now(UTC).timestamp() * 1000
    assert mqctl("publish", "x", "body", *own, *properties).code == ExitCode.OK
    (frame,) = heard.frames()
    sent = {"a": "1", "b": "2=3", "empty": "", "persistent": "true", "priority": "7", "content-type": "text/x"}
    assert sent.items() <= frame.headers.items()
    assert 59_999 <= float(frame.headers["expires"]) - before_ms < 80_000


@pytest.mark.parametrize(
    ("header", "says"),
    [("a", "a header looks like NAME=VALUE"), ("receipt=1", "'receipt' belongs to the protocol"), ("=a", "looks like")],
)
def test_a_header_that_cannot_be_sent_is_named(here, header, says):
    code, _, err = here("publish", "x", "1", "-H", header)
    assert code == ExitCode.USAGE
    assert says in err


@pytest.mark.parametrize(
    ("args", "has_length"),
    [(["é"], False), (["é", "--bytes"], True), ([b"\xff"], True), (["é", "--text"], False)],
)
def test_text_and_bytes_are_told_apart_by_the_length_header(mqctl, args, has_length):
    sent: list[Frame] = []
    with fake_server(lambda frame: sent.append(frame) or polite(frame)) as url:
        assert mqctl("publish", "x", *args, "--url", url).code == ExitCode.OK
    assert ["content-length" in frame.headers for frame in sent if frame.command == "SEND"] == [has_length]


def test_what_is_not_text_cannot_be_sent_as_text(mqctl, ear):
    heard = ear("/topic/x")
    done = mqctl("publish", "x", b"\xff", "--text")
    assert (done.code, done.last) == (ExitCode.USAGE, books(0, 0))
    assert heard.bodies() == []


@pytest.mark.parametrize("body", [b"", b"\0a\0", b"\n\r\n", bytes(range(256)) * (5 * MIB // 256)], ids=len)
def test_a_file_is_one_message_byte_for_byte(mqctl, ear, tmp_path, body):
    heard = ear("/topic/x")
    (tmp_path / "body").write_bytes(body)
    for source in ({"cwd": tmp_path}, {"data": body}):
        assert mqctl("publish", "x", "--file", "-" if "data" in source else "body", **source).last == books(1, 1)
        assert heard.client.bodies(1) == [body]


def test_a_file_that_is_not_there_is_named(mqctl):
    code, _, err = mqctl("publish", "x", "--file", "gone")
    assert (code, err) == (ExitCode.USAGE, "mqctl: cannot read gone: No such file or directory\n")


def test_the_pace_is_kept(mqctl, ear):
    """The times of the sends are those of the envelopes."""
    heard = ear("/topic/rect")
    mqctl("publish", "rect", *"12345", "--interval", "30ms")
    mqctl("publish", "rect", *"12345", "--rate", "40")
    times = [datetime.fromisoformat(json.loads(body)["date"]) for body in heard.bodies()]
    rounding = timedelta(milliseconds=1)
    assert times[4] - times[0] >= 4 * timedelta(milliseconds=30) - rounding
    assert times[9] - times[5] >= 4 * timedelta(milliseconds=25) - rounding
    assert mqctl("publish", "rect", "1", "--rate", "1", "--interval", "1s").code == ExitCode.USAGE


@pytest.mark.parametrize(("level", "confirmed"), [("none", 0), ("socket", 2)])
def test_the_books_say_which_confirmation_was_asked_for(mqctl, ear, level, confirmed):
    heard = ear("/topic/x")
    done = mqctl("publish", "x", "a", "b", "--confirm", level)
    assert (done.code, done.last) == (ExitCode.OK, f"{books(2, confirmed, 0, 2 - confirmed)} (--confirm {level})")
    assert heard.bodies() == [b"a", b"b"]


def test_quiet_leaves_only_the_books(mqctl):
    assert mqctl("publish", "x", "a", "--quiet").err == f"{books(1, 1)}\n"


def numbers(line: str) -> tuple[int, int, int, int]:
    attempted, confirmed, rejected, unknown = map(int, re.findall(r"\d+", line))
    return attempted, confirmed, rejected, unknown


def test_a_server_that_dies_on_the_way_leaves_the_rest_unknown(mqctl):
    """What it read it may have taken; only what it confirmed is confirmed."""
    lines = b"".join(b"%d\n" % n for n in range(5000))
    with fake_server(dying_after(500)) as url:
        done = mqctl("publish", "x", "--lines", "--reconnect", "never", "--url", url, data=lines)
    attempted, confirmed, rejected, unknown = numbers(done.last)
    assert done.code == ExitCode.CONNECTION
    assert confirmed <= 500 < attempted <= 5000
    assert (rejected, unknown) == (0, attempted - confirmed)


def test_nothing_that_a_killed_hub_confirmed_is_lost(start):
    hub = start("hub", "--stomp", "127.0.0.1:0")
    url = hub.printed().decode().strip()
    ear = Ear(url, "/topic/x")
    publish = start("publish", "x", "--generate", "ramp", "--interval", "0", "--reconnect", "never", "--url", url)
    delivered = [ear.client.expect("MESSAGE") for _ in range(200)]
    hub.process.kill()
    done = publish.end()
    delivered += ear.rest()
    attempted, confirmed, rejected, unknown = numbers(done.last)
    assert done.code == ExitCode.CONNECTION
    assert 0 < confirmed <= len(delivered) <= attempted
    assert (rejected, unknown) == (0, attempted - confirmed)


def begun(start, ear, *args: str) -> tuple[Running, Ear]:
    """A publish that has sent its third message."""
    heard = ear("/topic/x")
    publish = start("publish", "x", *args)
    for _ in range(3):
        heard.client.expect("MESSAGE")
    return publish, heard


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_still_tells_its_books(start, ear, number):
    publish, heard = begun(start, ear, "--generate", "walk", "--interval", "2ms")
    done = publish.end(number)
    sent = 3 + len(heard.bodies())
    assert (done.code, done.err) == (ExitCode.INTERRUPTED, f"{books(sent, sent)}\n")


def test_an_interrupted_run_soon_gives_up_on_confirmations(start):
    def answer(frame: Frame) -> bytes:
        if frame.command == "SEND":
            publish.process.send_signal(signal.SIGINT)
        return silent(frame)

    with fake_server(answer) as url:
        publish = start("publish", "x", "1", "2", "--interval", "200ms", "--url", url)
        done = publish.end()
    assert done.code == ExitCode.INTERRUPTED
    # Where the signal ends the sending itself, nothing is left to wait for, and the message is unknown all the same.
    assert done.err.removeprefix("mqctl: no confirmation within 1s\n") == f"{books(1, 0, 0, 1)}\n"


def test_only_some_of_many_reasons_are_told(mqctl):
    def answer(frame: Frame) -> bytes:
        if frame.command != "SEND":
            return polite(frame)
        about = {"message": f"{frame.body.decode()} is not wanted", "receipt-id": frame.headers["receipt"]}
        return encode("ERROR", about, version=Version.V1_2)

    with fake_server(answer) as url:
        done = mqctl("publish", "x", "--lines", "--url", url, data=b"".join(b"%d\n" % n for n in range(25)))
    told = [f"mqctl: {n} is not wanted" for n in range(20)]
    rest = "mqctl: 5 more were rejected or are unknown for other reasons"
    assert (done.code, done.err.splitlines()) == (ExitCode.REFUSED, [*told, rest, books(25, 0, 25)])


def test_the_time_limit_holds_while_nobody_types(start):
    publish = start("publish", "x", "--lines", "--timeout", "600ms", stdin=-1)
    publish.write(b"one\n")
    done = publish.end()
    assert done.code == ExitCode.TIMEOUT
    assert done.err == f"mqctl: --timeout is over after 600ms\n{books(1, 1)}\n"


@pytest.mark.parametrize(
    ("redirection", "code"), [("publish x 1 <&-", 0), ("publish x 1 >&-", 0), ("publish x 1 2>&-", 0),
                              ("publish x 1 <&- >&- 2>&-", 0), ("publish x --lines <&-", 0), ("--version >&-", 1)],
)  # fmt: skip
def test_closed_standard_streams_are_no_trouble(start, env, redirection, code):
    done = subprocess.run(
        ["bash", "-c", f"{MQCTL} {redirection}"], env=env, capture_output=True, check=False, timeout=20
    )
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr


def test_standard_output_is_never_written_to(mqctl):
    """So that a full one does not matter."""
    with Path("/dev/full").open("wb") as full:
        assert mqctl("publish", "x", "1", stdout=full).code == ExitCode.OK
