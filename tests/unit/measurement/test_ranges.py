"""Sets of sequence numbers as ranges."""

from __future__ import annotations

import pytest

from mqctl.measurement.ranges import Range, Ranges, absent, span


def test_neighbours_become_one_range():
    made = Ranges()
    made.append(0, 2)
    made.append(2, 3)
    made.append(5, 6)
    assert made.all() == (Range(0, 3), Range(5, 6))
    assert made.count() == 4


@pytest.mark.parametrize(
    ("number", "left"),
    [(2, ((3, 6),)), (3, ((2, 3), (4, 6))), (5, ((2, 5),)), (1, None), (6, None), (0, None)],
)
def test_a_number_is_taken_out_of_its_range(number, left):
    made = Ranges([Range(2, 6)])
    assert made.remove(number) is (left is not None)
    assert made.all() == (left or ((2, 6),))


def test_a_range_of_one_goes_as_a_whole():
    made = Ranges([Range(2, 3)])
    assert made.remove(2)
    assert not made.remove(2)
    assert made.all() == ()


@pytest.mark.parametrize(
    ("a", "b", "common"),
    [
        ([(0, 10)], [(2, 4), (6, 20)], 6),
        ([(0, 2), (4, 6)], [(1, 5)], 2),
        ([(0, 2)], [(2, 4)], 0),
        ([], [(0, 9)], 0),
        ([(0, 5), (7, 9)], [(0, 5), (7, 9)], 7),
    ],
)
def test_the_overlap_counts_what_is_in_both(a, b, common):
    assert Ranges(a).overlap(Ranges(b)) == Ranges(b).overlap(Ranges(a)) == common


def test_a_span_that_ends_before_it_starts_is_empty():
    assert span(3, 5).all() == ((3, 5),)
    assert span(5, 5).all() == span(7, 5).all() == ()


def test_absent_are_the_zeros():
    assert absent(b"\1\0\0\1\0").all() == ((1, 3), (4, 5))
    assert absent(b"").all() == ()


@pytest.mark.parametrize(
    ("start", "stop", "all_", "new"),
    [
        (9, 10, ((2, 4), (6, 8), (9, 10)), ((9, 10),)),
        (8, 9, ((2, 4), (6, 9)), ((8, 9),)),
        (0, 1, ((0, 1), (2, 4), (6, 8)), ((0, 1),)),
        (4, 6, ((2, 8),), ((4, 6),)),
        (3, 7, ((2, 8),), ((4, 6),)),
        (1, 9, ((1, 9),), ((1, 2), (4, 6), (8, 9))),
        (2, 4, ((2, 4), (6, 8)), ()),
        (3, 4, ((2, 4), (6, 8)), ()),
    ],
)
def test_numbers_are_added_where_they_belong(start, stop, all_, new):
    made = Ranges([Range(2, 4), Range(6, 8)])
    assert made.add(start, stop) == new
    assert made.all() == all_
    assert made.stop == all_[-1][1]


def test_of_nothing_the_end_is_zero():
    assert Ranges().stop == 0


@pytest.mark.parametrize(
    ("a", "b", "left", "common"),
    [
        ([(0, 10)], [(2, 4), (6, 20)], ((0, 2), (4, 6)), ((2, 4), (6, 10))),
        ([(0, 2), (4, 6)], [(1, 5)], ((0, 1), (5, 6)), ((1, 2), (4, 5))),
        ([(4, 6)], [(0, 2), (8, 9)], ((4, 6),), ()),
        ([(4, 6), (7, 9)], [(0, 20)], (), ((4, 6), (7, 9))),
        ([], [(0, 2)], (), ()),
        ([(0, 2)], [], ((0, 2),), ()),
    ],
)
def test_what_is_left_and_what_is_common(a, b, left, common):
    one, other = (Ranges(Range(*each) for each in ranges) for ranges in (a, b))
    assert one.without(other).all() == left
    assert one.common(other).all() == common


def test_whether_a_number_is_in():
    made = Ranges([Range(2, 4), Range(6, 8)])
    assert [number for number in range(10) if number in made] == [2, 3, 6, 7]
