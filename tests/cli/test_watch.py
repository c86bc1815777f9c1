"""`mqctl watch`: what a person sees on terminals of several kinds, and what a pipe gets."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from tests.cli.commands import MQCTL
from tests.cli.conftest import put
from tests.cli.terminal import ENTER, LEAVE, Terminal

RECT = b'{"producerId":"abcdef","data":45,"date":"2026-01-01T00:00:00.000Z"}'
POSITION = b'{"x":3,"y":9,"producerId":"abcdefghijkl","time":"2026-01-01T00:00:00.000Z"}'


@pytest.fixture
def terminal(env: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    """Opens terminals."""
    opened: list[Terminal] = []

    def terminal(*args: str, size: tuple[int, int] = (80, 24), **more: str) -> Terminal:
        script = args[0] if " " in args[0] else args
        opened.append(Terminal(script, {**env, **more}, *size))
        return opened[-1]

    yield terminal
    for each in opened:
        each.close()


def watching(terminal, *args: str, **more) -> Terminal:
    """`mqctl watch`, once it has drawn its first picture."""
    return terminal("watch", *args, **more).until(lambda shown: ENTER in shown.raw and "127.0.0.1:" in shown.lines[-1])


def is_clean(shown: Terminal) -> bool:
    """Whether the terminal is as it was: its own screen, a cursor, echo, and nothing drawn after that."""
    return (
        shown.raw.count(ENTER) == shown.raw.count(LEAVE) > 0
        and not shown.screen.cursor.hidden
        and shown.settings == shown.before
        and b"\x1b[" not in shown.raw.rpartition(LEAVE)[2].replace(b"\x1b[?25h", b"")
    )


def test_who_types_lines_is_told_how_to_end(terminal):
    shown = terminal("publish", "x", "--lines")
    shown.shows("mqctl: a message for each line that you type; Ctrl-D ends")
    shown.type(b"one\n\x04")
    assert shown.end() == ExitCode.OK
    shown.shows("attempted 1, confirmed 1, rejected 0, unknown 0")


def test_in_a_pipe_it_prints_values_and_the_last_picture(mqctl, broker):
    put(broker, "/queue/w", RECT, b"7", b"nonsense", b"[1,2]")
    code, out, err = mqctl("watch", "/queue/w", "--view", "rect", "--count", "4")
    assert code == ExitCode.OK
    lines = out.decode().splitlines()
    assert lines[:2] == ["45° from abcdef", "7°"]
    assert "nonsense" in lines[2]
    assert len(lines) == 4 + 24
    assert all(len(line) == 80 for line in lines[4:-1])
    assert "2 bad" in out.decode()
    assert "\x1b" not in out.decode() + err
    assert err.endswith("mqctl: received 4\n")


def test_in_a_pipe_several_topics_are_named(start, broker):
    watch = start("watch", "rect", "chart", "--count", "2")
    watch.said("subscribed to rect, chart")
    put(broker, "/topic/rect", b"45")
    assert watch.printed().decode() == "rect 45°\n"
    put(broker, "/topic/chart", b"[3,7]")
    assert watch.printed().startswith(b"chart ")
    assert watch.end().code == ExitCode.OK


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (40, 12)], ids=str)
def test_four_views_share_one_screen_of_any_size(terminal, broker, size):
    shown = watching(terminal, "rect", "chart", "pos", "x.**", size=size)
    put(broker, "/topic/rect", RECT, b"what?")
    put(broker, "/topic/chart", b"[3,7,12,5]")
    put(broker, "/topic/pos", POSITION)
    put(broker, "/topic/x.y", b"1", b"hello")
    shown.shows("45°", "12", "x.y", "2 messages", "1 producer" if size[0] > 40 else "pos")
    assert all(len(line) == size[0] for line in shown.lines)
    assert shown.lines[-1].startswith(" ● 127.0.0.1:")
    assert shown.lines[0].startswith("╭─ rect ")
    shown.type(b"q")
    assert shown.end() == ExitCode.OK
    assert is_clean(shown)


def test_a_resize_is_followed(terminal, broker):
    shown = watching(terminal, "rect")
    put(broker, "/topic/rect", b"30")
    shown.shows("30°")
    for width, height in ((120, 40), (40, 12), (80, 24)):
        shown.resize(width, height)
        shown.until(lambda shown, w=width: shown.lines[0].startswith("╭") and shown.lines[0].find("╮") == w - 1)
        shown.until(lambda shown: "30°" in shown.text and shown.lines[-1].startswith(" ●"))
    shown.type(b"q")
    assert shown.end() == ExitCode.OK


def test_c_clears_and_other_keys_do_nothing(terminal, broker):
    shown = watching(terminal, "rect")
    put(broker, "/topic/rect", b"30")
    shown.shows("30°")
    shown.type(b"x\x1b[A")
    shown.type(b"c")
    shown.until(lambda shown: "30°" not in shown.text and "0 messages" in shown.text)
    shown.type(b"Q")
    assert shown.end() == ExitCode.OK


@pytest.mark.parametrize(
    ("how", "code"),
    [(b"\x03", ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.INTERRUPTED), (signal.SIGINT, ExitCode.INTERRUPTED)],
)
def test_however_it_ends_the_terminal_is_as_it_was(terminal, how, code):
    shown = watching(terminal, "rect", "chart")
    if isinstance(how, bytes):
        shown.type(how)
        assert shown.end() == code
    else:
        assert shown.end(how) == code
    assert is_clean(shown)
    assert "Traceback" not in shown.text


def test_a_stopped_picture_gives_the_terminal_back_and_takes_it_again(terminal, broker):
    """Ctrl-Z, then `fg`."""
    shown = terminal(f"{MQCTL} watch rect; read -p 'stopped: '; fg; echo code=$?")
    shown.until(lambda shown: ENTER in shown.raw and "127.0.0.1:" in shown.lines[-1])
    shown.type(b"\x1a")
    shown.until(lambda shown: b"stopped: " in shown.raw)
    assert is_clean(shown)
    shown.type(b"\n")
    shown.until(lambda shown: shown.raw.count(ENTER) == 2 and shown.settings != shown.before)
    put(broker, "/topic/rect", b"30")
    shown.shows("30°")
    shown.type(b"q")
    shown.until(lambda shown: b"code=0" in shown.raw)
    assert shown.end() == ExitCode.OK
    assert is_clean(shown)


def test_a_lost_connection_is_told_after_the_picture(terminal):
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), drain_s=0)) as hub:
        shown = watching(terminal, "rect", "--reconnect", "never", MQCTL_URL=hub.urls[0])
    assert shown.end() == ExitCode.CONNECTION
    assert is_clean(shown)
    assert b"mqctl: connection lost" in shown.raw.rpartition(LEAVE)[2]


def test_a_time_limit_ends_a_picture_too(terminal):
    shown = watching(terminal, "rect", "--timeout", "1s")
    assert shown.end() == ExitCode.TIMEOUT
    assert is_clean(shown)
    assert b"mqctl: --timeout is over" in shown.raw.rpartition(LEAVE)[2]


NAMED = re.compile(rb"(?:3[0-7]|4[0-7]|9[0-7]|10[0-7])")
NUMBERED = re.compile(rb"[34]8;5;\d+")
MIXED = re.compile(rb"[34]8;2;\d+;\d+;\d+")
PLAIN = re.compile(rb"[0-9]?")


def codes(shown: Terminal) -> set[bytes]:
    """What all SGR sequences ask for, one by one."""
    kinds = b"|".join(kind.pattern for kind in (NUMBERED, MIXED, NAMED, PLAIN))
    return {code for asked in re.findall(rb"\x1b\[([0-9;]*)m", shown.raw) for code in re.findall(kinds, asked)}


@pytest.mark.parametrize(
    ("more", "kinds"),
    [
        ({"NO_COLOR": "1"}, {PLAIN}),
        ({"TERM": "xterm"}, {PLAIN, NAMED}),
        ({"TERM": "xterm-256color", "COLORTERM": ""}, {PLAIN, NUMBERED}),
        ({"COLORTERM": "truecolor"}, {PLAIN, MIXED}),
    ],
    ids=["NO_COLOR", "8 colours", "256 colours", "all colours"],
)
def test_colours_are_those_of_the_terminal(terminal, broker, more, kinds):
    shown = watching(terminal, "rect", "chart", **more)
    put(broker, "/topic/rect", RECT, b"bad")
    put(broker, "/topic/chart", b"[1,2]")
    shown.shows("45°", "a2", "1 bad")
    assert {kind for kind in (NAMED, NUMBERED, MIXED, PLAIN) if any(map(kind.fullmatch, codes(shown)))} == kinds


def test_without_unicode_the_picture_is_ascii(terminal, broker):
    shown = watching(terminal, "rect", "chart", LC_ALL="C")
    put(broker, "/topic/rect", RECT, "é\u2588".encode())
    put(broker, "/topic/chart", b"[3,7]")
    shown.shows("45", "a2", "1 bad")
    assert shown.raw.isascii()


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(terminal, broker, term):
    put(broker, "/queue/dumb", b"30")
    shown = terminal("watch", "/queue/dumb", "--view", "rect", "--count", "1", TERM=term)
    assert shown.end() == ExitCode.OK
    assert b"\x1b" not in shown.raw
    assert b"30" in shown.raw


def test_bad_values_are_shown_and_counted_and_harm_nothing(terminal, broker):
    shown = watching(terminal, "rect", "chart", "--view", "chart")
    put(broker, "/topic/rect", b"\xff\x1b[2J", b"NaN", b'{"data":"x"}', b"7")
    put(broker, "/topic/chart", b"[1,null]", b"1e999", b"", b"[3,4]")
    shown.shows("3 bad", "4 messages")
    shown.type(b"q")
    assert shown.end() == ExitCode.OK


def test_options_of_the_picture(terminal, broker):
    shown = watching(terminal, "load", "--view", "chart", "--field", "a.b", "--labels", "one,two", "--fps", "60")
    put(broker, "/topic/load", b'{"a":{"b":[3,7]}}')
    shown.shows("one", "two", "7")
    shown.type(b"q")
    assert shown.end() == ExitCode.OK


def test_a_payload_cannot_steer_the_terminal(terminal, broker):
    """Neither in a picture nor in lines."""
    evil = b"\x1b]0;owned\x07\x1b[31m\xc2\x9b5mred\r\x08"
    shown = watching(terminal, "x", "--view", "table")
    put(broker, "/topic/x", evil)
    shown.shows("owned")
    shown.type(b"q")
    shown.end()
    put(broker, "/queue/evil", evil, evil, evil)
    for options in ((), ("--json",), ("--format", "%p %j %t\n")):
        tail = terminal("tail", "/queue/evil", "--count", "1", *options)
        assert tail.end() == ExitCode.OK
        assert b"owned" in tail.raw
        shown.raw += tail.raw
    for sequence in (b"\x1b]0;", b"\x07", b"\xc2\x9b", b"\x08"):
        assert sequence not in shown.raw
    assert b"\x1b[31mred" not in shown.raw


def test_a_picture_that_cannot_be_written_is_an_error(mqctl, broker):
    put(broker, "/queue/full", b"1")
    with Path("/dev/full").open("wb") as full:
        code, _, err = mqctl("watch", "/queue/full", "--view", "rect", "--count", "1", stdout=full)
    assert code == ExitCode.WRONG
    assert err.endswith("mqctl: cannot write to standard output: no space left on the device\n")


def test_a_native_name_reaches_the_broker_as_it_is(mqctl, broker):
    code, _, err = mqctl("watch", "--native", "a.>", "--timeout", "5s")
    assert code == ExitCode.REFUSED
    assert "no destination 'a.>'" in err
