from __future__ import annotations

import pytest

from mqctl.application import decode
from mqctl.views.base import ViewOptions, plain
from mqctl.views.dots import NAMED_MAX, PRODUCERS_MAX, DotsView
from tests.unit.views.scenes import assert_exact, feed


def at(x, y, producer="p"):
    return b'{"x":%g,"y":%g,"producerId":"%s"}' % (x, y, producer.encode())


def dots(*payloads):
    view = DotsView(ViewOptions())
    return view, feed(view, payloads)


def spots(view, width=40, height=20):
    rows = plain(view.render(width, height, 0)).splitlines()
    return [(x, y) for y, row in enumerate(rows) for x, c in enumerate(row) if "\u2800" < c < "\u2900"]


def test_before_the_first_position_it_says_so():
    view = DotsView(ViewOptions())
    assert "waiting for positions" in plain(view.render(40, 5, 0))
    assert (view.caption(), view.moving(0)) == ("0 producers", False)


@pytest.mark.parametrize(
    ("x", "y", "cell"),
    [(0, 0, (0, 0)), (500, 0, (39, 0)), (0, 500, (0, 19)), (500, 500, (39, 19)), (250, 250, (20, 10))],
)
def test_a_position_is_a_dot_that_counts_from_the_upper_left(x, y, cell):
    found = spots(dots(at(x, y))[0])
    assert cell in found
    assert all(abs(column - cell[0]) <= 1 and abs(row - cell[1]) <= 1 for column, row in found)


def test_only_the_latest_position_of_a_producer_is_shown():
    assert spots(dots(at(0, 0), at(500, 500))[0]) == spots(dots(at(500, 500))[0])


def test_every_producer_has_its_own_dot_and_name_and_keeps_its_colour():
    view, _ = dots(at(100, 100, "one"), at(400, 400, "two"))
    picture = plain(view.render(40, 20, 0))
    assert "one" in picture
    assert "two" in picture

    def colours():
        return {s.text: s.style for row in view.render(100, 20, 0) for s in row if "●" in s.text or "⣿" in s.text}

    before = {p: q.style for p, q in view._producers.items()}
    feed(view, [at(100, 120, "one")])
    assert {p: q.style for p, q in view._producers.items()} == before
    assert len({style.color for style in before.values()}) == 2
    assert colours()


def test_a_name_at_the_edge_stands_to_the_left_and_never_covers_a_dot():
    rows = plain(dots(at(490, 100, "edge"))[0].render(40, 20, 0)).splitlines()
    assert any(row.rstrip("┊┼┈ ").find("edge") < 38 and "edge" in row for row in rows)
    crowded, _ = dots(at(100, 100, "left"), at(150, 100, "right"))
    assert "left" not in plain(crowded.render(40, 20, 0))
    assert len(spots(crowded)) >= 4


def test_many_producers_are_not_named_on_the_field():
    view, _ = dots(*[at(n * 30, n * 30, f"n{n}") for n in range(NAMED_MAX + 1)])
    assert "n1" not in plain(view.render(40, 20, 0))
    assert "n1" in plain(view.render(100, 20, 0))


def test_with_room_there_is_a_list_of_producers_cut_with_a_count():
    view, _ = dots(*[at(n, 2 * n, f"id{n:02}") for n in range(30)])
    picture = plain(view.render(100, 20, 0))
    assert "● id03" in picture
    assert "3,6" in picture
    assert "11 more" in picture
    assert "more" not in plain(view.render(100, 30, 0))


def test_the_field_grows_for_who_leaves_it_and_says_so():
    view, _ = dots(at(10, 10, "in"), at(720, -30, "out"))
    assert view.caption() == "2 producers, field -200 to 800"
    assert len(spots(view)) >= 2


def test_producers_are_bounded_and_the_longest_silent_goes_first():
    view, _ = dots(*[at(n, n, f"n{n}") for n in range(PRODUCERS_MAX)], at(1, 1, "n0"), at(2, 2, "new"))
    assert view.caption() == f"{PRODUCERS_MAX} producers of {PRODUCERS_MAX + 1}"
    assert "n0" in view._producers
    assert "n1" not in view._producers


@pytest.mark.parametrize("payload", [b"5", b"[1,2]", b"hello", b'{"x":1}'])
def test_what_is_no_position_is_counted(payload):
    view, at_ns = dots(payload)
    assert "1 bad" in view.footer(at_ns)[0]
    assert view.line(decode(payload)).startswith("! ")


def test_messages_are_counted_per_second_as_mps():
    view, at_ns = dots(*[at(1, 1)] * 9)
    assert view.footer(at_ns) == ("9 messages · 1.0 MPS", "")


def test_a_message_as_a_line_says_who_is_where():
    view = DotsView(ViewOptions())
    assert view.line(decode(at(3, 4.5, "k3"))) == "k3 x=3 y=4.5"
    assert view.line(decode(b'{"x":1,"y":2}')) == "? x=1 y=2"


def test_clear_forgets():
    view, _ = dots(at(1, 1))
    view.clear()
    assert view.caption() == "0 producers"


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 9), (29, 1), (40, 1), (200, 3)])
def test_any_size_is_filled(size):
    view, _ = dots(at(0, 0, "a"), at(1e300, -1e300, "\x1b한글"), at(500, 500, "c"))
    assert_exact(view.render(*size, 0), *size)
