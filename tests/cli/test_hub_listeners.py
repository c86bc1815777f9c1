"""Packages that listen to a hub, as they are installed: by their entry points."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.test_hub import start
from tests.cli.test_hub_bayeux import HTTP, Start
from tests.hub.bayeux import Poller, Socket
from tests.test_docs import ROOT, blocks

__all__ = ["start"]  # the fixture

MANUAL = ROOT / "docs" / "listeners.md"


def install(where: Path, module: str, source: str, entry_point: str) -> dict[str, str]:
    """A package in a directory; the environment in which it is installed."""
    (where / f"{module}.py").write_text(source)
    info = where / f"{module}-1.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Name: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[mqctl.hub_listeners.v1]\n{entry_point}\n")
    return {"PYTHONPATH": os.pathsep.join([str(where), *filter(None, [os.environ.get("PYTHONPATH")])])}


def test_a_function_hears_events(start: Start, tmp_path: Path) -> None:
    source = "import sys\ndef listen(event):\n    print(type(event).__name__, file=sys.stderr, flush=True)\n"
    run = start(*HTTP, env=install(tmp_path, "ears", source, "ears = ears:listen"))
    with Poller(run.endpoint) as poller:
        poller.say("/meta/disconnect")
    code, _, err = run.end()
    assert (code, err.split()) == (0, ["SessionOpened", "SessionClosed"])


@pytest.mark.parametrize(
    ("entry_point", "why"),
    [
        ("ears = ears:nothing", "AttributeError"),
        ("ears = ears:number", "can neither be called nor has it on_service"),
        ("ears = ears:Picky", "TypeError"),
        ("ears = nowhere:x", "ModuleNotFoundError"),
    ],
)
def test_what_does_not_load(start: Start, tmp_path: Path, entry_point: str, why: str) -> None:
    """It is told of, with whose it is."""
    source = "number = 5\nclass Picky:\n    def __init__(self, needed):\n        pass\n"
    code, out, err = start(*HTTP, env=install(tmp_path, "ears", source, entry_point), starts=False).end(None)
    assert (code, out) == (7, "")
    assert "the listener ears does not load" in err
    assert why in err
    assert "it comes from ears" in err


def test_the_manual_s_service(start: Start, tmp_path: Path) -> None:
    """The example answers who asks, over each transport, counts each client for itself, and hears who goes."""
    (source,) = (block.parsed for block in blocks(MANUAL, "python"))
    (declared,) = (block.parsed for block in blocks(MANUAL, "toml"))
    entry_point = declared.splitlines()[1].replace('"', "")
    run = start(*HTTP, env=install(tmp_path, "echo_service", source, entry_point))
    with Poller(run.endpoint) as poller, Socket(run.endpoint) as sock:
        for client in (poller, sock):
            for count in (1, 2):
                answer, reply = client.publish("/service/echo", ["hello", count])
                assert answer == {"channel": "/service/echo", "data": {"count": count, "said": ["hello", count]}}
                assert reply["successful"]
        assert len(poller.publish("/service/other")) == 1
        poller.say("/meta/disconnect")
    assert run.end() == (0, "", "")


def test_a_service_that_fails(start: Start, tmp_path: Path) -> None:
    """It is said on standard error, and the hub goes on."""
    source = "class Bad:\n    def on_service(self, message):\n        raise RuntimeError('the service is broken')\n"
    run = start(*HTTP, env=install(tmp_path, "bad", source, "bad = bad:Bad"))
    with Poller(run.endpoint) as poller:
        for _ in range(2):
            assert poller.publish("/service/x")[0]["successful"]
    code, out, err = run.end()
    assert (code, out) == (0, "")
    assert len(re.findall("^a service failed$", err, re.MULTILINE)) == 2
    assert "the service is broken" in err
