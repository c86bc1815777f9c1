"""docs/gate.md, carried out: its tests are run by pytest as another project would, and fail as they are shown to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from tests.test_docs import ROOT, blocks, fits

PAGE = ROOT / "docs/gate.md"
EXAMPLES = {
    re.search(r"# (\S+)", block.parsed)[1]: block.parsed for block in blocks(PAGE, "python")
}  # fmt: skip
FAILS = "test_topic.py"
NOT_NEEDED = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:hypothesispytest")
"""To load the last takes longer than all the rest."""

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def run(tmp_path: Path):
    """Run pytest on a file of tests in a project of its own."""

    def run(text: str, *options: str) -> tuple[int, str]:
        (tmp_path / "test_it.py").write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *NOT_NEEDED, "--tb=short", *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=80, check=False, cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", "HOME": str(tmp_path)},
        )  # fmt: skip
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {FAILS}))
def test_what_the_page_shows_passes(run, name):
    code, output = run(EXAMPLES[name])
    assert code == 0, output


def test_what_the_page_shows_to_fail_fails_as_shown(run):
    code, output = run(EXAMPLES[FAILS])
    shown = blocks(PAGE, "text")[0].parsed
    told = "\n".join(line for line in output.splitlines() if line.startswith("E "))
    assert code == 1
    squeezed = [re.sub(r" +", " ", text) for text in (shown, told)]
    assert fits(*squeezed), output


def test_the_same_tests_at_another_broker(run, tmp_path):
    events = []
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), on_event=events.append)) as hub:
        code, output = run(EXAMPLES["test_controls.py"], "--mqctl-url", hub.url, "--mqctl-run-dir", "kept")
        assert code == 0, output
    assert events
    assert [path.name for path in (tmp_path / "kept").glob("*-test_order_with_controls/*")] == ["history.jsonl"]


def test_the_experiment_of_the_build_passes_at_a_hub(tmp_path):
    """With fewer messages than the page says; the tests before it have made the folder."""
    (tmp_path / "build").mkdir()
    command = " ".join(re.search(r"mqctl (experiment .*?)- if", blocks(PAGE, "yaml")[0].parsed, re.DOTALL)[1].split())
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as hub:
        for old, new in {"stomp://localhost:61613": hub.url, "5000": "200", "--repeat 5": "--repeat 1"}.items():
            assert old in command
            command = command.replace(old, new)
        done = subprocess.run(
            [sys.executable, "-m", "mqctl", *command.split(), "--quiet-for", "500ms"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=80, check=False, cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert 'tests="2"' in (tmp_path / "build/ordering.xml").read_text()


def test_a_profile_names_the_broker(run, tmp_path):
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as hub:
        (tmp_path / "work.toml").write_text(f'url = "{hub.url}"\n')
        code, output = run(
            f"def test_it(mqctl_target):\n    assert str(mqctl_target.endpoints[0]) == {str(hub.endpoint)!r}\n",
            "--mqctl-profile", "./work.toml",
        )  # fmt: skip
    assert code == 0, output


def test_a_wrong_broker_is_one_clear_sentence(run):
    code, output = run("def test_it(mqctl_target): pass\n", "--mqctl-url", "stmp://localhost")
    assert code == 1
    assert "--mqctl-url or --mqctl-profile: no transport for stmp://" in output
    assert "did you mean stomp://?" in output


def test_a_wrong_expectation_is_one_clear_sentence_with_its_hint(run):
    code, output = run("def test_it(mqctl_history): mqctl_history.expect('fifoo')\n")
    assert code == 1
    assert "UsageError: nothing is known about 'fifoo' to expect" in output
    assert "hint: there are: no-loss," in output
    assert "mqctl/testing" not in output


def test_no_proxy_before_tls_is_one_clear_sentence_with_its_hint(run):
    text = "def test_it(mqctl_proxy): mqctl_proxy()\n"
    code, output = run(text, "--mqctl-url", "stomp+ssl://localhost")
    assert code == 1
    assert "UsageError: no proxy before stomp+ssl://localhost:61614: a certificate is not valid" in output
    assert "hint: name a listener without TLS, or leave the test out" in output
    assert "mqctl/testing" not in output


def test_only_the_plugin_needs_pytest():
    script = (
        "import sys, mqctl.cli.main, mqctl.testing.history, mqctl.testing.workbench; sys.exit('pytest' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
