from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.segment import Segments

from mqctl.views.base import ViewOptions, plain
from mqctl.views.layout import Pane, Status, compose
from mqctl.views.registry import VIEWS
from mqctl.views.theme import ASCII, UNICODE
from tests.unit.views import goldens
from tests.unit.views.scenes import SCENES, assert_exact

SIZES = [(80, 24), (120, 40), (40, 12)]
STATUS = Status("local hub at stomp://127.0.0.1:61613", hint="Ctrl-C ends")


def screen(names, width, height, *, look=UNICODE, status=STATUS):
    made = [(name, *SCENES[name](ViewOptions(look=look))) for name in names]
    panes = [Pane(name, view) for name, view, _ in made]
    return compose(panes, status, width=width, height=height, now_ns=max(at for *_, at in made), look=look)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", SCENES)
def test_a_view_looks_like_its_picture(name, width, height):
    lines = screen([name], width, height)
    assert_exact(lines, width, height)
    goldens.check(f"{name}-{width}x{height}", plain(lines))


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("names", [["rect", "bars"], ["rect", "bars", "dots", "line"]])
def test_views_share_the_screen_as_pictured(names, width, height):
    lines = screen(names, width, height)
    assert_exact(lines, width, height)
    goldens.check(f"{'+'.join(names)}-{width}x{height}", plain(lines))


@pytest.mark.parametrize("name", SCENES)
def test_without_unicode_the_picture_is_ascii(name):
    picture = plain(screen([name], 80, 24, look=ASCII))
    assert picture.isascii()
    goldens.check(f"{name}-ascii-80x24", picture)


def test_a_lost_connection_is_said_in_words_and_by_a_mark():
    last = plain(screen(["rect"], 80, 24, status=Status("connection lost, retrying", wrong=True))).splitlines()[-1]
    assert last == " ! connection lost, retrying"


def test_topics_without_room_are_counted():
    panes = [Pane(f"t{n}", VIEWS["table"](ViewOptions())) for n in range(40)]
    lines = compose(panes, STATUS, width=80, height=24, now_ns=0, look=UNICODE)
    assert_exact(lines, 80, 24)
    assert "no room for 20 more topics" in plain(lines)


@pytest.mark.parametrize("panes", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (15, 4), (16, 5), (17, 11), (33, 7), (200, 60)])
def test_any_screen_is_filled_exactly(panes, size):
    views = [Pane("t\x1b\u202e한글", VIEWS["auto"](ViewOptions())) for _ in range(panes)]
    lines = compose(views, STATUS, width=size[0], height=size[1], now_ns=0, look=UNICODE)
    assert_exact(lines, *size)


@pytest.mark.parametrize("name", SCENES)
def test_eight_colours_and_no_colour_show_the_same_text(name):
    lines = screen([name], 80, 24)
    shown = {}
    for system, no_color in (("standard", False), ("standard", True)):
        out = io.StringIO()
        console = Console(
            width=80, file=out, force_terminal=True, color_system=system, no_color=no_color, legacy_windows=False
        )
        for line in lines:
            console.print(Segments(line))
        shown[no_color] = out.getvalue()
    colours = {int(code) for run in re.findall(r"\x1b\[([\d;]*)m", shown[False]) for code in run.split(";") if code}
    assert colours <= {0, 1, 2, 7, *range(30, 38), *range(90, 98)}
    assert not re.search(r"\x1b\[[\d;]*(3|9)[0-7]m", shown[True])
    text = [re.sub(r"\x1b\[[\d;]*m", "", shown[key]) for key in (False, True)]
    assert text[0] == text[1] == "".join(segment.text for line in lines for segment in line)
