"""With the profile `local` and nobody there, `tail` and `watch` bring a hub; `demo` brings everything."""

from __future__ import annotations

import re
import signal
import socket
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from tests.cli.conftest import put
from tests.cli.terminal import ENTER, Terminal
from tests.cli.test_watch import is_clean


@pytest.fixture
def local(home: dict[str, str]) -> str:
    """The profile `local`, at a port where nobody listens; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"stomp://127.0.0.1:{listener.getsockname()[1]}"
    (Path(home["HOME"]) / "local.toml").write_text(f'url = "{url}"\n')
    return url


@pytest.mark.parametrize("command", ["tail", "watch"])
def test_who_listens_brings_the_hub_and_says_so(start, mqctl, home, local, command):
    hosting = start(command, "rect", env=home)
    assert "so this hosts a hub there until it ends" in hosting.said(
        f"nobody listens at {local.removeprefix('stomp://')}"
    )
    hosting.said("subscribed to rect")
    assert mqctl("publish", "rect", "45", "--bare", env=home).code == ExitCode.OK
    assert hosting.printed().startswith(b"45")
    second = start("tail", "rect", "--reconnect", "never", env=home)
    assert "hosts" not in second.said("subscribed to rect")
    assert hosting.end(signal.SIGINT).code == ExitCode.INTERRUPTED
    assert second.end().code == ExitCode.CONNECTION
    code, _, err = mqctl("publish", "rect", "45", env=home)
    assert code == ExitCode.CONNECTION
    assert "\n  hint: start a hub: mqctl hub" in err


@pytest.mark.parametrize("chosen", ["MQCTL_URL", "--url"])
def test_only_the_local_profile_is_served(mqctl, home, local, chosen):
    """Whoever names an address wants what is there, and not something else."""
    typed = ("--url", local) if chosen == "--url" else ()
    code, _, err = mqctl("tail", "rect", *typed, env={**home, "MQCTL_URL": local} if not typed else home)
    assert code == ExitCode.CONNECTION
    assert "hosts" not in err


def test_a_port_that_somebody_else_has_is_not_taken(mqctl, home):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        (Path(home["HOME"]) / "local.toml").write_text(f'url = "stomp://127.0.0.1:{port}"\n')
        code, _, err = mqctl("tail", "rect", "--connect-timeout", "200ms", env=home)
    assert code == ExitCode.CONNECTION
    assert f"127.0.0.1:{port} accepted the connection but did not answer in time" in err
    assert "hosts" not in err


def test_the_demo_shows_both_views_and_ends(mqctl, home):
    """Without a terminal: values as lines, the last picture, and success."""
    code, out, err = mqctl("demo", "--for", "1200ms", "--seed", "1", env=home)
    assert code == ExitCode.OK
    lines = out.decode().splitlines()
    assert lines[0].startswith("rect 0°")
    assert lines[1].startswith("chart ")
    assert len(lines) >= 4 + 24
    assert "╭─ rect " in lines[-24]
    assert re.search(r"received \d+\n$", err)
    assert "Traceback" not in err


@pytest.mark.parametrize("key", [b"q", b"\x03"])
def test_the_demo_on_a_terminal_ends_well_when_somebody_ends_it(home, key):
    """Ctrl-C is how it is meant to end."""
    shown = Terminal(("demo",), home)
    try:
        shown.until(lambda shown: ENTER in shown.raw and "50°" in shown.text and "a7" in shown.text)
        address = re.search(r"--url (stomp://\S+)", shown.text)
        put(address[1] if address else "stomp://127.0.0.1:61613", "/topic/rect", b"123")
        shown.shows("123°")
        shown.type(key)
        assert shown.end() == ExitCode.OK
        assert is_clean(shown)
        assert "Traceback" not in shown.text
    finally:
        shown.close()
