"""The histogram: buckets, quantiles, adding and taking away."""

from __future__ import annotations

import pytest

from mqctl.measurement.histogram import Buckets, Histogram, bucket_of, difference, last_of, merged


def histogram(*numbers: int) -> Histogram:
    made = Histogram()
    made.record_all(numbers)
    return made


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 256, 257, 511, 512, 10**6, 10**9, 2**62 - 1])
def test_a_bucket_holds_its_numbers_and_is_narrow(number):
    bucket = bucket_of(number)
    last = last_of(bucket)
    assert bucket_of(last) == bucket
    assert bucket_of(last + 1) == bucket + 1
    assert number <= last <= number * (1 + 1 / 128)


def test_recording_counts_as_bucket_of_says():
    numbers = [0, 255, 256, 12_345, 10**9]
    assert histogram(*numbers).buckets().counts == {bucket_of(number): 1 for number in numbers}


def test_an_empty_histogram_has_no_quantile():
    empty = Histogram()
    empty.record_all([])
    assert (empty.count, empty.largest, empty.quantile(0.5)) == (0, 0, None)


def test_quantiles_are_those_of_ranks():
    made = histogram(*range(1, 101))
    assert [made.quantile(share) for share in (0.001, 0.5, 0.99, 0.995, 1.0)] == [1, 50, 99, 100, 100]


def test_the_largest_is_exact_and_no_quantile_is_above_it():
    made = histogram(1_000_001, 5)
    assert made.largest == 1_000_001
    assert made.quantile(1.0) == 1_000_001


def test_a_negative_number_is_refused_and_nothing_of_its_batch_is_counted():
    made = Histogram()
    with pytest.raises(ValueError, match="from 0 up, not -1"):
        made.record_all([5, -1])
    with pytest.raises(ValueError, match="-3"):
        made.record(-3)
    assert made.count == 0


def test_histograms_are_added_not_their_quantiles():
    whole = merged([histogram(*[1] * 99).buckets(), histogram(*[1000] * 101).buckets()])
    assert (whole.count, whole.largest, whole.quantile(0.5)) == (200, 1000, 1000)


def test_what_was_sent_is_what_is_read():
    made = histogram(7, 7, 900)
    assert Histogram(made.buckets()).buckets() == made.buckets()


def test_the_difference_is_what_came_since():
    made = histogram(10, 2000)
    before = made.buckets()
    made.record_all([10, 300])
    since = difference(made.buckets(), before)
    assert since.counts == {bucket_of(10): 1, bucket_of(300): 1}
    assert since.largest == last_of(bucket_of(300))
    assert difference(before, before) == Buckets({}, 0)


def test_buckets_are_a_copy():
    made = histogram(1)
    before = made.buckets()
    made.record(1)
    assert before.counts[1] == 1
