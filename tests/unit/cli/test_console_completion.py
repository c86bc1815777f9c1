"""Tab in the console: what may stand at the cursor, in quotes and behind `=` too."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from mqctl.cli.console.completion import Words
from mqctl.cli.console.desk import Desk
from mqctl.cli.console.shell import Shell
from mqctl.cli.context import AppContext


@pytest.fixture
def words(tmp_path: Path) -> Words:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.toml").write_text("")
    for name in ("script.txt", ".hidden", "my notes", "it's"):
        (tmp_path / name).write_text("")
    context = AppContext(
        stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO(), environ={"HOME": str(tmp_path)}, cwd=tmp_path
    )
    desk = Desk(write=lambda _: None, tell=lambda _: None)
    for topic in ("fruit.apple", "two words"):
        desk.see(topic)
    return Words(Shell(context, desk))


def offered(words: Words, line: str) -> list[str]:
    """The lines that Tab makes of one."""
    found = words.get_completions(Document(line), CompleteEvent())
    return [line[: len(line) + each.start_position] + each.text for each in found]


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("unsu", ["unsubscribe"]),
        ("mqctl unsu", ["mqctl unsubscribe"]),
        ("publish fr", ["publish fruit.apple"]),
        ("publish 'fr", ["publish 'fruit.apple'"]),
        ('publish "two w', ['publish "two words"']),
        ("publish two", ["publish 'two words'"]),
        ("publish --qos 1 fr", ["publish --qos 1 fruit.apple"]),
        ("publish x fr", []),
        ("publish x --keep-g", ["publish x --keep-going"]),
        ("publish x --confirm b", ["publish x --confirm broker"]),
        ("publish x --confirm=so", ["publish x --confirm=socket"]),
        ("publish x --file s", ["publish x --file script.txt"]),
        ("publish x --profile mi", ["publish x --profile mine"]),
        ("publish x --profile=mi", ["publish x --profile=mine"]),
        ("tail a fr", ["tail a fruit.apple"]),
        ("use mi", ["use mine"]),
        ("run s", ["run script.txt"]),
        ("run my", ["run 'my notes'"]),
        ("run it", ["run 'it'\"'\"'s'"]),
        ("run profiles/m", ["run profiles/mine.toml"]),
        ("run .", ["run .hidden"]),
        ("run pro", ["run profiles/"]),
        ("profile sh", ["profile show"]),
        ("profile show mi", ["profile show mine"]),
        ("profile show --quie", ["profile show --quiet"]),
        ("help stat", ["help status"]),
        ("nosuch --x", []),
        ("profile nosuch --x", []),
        ("run nowhere/x", []),
        ("status 'x", []),
    ],
)
def test_tab_offers_what_may_stand_here(words: Words, line: str, completed: list[str]) -> None:
    assert offered(words, line) == completed


def test_a_directory_of_profiles_that_is_missing_is_no_error(words: Words, tmp_path: Path) -> None:
    words._shell.context.environ["MQCTL_PROFILE_DIR"] = str(tmp_path / "missing")  # type: ignore[index]  # a dict here
    assert offered(words, "use mi") == []
