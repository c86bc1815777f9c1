from __future__ import annotations

import pytest

from mqctl.application import decode
from mqctl.views.base import NS_PER_S, ViewOptions, plain
from mqctl.views.table import TOPICS_MAX, TableView
from tests.unit.views.scenes import assert_exact, feed


def table(**topics):
    view = TableView(ViewOptions())
    for topic, payloads in topics.items():
        feed(view, payloads, topic=topic)
    return view


def test_before_the_first_message_it_says_so():
    view = TableView(ViewOptions())
    assert "waiting for messages" in plain(view.render(40, 5, 0))
    assert (view.caption(), view.moving(0)) == ("0 topics", False)


def test_a_topic_has_its_last_value_count_rate_and_age():
    view = table(rect=[b"1", b"2", b"3"])
    row = plain(view.render(60, 5, 4 * NS_PER_S)).splitlines()[1]
    assert row.split() == ["rect", "3", "3", "1.0/s", "2s"]
    assert view.moving(0)


@pytest.mark.parametrize(("age_s", "text"), [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (400_000, "4d")])
def test_an_age_is_told_in_its_largest_unit(age_s, text):
    assert plain(table(t=[b"1"]).render(60, 3, age_s * NS_PER_S)).splitlines()[1].split()[-1] == text


@pytest.mark.parametrize(("width", "columns"), [(60, 5), (40, 3), (23, 1)])
def test_columns_go_when_there_is_no_room(width, columns):
    assert len(plain(table(t=[b"1"]).render(width, 3, 0)).splitlines()[1].split()) == columns


def test_topics_are_sorted_and_those_without_room_counted():
    rows = plain(table(**{f"t{n}": [b"1"] for n in range(9)}).render(60, 6, 0)).splitlines()
    assert [row.split()[0] for row in rows] == ["topic", "t0", "t1", "t2", "t3", "5"]
    assert rows[-1] == "5 more topics"


def test_what_is_text_is_no_problem_but_safe_to_print():
    view = table(t=[b"\x1b[2Jhello"])
    assert "\\x1b[2Jhello" in plain(view.render(60, 3, 0))
    assert "bad" not in view.footer(0)[0]
    assert view.line(decode(b"\x07")) == "\\x07"


def test_topics_are_bounded_and_the_longest_silent_goes_first():
    view = table(**{f"t{n}": [b"1"] for n in range(TOPICS_MAX)})
    for topic in ("t0", "new"):
        view.observe(topic, decode(b"1"), 0)
    assert view.caption() == f"{TOPICS_MAX} topics of {TOPICS_MAX + 1}"
    rows = plain(view.render(60, 2000, 0))
    assert "t0 " in rows
    assert "t1 " not in rows


def test_clear_forgets():
    view = table(t=[b"1"])
    view.clear()
    assert view.caption() == "0 topics"


@pytest.mark.parametrize("size", [(1, 1), (5, 1), (5, 2), (24, 1), (25, 3), (48, 2), (200, 9)])
def test_any_size_is_filled(size):
    view = table(한글한글한글한글=["한글".encode()], b=[b"x" * 500], c=[b"\xff"])
    assert_exact(view.render(*size, 0), *size)
