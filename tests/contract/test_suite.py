"""The contract suite itself, as the author of a transport meets it: what is declared decides which cases there are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mqctl.adapters.registry import BUILT_IN, adapter_for
from mqctl.testing.contract import AdapterContract
from mqctl.testing.offers import TRAITS

UNREFUSED = {"session", "queue", "link", "nobody", "stranger", "forbidden", "order", "large"}
"""What nobody can ask a connection for, or what the broker alone refuses."""

MINE = """
import secrets
import pytest
from mqctl.adapters.memory import MemoryAdapter
from mqctl.model import Topic
from mqctl.target import Endpoint, Target
from mqctl.testing import AdapterContract, Subject, lacking

class Theirs(AdapterContract):
    adapter = MemoryAdapter()

    @pytest.fixture
    def subject(self, request):
        target = Target(scheme="mem", endpoints=(Endpoint(secrets.token_hex(6), 0),))
        queue = lambda: Topic(native=f"/queue/{secrets.token_hex(6)}")
        yield from Subject(adapter=self.adapter, target=target, queue=queue).serve(request)
"""
NO_NETWORK = '@lacking("link", "nobody", "stranger", "forbidden")\n'
STRICT = "[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n"

NOT_NEEDED = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio")

Run = Callable[..., tuple[int, str]]

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run pytest on a contract in a project of its own."""

    def run(text: str, *options: str) -> tuple[int, str]:
        (tmp_path / "test_mine.py").write_text(MINE + text)
        (tmp_path / "pytest.ini").write_text(STRICT)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *NOT_NEEDED, *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=80, check=False, cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", "HOME": str(tmp_path)},
        )  # fmt: skip
        return done.returncode, done.stdout

    return run


def marked(name: str) -> Iterator[str]:
    """Every word that a law, or a parameter of one, is marked with."""
    for law in dir(AdapterContract):
        for mark in getattr(getattr(AdapterContract, law), "pytestmark", ()):
            cases = mark.args[1] if mark.name == "parametrize" else ()
            inner = [each for case in cases for each in getattr(case, "marks", ())]
            yield from (word for each in (mark, *inner) if each.name == name for word in each.args)


def test_what_is_lacking_is_not_made_and_nothing_is_skipped(run: Run) -> None:
    code, output = run(f"{NO_NETWORK}class TestMine(Theirs): pass\n", "-n", "2")
    assert code == 0, output
    assert "skipped" not in output
    assert "deselected" not in output


def test_a_parameter_of_the_subject_lacks_something_more(run: Run) -> None:
    text = f"""
{NO_NETWORK}
class TestMine(Theirs):
    @pytest.fixture(params=["all", pytest.param("less", marks=lacking("durable"))])
    def subject(self, request): ...
"""
    _, output = run(text, "--collect-only")
    durable = "test_a_durable_subscription_outlives_its_connection_until_it_is_forgotten"
    refused = "test_a_subscription_cannot_have_what_is_lacking"
    assert f"{durable}[all]" in output
    assert f"{durable}[less]" not in output
    assert f"{refused}[less-durable]" in output
    assert f"{refused}[all-durable]" not in output


def test_what_is_said_to_be_lacking_and_is_there_fails(run: Run) -> None:
    text = f'{NO_NETWORK}@lacking("expires")\nclass TestMine(Theirs): pass\n'
    code, output = run(text, "-k", "cannot_have_what_is_lacking")
    assert code == 1
    assert "1 failed" in output
    assert "test_a_message_cannot_have_what_is_lacking[expires]" in output


def test_what_is_neither_given_nor_lacking_fails(run: Run) -> None:
    code, output = run("class TestMine(Theirs): pass\n", "-k", "stranger_is_refused")
    assert code == 1
    assert "a Subject without link, nobody, stranger, forbidden: give it, or declare what is `lacking`" in output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f'{NO_NETWORK}@lacking("durability")\nclass TestMine(Theirs): pass\n',
            "lacking durability, but there is only ",
        ),
        ("class TestMine(AdapterContract): pass\n", "its class needs an `adapter`, whose `info` says what it can"),
    ],
    ids=["unknown word", "no adapter"],
)
def test_a_wrong_declaration_is_one_clear_sentence(run: Run, text: str, told: str) -> None:
    code, output = run(text)
    assert code == 2
    assert told in output
    assert "Traceback" not in output


def test_no_law_needs_what_nobody_can_offer() -> None:
    adapters = [adapter_for(scheme) for scheme in BUILT_IN]
    known = TRAITS.keys() | {word for each in adapters for word in each.info.features | each.info.ack_modes}
    assert {*marked("mqctl_needs"), *marked("mqctl_lacks")} <= known


def test_whatever_may_be_lacking_is_refused() -> None:
    assert {*marked("mqctl_needs")} - {*marked("mqctl_lacks")} == UNREFUSED
