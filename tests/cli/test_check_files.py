"""What `mqctl check` writes besides its output: reports that people and builds read."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Tree

import pytest

from mqctl.errors import ExitCode
from mqctl.experiments.history import encode
from tests.cli.commands import run, run_here
from tests.unit.experiments.histories import END, HEADER, got, here, sent


@pytest.fixture
def mqctl(home):
    """No broker is asked."""
    return lambda *args, data=None, **env: run_here(args, {**home, **env}, data)


@pytest.fixture
def lossy(tmp_path: Path) -> str:
    """A history in which one of two messages is lost."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(encode(HEADER, [*here("c"), *sent("A1 A2"), *got("c", "A1"), END]))
    return str(path)


def test_a_report_with_pictures_is_one_file(mqctl, lossy, tmp_path):
    path, report = lossy, tmp_path / "report.html"
    assert mqctl("check", path, "--html", str(report)).code == ExitCode.WRONG
    text = report.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "no-loss: c never got A2" in text
    assert "<svg" in text


def test_standard_input_is_read_once_and_drawn_all_the_same(mqctl, lossy, tmp_path):
    path, one, other = Path(lossy), tmp_path / "one.html", tmp_path / "other.html"
    mqctl("check", str(path), "--html", str(one))
    assert mqctl("check", "-", "--html", str(other), data=path.read_bytes()).code == ExitCode.WRONG
    assert one.read_bytes() == other.read_bytes()


def test_a_report_that_cannot_be_written_is_an_error(mqctl, lossy, tmp_path):
    result = mqctl("check", lossy, "--html", str(tmp_path / "nowhere" / "report.html"))
    assert result.code == ExitCode.USAGE
    assert "--html cannot be written to" in result.err


def test_builds_get_their_xml(mqctl, lossy, tmp_path):
    report = tmp_path / "report.xml"
    assert mqctl("check", lossy, "--junit", str(report)).code == ExitCode.WRONG
    root = Tree.parse(report).getroot()
    failures = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    assert "no-loss" in failures


@pytest.mark.parametrize(("args", "environment"), [(("--github",), {}), ((), {"GITHUB_ACTIONS": "true"})])
def test_github_is_told_on_standard_error(mqctl, lossy, args, environment):
    path = lossy
    result = mqctl("check", path, "--expect", "no-loss", *args, **environment)
    assert result.err == (
        f"::error file={path},title=no-loss%3A fail::1 of 2 deliveries of confirmed messages; c never got A2\n"
    )
    assert "::error" not in result.out.decode()


def test_nobody_else_is_annotated(mqctl, lossy):
    assert mqctl("check", lossy, GITHUB_ACTIONS="").err == ""


def test_the_picture_is_a_png(mqctl, lossy, tmp_path):
    picture = tmp_path / "order.png"
    assert mqctl("check", lossy, "--png", str(picture)).code == ExitCode.WRONG
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_renders_pictures_is_an_extra(home, lossy, tmp_path):
    """Where it is not installed, the next step is told, and nothing is written."""
    (tmp_path / "resvg_py.py").write_text("raise ModuleNotFoundError('resvg_py')")
    args = ("check", lossy, "--png", str(tmp_path / "order.png"))
    result = run(args, {**home, "PYTHONPATH": str(tmp_path)})
    assert result.code == ExitCode.PLUGIN
    assert "pip install 'mqctl[png]'" in result.err
    assert not (tmp_path / "order.png").exists()
