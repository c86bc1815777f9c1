from __future__ import annotations

import math

import pytest

from mqctl.views.canvas import ASCII, BRAILLE, Canvas

BITS = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]


def dots(canvas):
    """The set dots, read back from the text."""
    found = set()
    for row, text in enumerate(canvas.rows()):
        for column, glyph in enumerate(text):
            pattern = 0 if glyph == " " else ord(glyph) - 0x2800
            found |= {(column * 2 + x, row * 4 + y) for y in range(4) for x in range(2) if pattern & BITS[y][x]}
    return found


@pytest.mark.parametrize("y", range(-1, 9))
def test_a_row_of_dots_is_set_from_left_to_right_and_clipped(y):
    for left in range(-2, 9):
        for right in range(left - 1, 10):
            canvas = Canvas(3, 2)
            canvas.across(y, left, right)
            assert dots(canvas) == {(x, y) for x in range(left, right + 1) if 0 <= x < 6 and 0 <= y < 8}


@pytest.mark.parametrize("x", range(-1, 7))
def test_a_column_of_dots_is_set_from_top_to_bottom_and_clipped(x):
    for top in range(-2, 14):
        for bottom in range(top - 1, 16):
            canvas = Canvas(3, 3)
            canvas.down(x, top, bottom)
            assert dots(canvas) == {(x, y) for y in range(top, bottom + 1) if 0 <= x < 6 and 0 <= y < 12}


def test_drawing_adds_to_what_is_there():
    canvas = Canvas(2, 2)
    canvas.down(1, 0, 7)
    canvas.across(3, 0, 3)
    assert dots(canvas) == {(1, y) for y in range(8)} | {(x, 3) for x in range(4)}


@pytest.mark.parametrize("ends", [(0, 0, 9, 7), (9, 0, 0, 7), (3, 7, 3, 0), (0, 4, 9, 4), (5, 5, 5, 5), (4, 0, 5, 7)])
def test_a_line_has_both_ends_and_no_gap(ends):
    x0, y0, x1, y1 = ends
    canvas = Canvas(5, 2)
    canvas.line(*ends)
    drawn = dots(canvas)
    assert {(x0, y0), (x1, y1)} <= drawn
    reached, edge = {(x0, y0)}, [(x0, y0)]
    while edge:
        x, y = edge.pop()
        near = {(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)} & drawn - reached
        reached |= near
        edge += near
    assert reached == drawn


def test_a_line_far_outside_costs_nothing_and_enters_where_it_should():
    canvas = Canvas(2, 2)
    canvas.line(-1_000_000_000, 4, 3, 4)
    assert dots(canvas) == {(x, 4) for x in range(4)}


def test_a_polygon_covers_its_area():
    canvas = Canvas(50, 25)
    canvas.polygon([(10, 10), (90, 10), (90, 60), (10, 60)])
    assert dots(canvas) == {(x, y) for x in range(10, 90) for y in range(10, 60)}


def test_a_turned_square_keeps_its_area():
    for degrees in range(0, 90, 7):
        canvas = Canvas(50, 25)
        at = [math.radians(degrees + corner) for corner in (45, 135, 225, 315)]
        canvas.polygon([(50 + 40 * math.cos(a), 50 + 40 * math.sin(a)) for a in at])
        assert len(dots(canvas)) == pytest.approx(3200, rel=0.02)


def test_a_polygon_outside_is_clipped():
    canvas = Canvas(2, 2)
    canvas.polygon([(-10, -10), (100, -10), (100, 100), (-10, 100)])
    assert canvas.rows() == ["⣿⣿", "⣿⣿"]


def test_every_pattern_has_an_ascii_character_and_only_the_empty_one_a_space():
    assert len(BRAILLE) == len(ASCII) == 256
    assert ASCII.isascii()
    assert ASCII.count(" ") == BRAILLE.count(" ") == 1
    assert {ASCII[0x01], ASCII[0x80], ASCII[0x47], ASCII[0xFF]} == {"'", ".", ":", "#"}
