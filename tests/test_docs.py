"""The manual tells the truth: its examples are run, its tables are those of the code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser

from mqctl.errors import ExitCode
from mqctl.generators import GENERATORS
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, parse_url
from tests import readme
from tests.brokers.launch import LISTENERS
from tests.cli.commands import run_here

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
USUAL_PORT = "61613"
"""What the pages show; the tests run on a free one."""


@contextmanager
def background(command: str, lines: int, settings: dict) -> Iterator[str]:
    """A command that runs beside those after it; inside, its first lines of output."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings
    )
    try:
        yield "".join(process.stdout.readline() for _ in range(lines))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def play(session: str, settings: dict, port: str) -> Iterator[tuple[str, str, str]]:
    """Run each command of a console session: command, expected output, output."""
    with ExitStack() as stack:
        for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            if command.endswith("&"):
                lines = max(1, len(expected.splitlines()))
                output = stack.enter_context(background(command.removesuffix("&"), lines, settings))
            else:
                run = subprocess.run(
                    ["bash", "-c", command],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    text=True, timeout=25, check=False, **settings,
                )  # fmt: skip
                output = run.stdout
            yield command, expected, output.replace(f":{port}", f":{USUAL_PORT}")


def fits(expected: str, output: str) -> bool:
    """Whether output is as shown; `...` in what is shown stands for anything, and nothing shown says nothing."""
    pattern = ".*".join(map(re.escape, expected.strip().split("...")))
    return not expected.strip() or re.fullmatch(pattern, output.strip(), re.DOTALL) is not None


def blocks(page: Path, language: str) -> list[Example]:
    parser = CodeBlockParser(language=language, evaluator=lambda _: None)
    return list(Document.parse(str(page), parser).examples())


EXAMPLES = [(page, n) for page in PAGES for n in range(len(blocks(page, "console")))]


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as running:
        yield running.urls[0]


@pytest.fixture
def settings(tmp_path: Path, hub: str) -> dict:
    """A home of its own, in which the profile `local` is the hub of this test."""
    (tmp_path / "local.toml").write_text(f'url = "{hub}"\n')
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "MQCTL_PROFILE_DIR": str(tmp_path),
        "WORK_PASSWORD": "secret",
        "LC_ALL": "C.UTF-8",
    }
    return {"env": environment, "cwd": tmp_path}


@pytest.mark.timeout(90)
@pytest.mark.parametrize(("page", "n"), EXAMPLES, ids=[f"{page.stem}-{n}" for page, n in EXAMPLES])
def test_what_the_manual_shows_is_what_happens(page, n, settings, hub):
    port = str(parse_url(hub).endpoints[0].port)
    for command, expected, output in play(blocks(page, "console")[n].parsed, settings, port):
        assert "bug in mqctl" not in output
        assert fits(expected, output), f"$ {command}\n{output}"


def test_the_comparison_of_output_can_fail():
    assert fits("a ... c", "a b c")
    assert not fits("a ... c", "a b d")
    assert not fits("a", "a\nb")


def test_the_table_of_exit_codes_is_the_enumeration():
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows == [(str(int(code)), code.name.lower(), code.meaning) for code in ExitCode]


def test_the_table_of_generators_is_complete():
    page = (ROOT / "docs/commands.md").read_text()
    for name, generator in GENERATORS.items():
        parameters = ", ".join(f"`{key}={value}`" for key, value in generator.params.items())
        assert f"| `{name}` | {parameters} | {generator.help} |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_option_that_a_page_names_exists(page, settings):
    for command in set(re.findall(r"mqctl (publish|tail|watch|hub|demo|bench|check)\b", page.read_text())):
        known = run_here((command, "--help"), settings["env"]).out.decode()
        for line in re.findall(rf"mqctl {command}\b.*", page.read_text()):
            for option in re.findall(r"(?<= )--[a-z-]+", re.split(r"[|;&`]", line)[0]):
                assert option in known, f"mqctl {command} {option}"


@pytest.fixture(scope="module")
def collected() -> set[tuple[str, frozenset[str]]]:
    """Every test that README's table of brokers names: its file, and the parts of its id in brackets."""
    files = {file for row in readme.brokers().values() for of in row.tests.values() for file in of}
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-n", "0", "-p", "no:randomly", *sorted(files)],
        stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT,
    ).stdout  # fmt: skip
    ids = (line.partition("::") for line in listed.splitlines() if "::" in line)
    return {(file, frozenset(test.partition("[")[2].rstrip("]").split("-"))) for file, _, test in ids}


def test_every_transport_of_every_broker_has_its_test(collected):
    table = readme.brokers()
    assert table.keys() >= LISTENERS.keys()
    for name, listeners in LISTENERS.items():
        served = {listener for listener in listeners if "-" not in listener}
        assert table[name].tests.keys() == served, name
        for scheme, files in table[name].tests.items():
            assert all(
                any(file == of and {*name.split("-"), scheme} <= parts for of, parts in collected) for file in files
            )


def test_every_transport_of_the_hub_has_its_test(collected):
    row = readme.brokers()["hub"]
    assert row.tests.keys() == {"stomp", "stomp+ws", "bayeux+http", "bayeux+sse", "bayeux+ws"}
    for scheme, (file,) in row.tests.items():
        assert any(file == of for of, _ in collected)
        assert f'"{scheme}"' in (ROOT / file).read_text()


def test_what_a_broker_does_not_serve_says_why():
    assert all(reason.startswith("no ") for row in readme.brokers().values() for reason in row.reasons.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_the_picture_in_the_readme_is_what_watch_draws():
    drawn = subprocess.run(
        [sys.executable, "-c", "from docs.picture import picture; print(picture(), end='')"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    ).stdout  # fmt: skip
    assert drawn == (ROOT / "docs/watch.svg").read_text()
