"""What holds of every measurement: quantiles against the sorted numbers, books against naive counting."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mqctl.measurement.arrivals import Share, Stream, together
from mqctl.measurement.books import reconcile
from mqctl.measurement.histogram import Histogram, merged
from mqctl.measurement.listening import Heard
from mqctl.measurement.ranges import Ranges
from mqctl.measurement.sending import Sent

numbers = st.lists(st.integers(0, 2**50) | st.integers(0, 1000), min_size=1, max_size=200)


@given(numbers, st.floats(0.0001, 1.0))
def test_a_quantile_is_within_a_bucket_of_the_exact_one(values, share):
    histogram = Histogram()
    histogram.record_all(values)
    exact = sorted(values)[max(math.ceil(share * len(values)), 1) - 1]
    assert exact <= histogram.quantile(share) <= exact * 1.008
    assert histogram.largest == max(values)


@given(st.lists(numbers, max_size=5))
def test_merged_parts_are_the_histogram_of_everything(parts):
    whole = Histogram()
    histograms = []
    for part in parts:
        whole.record_all(part)
        histograms.append(Histogram())
        histograms[-1].record_all(part)
    assert merged(each.buckets() for each in histograms).buckets() == whole.buckets()


sequences = st.integers(0, 30)


@given(st.lists(sequences, max_size=60), st.integers(1, 4), st.randoms())
def test_arrivals_are_what_naive_counting_finds(came, sharers, chance):
    stream, shares = Stream(), [Share() for _ in range(sharers)]
    for sequence in came:
        stream.add(sequence)
        chance.choice(shares).add(sequence)
    for arrived in (stream.arrived(), together([share.part() for share in shares])):
        present = set(range(arrived.next)) - {n for start, stop in arrived.missing for n in range(start, stop)}
        assert present == set(came)
        assert arrived.duplicated == len(came) - len(set(came))


@given(
    st.integers(0, 20), st.sets(sequences), st.sets(sequences), st.lists(st.lists(sequences, max_size=40), max_size=3)
)
def test_the_books_are_what_naive_counting_finds(attempted, refused, doubtful, ears):
    refused = {n for n in refused if n < attempted}
    doubtful = {n for n in doubtful if n < attempted} - refused
    heard = []
    for number, came in enumerate(ears):
        stream = Stream()
        for sequence in came:
            stream.add(sequence)
        heard.append(Heard(subscriber=number, streams=(stream.arrived(),)))
    sent = Sent(publisher=0, attempted=attempted, rejected=ranges(refused), unknown=ranges(doubtful))
    (books,) = reconcile([sent], heard, shared=False)
    wanted = set(range(attempted)) - refused - doubtful
    assert books.lost == sum(len(wanted - set(came)) for came in ears)
    assert books.delivered == sum(len(wanted & set(came)) for came in ears)
    assert books.recovered == sum(len(doubtful & set(came)) for came in ears)
    assert books.duplicated == sum(sum(Counter(came).values()) - len(set(came)) for came in ears)
    everything = books.delivered + books.recovered + books.duplicated + books.unexpected
    assert everything == sum(map(len, ears))


def ranges(numbers: set[int]) -> tuple:
    made = Ranges()
    for number in sorted(numbers):
        made.append(number, number + 1)
    return made.all()
