"""`mqctl console`: lines are run over one connection, messages appear above the prompt, scripts end at a failure."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from tests.cli.conftest import put
from tests.cli.terminal import ENTER, LEAVE, Terminal

PROMPT = "mqctl 127.0.0.1:"


def script(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def test_a_script_publishes_and_receives_over_one_connection(mqctl):
    lines = ("subscribe a.* --json", "publish a.b 1 2", "# a comment", "", "wait --count 2 --timeout 10s", "status")
    code, out, err = mqctl("console", data=script(*lines))
    assert code == ExitCode.OK, err
    first, second, connected, counts, *table = out.decode().splitlines()
    assert [json.loads(line)["payload"] for line in (first, second)] == ["1", "2"]
    assert connected.startswith("connected: 127.0.0.1:")
    # One connection did both: what it counts is what went out and came in.
    assert counts == "messages: 2 in, 2 out"
    assert table[-1].split() == ["a.*", "2"]


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("publish", ExitCode.USAGE, "nothing to publish"),
        ("publsh x 1", ExitCode.USAGE, "publsh"),
        ("unsubscribe x", ExitCode.USAGE, "not subscribed to x"),
        ("run missing.txt", ExitCode.USAGE, "cannot read missing.txt"),
        ("wait", ExitCode.USAGE, "wait for what?"),
        ("wait --count 1 --timeout 50ms", ExitCode.TIMEOUT, "fewer than 1 messages"),
        ("tail x --timeout 50ms", ExitCode.TIMEOUT, "--timeout is over"),
        ("publish 'x", ExitCode.USAGE, "No closing quotation"),
        ("use", ExitCode.USAGE, "use which broker?"),
        ("use nobody", ExitCode.USAGE, "nobody"),
        ("use stomp://127.0.0.1:1", ExitCode.CONNECTION, "nobody listens"),
        ("console", ExitCode.USAGE, "console"),
        ("publish a 1 | wc", ExitCode.USAGE, "the console is no shell: it does not know |"),
        ("status; publish a 1", ExitCode.USAGE, "the console is no shell: it does not know ;"),
        ("statsu", ExitCode.USAGE, "no command 'statsu'; did you mean 'status'?"),
    ],
)
def test_a_script_ends_at_its_first_failure_with_its_code(mqctl, line, code, words):
    ended = mqctl("console", data=script("publish before 1", line, "publish after 1"))
    assert ended.code == code, ended.err
    assert words in ended.err
    assert ended.err.count("confirmed 1") == 1
    assert ended.last == f"mqctl: standard input, line 2: exit code {int(code)}; the rest is not run"


def test_what_an_editor_puts_into_a_script_is_no_part_of_its_commands(mqctl):
    lines = b"\xef\xbb\xbfsubscribe a\r\nmqctl publish a 1 # one\r\nwait -n 1 --timeout 10s"
    assert tuple(mqctl("console", data=lines))[:2] == (ExitCode.OK, b"a 1\n")


def test_a_script_publishes_the_bytes_that_it_has(mqctl):
    lines = b"subscribe a\npublish a '\xe9'\nwait -n 1 --timeout 10s\n"
    assert tuple(mqctl("console", data=lines))[:2] == (ExitCode.OK, b"a \xe9\n")


def test_help_lists_the_words_of_the_console_and_nothing_of_the_program_around_it(mqctl):
    code, out, _ = mqctl("console", data=script("help"))
    assert code == ExitCode.OK
    assert all(f"  {word} " in out.decode() for word in ("publish", "subscribe", "run", "help", "exit"))
    assert b"completion" not in out


def test_a_file_is_run_and_may_run_others_but_not_itself(mqctl, home, tmp_path):
    (tmp_path / "outer").write_text("run inner\npublish a 2\n")
    (tmp_path / "inner").write_text("subscribe a --format '%p\\n'\npublish a 1\n")
    (tmp_path / "loop").write_text("run loop\n")
    code, out, err = mqctl("console", data=script("run outer", "wait -n 2 --timeout 10s"), cwd=tmp_path)
    assert (code, out) == (ExitCode.OK, b"1\n2\n"), err
    code, _, err = mqctl("console", data=script("run loop"), cwd=tmp_path)
    assert code == ExitCode.USAGE
    assert "loop runs itself" in err


def test_exit_ends_a_script_in_peace(mqctl):
    code, _, err = mqctl("console", data=script("exit", "publish after 1"))
    assert code == ExitCode.OK
    assert "confirmed" not in err


def test_after_unsubscribe_nothing_more_is_printed(mqctl):
    lines = (
        "sub a b",
        "pub a 1",
        "wait -n 1 --timeout 10s",
        "unsub a",
        "pub a 2",
        "pub b 3",
        "wait -n 1 --timeout 10s",
    )
    code, out, err = mqctl("console", data=script(*lines))
    assert (code, out) == (ExitCode.OK, b"a 1\nb 3\n"), err


def test_use_changes_the_broker_for_what_follows(mqctl):
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as other:
        lines = ("sub a", f"use {other.urls[0]}", "status", "sub a", "pub a here", "wait -n 1 --timeout 10s")
        code, out, err = mqctl("console", data=script(*lines))
    assert code == ExitCode.OK, err
    connected, _, message = out.decode().splitlines()
    assert connected.partition(": ")[2].startswith(other.urls[0].removeprefix("stomp://"))
    assert message == "a here"


def test_options_of_the_console_count_for_its_commands(mqctl, home, tmp_path):
    """A durable subscription needs the client id that only the console was given."""
    argv = ("--client-id", "console-of-a-test")
    code, _, err = mqctl("console", *argv, data=script("tail a --durable d --count 1 --timeout 50ms"))
    assert code == ExitCode.TIMEOUT, err
    assert "subscribed to a" in err


def test_a_command_with_another_address_goes_there(mqctl):
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as other:
        lines = ("sub a", f"publish a there --url {other.urls[0]}", "publish a here", "wait -n 1 --timeout 10s")
        code, out, err = mqctl("console", data=script(*lines))
    assert (code, out) == (ExitCode.OK, b"a here\n"), err


def test_nobody_there_ends_a_script_before_it_begins(mqctl, home):
    code, out, err = mqctl("console", "--url", "stomp://127.0.0.1:1", data=script("publish a 1"), env=home)
    assert (code, out) == (ExitCode.CONNECTION, b"")
    assert "nobody listens" in err


def test_waiting_ends_when_the_connection_is_gone_for_good(start):
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as hub:
        argv = ("console", "--url", hub.urls[0], "--reconnect", "never")
        waiting = start(*argv, stdin=subprocess.PIPE)
        waiting.write(script("subscribe a", "wait --count 1"))
        waiting.said("subscribed to a")
    ended = waiting.end()
    assert ended.code == ExitCode.CONNECTION
    assert "mqctl: not connected\n" in ended.err


def test_a_script_ends_in_peace_when_nobody_reads_its_messages(start):
    unread, theirs = os.pipe()
    os.close(unread)
    running = start("console", stdin=subprocess.PIPE, stdout=theirs)
    os.close(theirs)
    running.write(script("subscribe a", "publish a 1", "wait -n 1 --timeout 10s", "publish after 1"))
    ended = running.end()
    assert (ended.code, ended.err.count("confirmed 1")) == (ExitCode.OK, 1), ended.err
    assert "Traceback" not in ended.err


def test_a_script_fails_where_its_messages_cannot_be_written(start):
    with Path("/dev/full").open("wb") as full:
        running = start("console", stdin=subprocess.PIPE, stdout=full)
        running.write(script("subscribe a", "publish a 1", "wait -n 1 --timeout 10s", "publish after 1"))
        ended = running.end()
    assert ended.code == ExitCode.WRONG
    assert ended.err.count("no space left on the device") == 1
    assert ended.err.count("confirmed 1") == 1


@pytest.fixture
def terminal(env: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def terminal(*args: str, **more: str) -> Terminal:
        opened.append(Terminal(("console", *args), {**env, "PROMPT_TOOLKIT_NO_CPR": "1", **more}))
        return opened[-1]

    yield terminal
    for each in opened:
        each.close()


def at_prompt(shown: Terminal) -> bool:
    return shown.lines[shown.screen.cursor.y].rstrip().endswith(">")


def entered(shown: Terminal, line: str, words: str) -> Terminal:
    """Type a line, and see the words and the next prompt: what is typed before that is for nobody."""
    shown.type(line.encode() + b"\r")
    return shown.shows(words).until(at_prompt)


def test_a_message_appears_above_the_line_that_is_being_typed(terminal, broker):
    shown = terminal().shows(PROMPT)
    entered(shown, "subscribe a", "subscribed to a")
    shown.type(b"publish a ha")
    shown.shows("> publish a ha")
    put(broker, "/topic/a", b"arrived")
    shown.shows("a arrived")
    rows = [row.rstrip() for row in shown.lines]
    typed = max(index for index, row in enumerate(rows) if row.endswith("> publish a ha"))
    assert rows.index("a arrived") < typed
    entered(shown, "lf", "a half")


def test_what_arrives_while_enter_is_pressed_is_printed_whole_and_in_its_order(terminal, broker):
    shown = terminal().shows(PROMPT)
    entered(shown, "subscribe a --format '<%p>\\n'", "subscribed to a")
    for begin in range(0, 6000, 300):
        put(broker, "/topic/a", *(b"%d" % number for number in range(begin, begin + 300)))
        shown.type(b"\r")
        shown.until(at_prompt)
    shown.shows("<5999>")
    # The terminal echoes an Enter that comes while nothing is edited, as it does for any command.
    printed = shown.raw.replace(b"\r\n", b"")
    assert [int(number) for number in re.findall(rb"<(\d+)>", printed)] == list(range(6000))


def test_ctrl_c_ends_the_command_and_not_the_console(terminal):
    shown = terminal().shows(PROMPT)
    shown.type(b"tail a\r")
    shown.shows("subscribed to a")
    shown.type(b"\x03")
    shown.shows("received 0").until(at_prompt)
    entered(shown, "publish b 1", "confirmed 1")
    shown.type(b"\x04")
    assert shown.end() == ExitCode.OK


def test_ctrl_c_at_the_prompt_throws_the_line_away(terminal):
    shown = terminal().shows(PROMPT)
    shown.type(b"publish a 1")
    shown.shows("> publish a 1")
    shown.type(b"\x03")
    entered(shown, "status", "0 in, 0 out")


def test_a_view_has_the_screen_to_itself_and_gives_it_back(terminal, broker):
    shown = terminal().shows(PROMPT)
    entered(shown, "subscribe a", "subscribed to a")
    shown.type(b"watch rect\r")
    shown.until(lambda _: ENTER in shown.raw)
    shown.shows("waiting for an angle")
    put(broker, "/topic/a", b"meanwhile")
    put(broker, "/topic/rect", b"45")
    shown.shows("45°")
    assert "meanwhile" not in shown.text
    shown.type(b"q")
    shown.until(lambda _: LEAVE in shown.raw)
    shown.shows("a meanwhile")


def test_tab_completes_commands_options_topics_and_subscriptions(terminal, broker):
    shown = terminal().shows(PROMPT)
    entered(shown, "subscribe fruit.*", "subscribed to fruit.*")
    put(broker, "/topic/fruit.apple", b"1")
    shown.shows("fruit.apple 1")
    for typed, completed in (
        (b"unsu\t", "> unsubscribe"),
        (b"publish fruit.a\t", "> publish fruit.apple"),
        (b"publish x --keep-g\t", "> publish x --keep-going"),
        (b"unsubscribe fr\t", "> unsubscribe fruit.*"),
        (b"use rabbitmq-m\t", "> use rabbitmq-mqtt"),
        (b"help stat\t", "> help status"),
    ):
        shown.type(typed)
        shown.shows(completed)
        shown.type(b"\x03")
        shown.until(at_prompt)


def test_history_is_kept_without_passwords_and_for_its_owner_only(terminal, tmp_path):
    kept = tmp_path / "state"
    shown = terminal(XDG_STATE_HOME=str(kept)).shows(PROMPT)
    entered(shown, "publish remembered 1", "confirmed 1")
    entered(shown, "use stomp://me:hunter2@127.0.0.1:1", "nobody listens")
    shown.type(b"\x04")
    shown.end()
    (file,) = [path for path in kept.rglob("*") if path.is_file()]
    assert "publish remembered 1" in file.read_text()
    assert "hunter2" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_a_console_without_a_broker_says_so_and_takes_another(terminal, broker):
    shown = terminal("--url", "stomp://127.0.0.1:1").shows("mqctl (not connected)> ")
    entered(shown, "subscribe a", "not connected")
    entered(shown, f"use {broker}", PROMPT)


def test_a_broker_that_is_down_does_not_take_the_place_of_one_that_is_up(terminal, broker):
    shown = terminal().shows(PROMPT)
    entered(shown, "subscribe a", "subscribed to a")
    entered(shown, "use stomp://127.0.0.1:1", "nobody listens")
    put(broker, "/topic/a", b"still here")
    shown.shows("a still here")


def test_a_terminal_whose_cursor_does_not_move_is_a_terminal(terminal):
    shown = terminal(TERM="dumb").shows(PROMPT)
    entered(shown, "publsh a 1", "did you mean 'publish'?")
    entered(shown, "publish a 1", "confirmed 1")
    shown.type(b"\x04")
    assert shown.end() == ExitCode.OK


def test_sigterm_ends_it(terminal):
    shown = terminal().shows(PROMPT)
    assert shown.end(signal.SIGTERM) == ExitCode.INTERRUPTED
