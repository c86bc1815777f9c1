from __future__ import annotations

import pytest
from rich.cells import cell_len

from mqctl.views.theme import ASCII, UNICODE, escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("각도 é", "각도 é"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("\x7f", "\\x7f"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb\u200d\ufeff", "a\\u200bb\\u200d\\ufeff"),
        ("\u2028\u00a0", "\\u2028\\xa0"),
        ("\u3164\u115f", "\\u3164\\u115f"),
        ("☺\ufe0f", "☺\\ufe0f"),
        ("\ud800", "\\ud800"),
        ("e\u0301", "e\u0301"),
        ("\u0301e", "\\u0301e"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_spelled_out(text, shown):
    assert escape(text) == shown


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 5, "abc  "),
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 1, "…"),
        ("abcd", 0, ""),
        ("한글말", 4, "한 …"),
    ],
)
def test_text_fits_its_cells_and_shows_that_it_was_cut(text, width, shown):
    assert UNICODE.fit(text, width) == shown
    assert cell_len(shown) == width


def test_a_terminal_without_unicode_gets_ascii_only():
    assert ASCII.clean("각 é") == "\\uac01 \\xe9"
    assert ASCII.fit("abcd", 3) == "ab~"


@pytest.mark.parametrize("look", [UNICODE, ASCII])
def test_fillings_of_a_cell_are_nine_single_cells(look):
    assert [cell_len(look.blocks), cell_len(look.hanging), len(look.blocks), len(look.hanging)] == [9, 9, 9, 9]
