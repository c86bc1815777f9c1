"""Start-up is a feature: a command imports what it uses, and nothing of what the others use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.commands import MQCTL
from tests.cli.conftest import put

HEAVY = {
    *("aiohttp", "asyncio", "concurrent", "email", "http", "importlib.metadata", "multiprocessing", "platformdirs"),
    *("prompt_toolkit", "pydantic", "pygments", "tomlkit", "uvloop", "websocket", "xml"),
}
OURS = {"mqctl.broker", "mqctl.hub", "mqctl.testing", "mqctl.views", "mqctl.cli.live", "mqctl.cli.board"}
LIVE = {"rich", "msgspec", "mqctl.cli.formats", "mqctl.cli.tail", "mqctl.cli.watch"}


def imported(env: dict[str, str], *args: str) -> set[str]:
    """Every module that a run of the command imports, and the packages they are in."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", MQCTL, *args],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=25,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert len(lines) > 100
    return {line.rpartition("|")[2].strip() for line in lines}


def within(modules: set[str], packages: set[str]) -> set[str]:
    return {name for name in modules if any(f"{name}.".startswith(f"{package}.") for package in packages)}


@pytest.mark.parametrize(
    ("args", "unwanted"),
    [
        (("publish", "rect", "45"), HEAVY | OURS | LIVE),
        (("publish", "x", "--lines"), HEAVY | OURS | LIVE),
        (("publish", "--help"), HEAVY | OURS | LIVE | {"stomp", "ssl", "mqctl.adapters.stomp"}),
        (("--help",), HEAVY | OURS | LIVE | {"stomp", "ssl", "mqctl.cli.publish", "mqctl.adapters.stomp"}),
        (("tail", "/queue/startup", "--count", "1", "--json"), HEAVY | OURS | {"rich"}),
        (("watch", "/queue/startup", "--count", "1"), HEAVY | {"mqctl.broker", "mqctl.hub", "mqctl.cli.live"}),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_a_command_does_not_import_what_it_does_not_use(env, broker, args, unwanted):
    if "/queue/startup" in args:
        put(broker, "/queue/startup", b"1")
    modules = imported(env, *args)
    assert "mqctl.cli.program" in modules
    assert not within(modules, unwanted)


def test_the_search_finds_what_is_there():
    assert within({"a.b", "ab", "c"}, {"a", "c.d"}) == {"a.b"}
