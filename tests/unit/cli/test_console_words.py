"""A line of the console: words as a shell makes them, and a clear no to what only a shell understands."""

from __future__ import annotations

import pytest

from mqctl.cli.console.words import words_of
from mqctl.errors import UsageError


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("# all of it", []),
        ("publish a 1 # a word", ["publish", "a", "1"]),
        ("subscribe --native sensors/#", ["subscribe", "--native", "sensors/#"]),
        ("publish a#b '#c' \\#d \"e # f\"", ["publish", "a#b", "#c", "#d", "e # f"]),
        (r"publish a {\"x\":1} 'a b' c\ d", ["publish", "a", '{"x":1}', "a b", "c d"]),
        ("publish a '|' \\; \"x > y\"", ["publish", "a", "|", ";", "x > y"]),
        (
            "subscribe /topic/A.> ws://host/?a=1&b=2 a|b c;d",
            ["subscribe", "/topic/A.>", "ws://host/?a=1&b=2", "a|b", "c;d"],
        ),
        ("publish 한국어 ''", ["publish", "한국어", ""]),
    ],
)
def test_words_are_those_of_a_shell(line, words):
    assert words_of(line) == words


@pytest.mark.parametrize(
    ("line", "sign"),
    [
        ("tail a | wc", "|"),
        ("tail a |wc", "|"),
        ("tail a || status", "||"),
        ("tail a > file", ">"),
        ("tail a >>file", ">>"),
        ("tail a 2>file", "2>"),
        ("publish a -l < file", "<"),
        ("tail a &", "&"),
        ("status && status", "&&"),
        ("status; status", ";"),
        ("status ;", ";"),
    ],
)
def test_what_only_a_shell_understands_is_named(line, sign):
    with pytest.raises(UsageError) as error:
        words_of(line)
    assert str(error.value) == f"the console is no shell: it does not know {sign}"


@pytest.mark.parametrize("line", ["publish 'a", 'publish "a # b', "publish a\\"])
def test_what_is_not_closed_is_said(line):
    with pytest.raises(UsageError, match=r"No (closing quotation|escaped character)"):
        words_of(line)
