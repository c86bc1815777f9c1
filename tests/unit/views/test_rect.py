from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from mqctl.application import decode, wrap
from mqctl.views.base import ViewOptions, plain
from mqctl.views.rect import RECEIVED_MAX, TRANSITION_NS, RectView, shorter_way
from tests.unit.views.scenes import NOON, assert_exact, feed


def view_after(*payloads, **options):
    view = RectView(ViewOptions(**options))
    for n, payload in enumerate(payloads):
        view.observe("rect", decode(payload), n * 10 * TRANSITION_NS)
    return view, (len(payloads) - 1) * 10 * TRANSITION_NS


@pytest.mark.parametrize(
    ("start", "end", "turn"),
    [(0, 50, 50), (350, 40, 50), (40, 350, -50), (0, 180, -180), (0, 0, 0), (10, 190.5, -179.5)],
)
def test_it_turns_the_shorter_way(start, end, turn):
    assert shorter_way(start, end) == turn


def test_the_first_angle_is_shown_at_once():
    view, at_ns = view_after(b"50")
    assert view.angle(at_ns) == 50
    assert not view.moving(at_ns)


def test_it_eases_to_a_new_angle_in_a_fifth_of_a_second():
    view, at_ns = view_after(b"350", b"40")
    half = at_ns + TRANSITION_NS // 2
    assert (view.angle(at_ns), view.angle(half), view.angle(at_ns + TRANSITION_NS)) == (350, 375, 400)
    assert view.angle(at_ns + TRANSITION_NS // 10) < 355
    assert view.moving(half)
    assert not view.moving(at_ns + TRANSITION_NS)


def test_an_angle_on_the_way_is_where_the_next_turn_starts():
    view, at_ns = view_after(b"0", b"90")
    half = at_ns + TRANSITION_NS // 2
    view.observe("rect", decode(b"0"), half)
    assert view.angle(half) == 45
    assert view.angle(half + TRANSITION_NS) == 0


def test_without_transition_it_jumps():
    view, at_ns = view_after(b"350", b"40", transition=False)
    assert view.angle(at_ns) % 360 == 40
    assert not view.moving(at_ns)


def test_a_quarter_turn_does_not_look_like_none():
    pictures = {plain(view_after(b"%d" % angle)[0].render(30, 15, 0)) for angle in (0, 90, 180, 270)}
    assert len({picture.replace("270", "  0") for picture in pictures}) == 4


def test_before_the_first_angle_it_says_so():
    view = RectView(ViewOptions())
    assert "waiting for an angle" in plain(view.render(40, 5, 0))
    assert view.footer(0) == ("0 messages · 0.0/s", "")
    assert not view.moving(0)


@pytest.mark.parametrize("payload", [b"hello", b"[1,2]", b'{"x":1,"y":2}', b"NaN"])
def test_what_is_no_angle_is_shown_and_counted_and_turns_nothing(payload):
    view, at_ns = view_after(b"50", payload)
    assert view.angle(at_ns) == 50
    counts, angle = view.footer(at_ns)
    assert "1 bad" in counts
    assert angle == "50°"
    assert "! " in plain(view.render(80, 10, at_ns))
    assert view.line(decode(payload)).startswith("! ")


def test_the_list_shows_who_what_and_when_with_the_newest_below():
    view, at_ns = view_after(wrap(45, "k3x9qa", NOON), wrap(95, "k3x9qa", NOON + timedelta(seconds=1)), b"7")
    rows = [row.partition("│")[2].strip() for row in plain(view.render(80, 10, at_ns)).splitlines()]
    assert rows[-3:] == ['12:00:00 k3x9qa {"data":45}', '12:00:01 k3x9qa {"data":95}', '--:--:-- -      {"data":7}']


def test_times_are_told_in_the_zone_asked_for():
    view, at_ns = view_after(wrap(45, "k3x9qa", NOON), zone=timezone(timedelta(hours=9)))
    assert "21:00:00" in plain(view.render(80, 10, at_ns))


def test_a_narrow_picture_has_no_list():
    view, at_ns = view_after(wrap(45, "k3x9qa", NOON))
    assert "k3x9qa" not in plain(view.render(59, 10, at_ns))
    assert "k3x9qa" in plain(view.render(60, 10, at_ns))


def test_the_list_is_bounded():
    view = RectView(ViewOptions())
    feed(view, [b"%d" % n for n in range(RECEIVED_MAX + 5)])
    picture = view.render(80, RECEIVED_MAX + 50, 0)
    assert plain(picture).count("--:--:--") == RECEIVED_MAX


def test_a_message_as_a_line_says_the_angle_and_who_sent_it():
    view = RectView(ViewOptions())
    assert view.line(decode(wrap(45.5, "k3\x1b", NOON))) == "45.5° from k3\\x1b"
    assert view.line(decode(b"45")) == "45°"


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (6, 1), (59, 3), (60, 1), (200, 2)])
def test_any_size_is_filled(size):
    view, at_ns = view_after(b"-1e300", b"50")
    assert_exact(view.render(*size, at_ns), *size)


@pytest.mark.parametrize("hours", [-12, 0, 14])
@pytest.mark.parametrize("date", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"])
def test_a_date_that_a_zone_cannot_tell_is_left_out(date, hours):
    """The first is what many programs write for a date that was never set."""
    view = RectView(ViewOptions(zone=timezone(timedelta(hours=hours))))
    view.observe("rect", decode(b'{"data":1,"date":"%s"}' % date.encode()), 0)
    assert "--:--:--" in plain(view.render(80, 3, 0))


@pytest.mark.parametrize("date", ["0002-01-01T00:00:00+23:59", "9998-12-31T23:59:59-23:59"])
@pytest.mark.parametrize("hours", [-12, 14])
def test_any_other_date_can_be_told(date, hours):
    view = RectView(ViewOptions(zone=timezone(timedelta(hours=hours))))
    view.observe("rect", decode(b'{"data":1,"date":"%s"}' % date.encode()), 0)
    assert "--:--:--" not in plain(view.render(80, 3, 0))
