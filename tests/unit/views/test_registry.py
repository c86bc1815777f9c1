from __future__ import annotations

import pytest

from mqctl.application import decode
from mqctl.views.auto import AutoView
from mqctl.views.base import NS_PER_S, ViewOptions, plain
from mqctl.views.chart import ChartView
from mqctl.views.rect import RectView
from mqctl.views.registry import VIEWS, view_of


def test_views_are_known_by_name():
    assert list(VIEWS) == ["rect", "chart", "dots", "table", "auto"]


@pytest.mark.parametrize(
    ("topic", "view"),
    [
        ("rect", RectView),
        ("chart", ChartView),
        ("demo.rect", RectView),
        ("/topic/chart", ChartView),
        ("rectangle", AutoView),
        ("micomet", AutoView),
        ("", AutoView),
    ],
)
def test_the_last_level_of_a_topic_chooses_its_view(topic, view):
    assert view_of(topic) is view


@pytest.mark.parametrize(
    ("payload", "caption"), [(b"[1]", "bars"), (b"1", "line"), (b'{"x":1,"y":2}', "1 producer"), (b"hello", "1 topic")]
)
def test_otherwise_the_first_value_chooses(payload, caption):
    view = AutoView(ViewOptions())
    view.observe("t", decode(payload), 0)
    assert view.caption() == caption
    assert view.footer(0)[0].startswith("1 message ")
    assert "waiting" not in plain(view.render(60, 10, 0))


def test_before_that_it_waits():
    view = AutoView(ViewOptions())
    assert "waiting for messages" in plain(view.render(60, 10, 0))
    assert (view.caption(), view.footer(0), view.moving(0)) == ("", ("no message yet", ""), False)


def test_the_choice_stays_until_cleared():
    view = AutoView(ViewOptions())
    view.observe("t", decode(b"1"), 0)
    view.observe("t", decode(b'{"x":1,"y":2}'), 0)
    assert view.caption() == "line"
    assert view.moving(NS_PER_S)
    view.clear()
    assert view.caption() == ""


@pytest.mark.parametrize(
    ("payload", "line"), [(b"[1,2]", "1 2"), (b'{"x":1,"y":2}', "? x=1 y=2"), (b"hello\n", "hello\\n")]
)
def test_a_message_as_a_line_is_what_the_suited_view_writes(payload, line):
    assert AutoView(ViewOptions()).line(decode(payload)) == line
