from __future__ import annotations

import pytest
from rich.segment import Segment

from mqctl.application import decode
from mqctl.views.base import NS_PER_S, Rate, Tally, bad_line, format_number, message, overlay, plain
from mqctl.views.theme import BOLD, DIM, UNICODE


@pytest.mark.parametrize("per_second", [0.5, 1, 7, 20, 1000])
def test_a_steady_rate_is_told_exactly_from_the_second_message_on(per_second):
    rate, gap_ns = Rate(), int(NS_PER_S / per_second)
    for n in range(int(per_second * 20)):
        rate.add(n * gap_ns)
        if n and gap_ns * 2 <= 4 * NS_PER_S:
            assert rate.per_second(n * gap_ns) == pytest.approx(per_second, rel=0.01)


def test_a_rate_falls_when_messages_stay_away_and_ends_at_nothing():
    rate = Rate()
    for n in range(50):
        rate.add(n * NS_PER_S // 10)
    told = [rate.per_second(5 * NS_PER_S + n * NS_PER_S // 2) for n in range(12)]
    assert told == sorted(told, reverse=True)
    assert told[-1] == 0


def test_one_message_is_no_rate_yet():
    rate = Rate()
    assert rate.per_second(0) == 0
    rate.add(NS_PER_S)
    assert 0 < rate.per_second(NS_PER_S) < 1


def test_messages_at_one_moment_do_not_divide_by_zero():
    rate = Rate()
    rate.add(NS_PER_S)
    rate.add(NS_PER_S)
    assert rate.per_second(NS_PER_S) > 1


def test_a_long_silence_does_not_loop_over_it():
    rate = Rate()
    rate.add(0)
    rate.add(10**18)
    assert rate.per_second(10**18) == pytest.approx(0.2)


def test_counts_are_told_in_words_with_the_last_problem():
    tally = Tally()
    tally.add(None, 0)
    assert tally.text(0, UNICODE) == "1 message · 0.2/s"
    tally.add("text, not JSON", NS_PER_S)
    tally.add(None, 2 * NS_PER_S)
    assert tally.text(2 * NS_PER_S, UNICODE, unit=" MPS") == "3 messages · 1.0 MPS · 1 bad: text, not JSON"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (-0.5, "-0.5"),
        (1 / 3, "0.333333"),
        (10**12, "1e+12"),
        (1e300, "1e+300"),
        (10**300, "1e+300"),
    ],
)
def test_numbers_are_short(number, text):
    assert format_number(number) == text


def test_marks_replace_cells_and_never_move_the_rest():
    line = overlay("abcdefgh", DIM, [(5, "Z", BOLD), (1, "한", BOLD)])
    assert line == [Segment("a", DIM), Segment("한", BOLD), Segment("de", DIM), Segment("Z", BOLD), Segment("gh", DIM)]


@pytest.mark.parametrize("mark", [(-1, "x", BOLD), (3, "xy", BOLD), (9, "x", BOLD)])
def test_marks_outside_are_left_out(mark):
    assert plain([overlay("abcd", DIM, [mark])]) == "abcd"


def test_of_overlapping_marks_the_first_stays():
    assert plain([overlay("abcd", DIM, [(0, "XY", BOLD), (1, "Z", BOLD)])]) == "XYcd"


def test_a_mark_may_end_the_line():
    assert plain([overlay("abcd", DIM, [(2, "XY", BOLD)])]) == "abXY"


def test_a_message_stands_in_the_middle_and_is_cut_to_the_width():
    assert plain(message("hello", 11, 3, UNICODE)) == "\n   hello\n"
    assert plain(message("hello", 3, 1, UNICODE)) == "he…"


def test_what_could_not_be_drawn_is_one_safe_line():
    assert bad_line("text", decode(b"\x1b[2J\n"), UNICODE) == "! text: \\x1b[2J\\n"
    assert bad_line("an empty message", decode(b""), UNICODE) == "! an empty message"
