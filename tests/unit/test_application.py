from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl.application import (
    ENVELOPED,
    POSITION_ID_LENGTH,
    TEXT_LENGTH_MAX,
    Position,
    decode,
    encode,
    field,
    new_producer_id,
    parse_number,
    wrap,
    wrap_position,
)
from mqctl.errors import UsageError

NOON = datetime(2026, 3, 1, 12, 0, 0, 7_999, UTC)


def test_the_envelope_is_written_to_the_byte():
    assert wrap(45, "k3x9qa", NOON) == b'{"producerId":"k3x9qa","data":45,"date":"2026-03-01T12:00:00.007Z"}'
    assert wrap([3, 7.5], "k3x9qa", NOON) == b'{"producerId":"k3x9qa","data":[3,7.5],"date":"2026-03-01T12:00:00.007Z"}'


def test_the_date_is_utc_whatever_the_clock_given():
    seoul = NOON.astimezone(timezone(timedelta(hours=9)))
    assert wrap(1, "a", seoul) == wrap(1, "a", NOON)


def test_a_position_carries_who_and_when():
    assert (
        wrap_position({"x": 450, "y": 250}, "abcdefghijkl", NOON)
        == b'{"x":450,"y":250,"producerId":"abcdefghijkl","time":"2026-03-01T12:00:00.007Z"}'
    )


def test_only_rect_and_chart_are_enveloped_by_default():
    assert frozenset({"rect", "chart"}) == ENVELOPED


def test_json_is_utf8_and_a_lone_surrogate_stays_json():
    assert encode("각도") == '"각도"'.encode()
    assert json.loads(encode("\ud800")) == "\ud800"


@pytest.mark.parametrize("value", [math.nan, math.inf, b"bytes", {1, 2}])
def test_what_is_not_json_is_refused(value):
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        encode(value)


def test_producer_ids_are_short_seeded_and_differ():
    assert new_producer_id(random.Random(1)) == new_producer_id(random.Random(1))
    assert new_producer_id(random.Random(1)) != new_producer_id(random.Random(2))
    assert len(new_producer_id(random.Random(1))) == 6
    name = new_producer_id(random.Random(1), POSITION_ID_LENGTH)
    assert len(name) == 12
    assert name.isalnum()


@pytest.mark.parametrize(
    ("text", "number"), [("45", 45), ("-3", -3), ("+4", 4), ("1.5", 1.5), (".5", 0.5), ("2.", 2.0), ("1e3", 1000.0)]
)
def test_a_typed_number_keeps_its_kind(text, number):
    got = parse_number(text)
    assert (got, type(got)) == (number, type(number))


@pytest.mark.parametrize(
    "text", ["", "abc", "NaN", "inf", "0x10", "1_000", "1,5", "٣", "1e999", "9" * 400, "1e301", "9" * 5000]
)
def test_what_is_no_finite_number_is_refused(text):
    with pytest.raises(UsageError, match="number"):
        parse_number(text)


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"45", 45),
        (b" -1.5\n", -1.5),
        (b"[3, 7.5]", (3, 7.5)),
        (b"[]", ()),
        (b'{"data":45}', 45),
        (b'{"data":[1]}', (1,)),
        (b'{"x":1,"y":2.5}', Position(1, 2.5)),
        (b'{"data":{"x":1,"y":2}}', Position(1, 2)),
    ],
)
def test_every_form_of_a_value_is_read(payload, value):
    sample = decode(payload)
    assert (sample.value, sample.problem) == (value, None)
    assert type(sample.value) is type(value)


def test_the_envelope_is_read_with_who_and_when():
    sample = decode(wrap(45, "k3x9qa", NOON))
    assert sample == (45, "k3x9qa", NOON.replace(microsecond=7000), None, "45")


def test_a_position_is_read_with_who_and_when():
    sample = decode(wrap_position({"x": 1, "y": 2}, "abcdefghijkl", NOON))
    assert sample[:4] == (Position(1, 2), "abcdefghijkl", NOON.replace(microsecond=7000), None)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"", "an empty message"),
        (b" \n", "an empty message"),
        (b"hello", "text, not JSON"),
        (b"{", "text, not JSON"),
        (b"9" * 5000, "text, not JSON"),
        (b"[" * 100_000, "JSON nested too deep"),
        (b"NaN", "the number is NaN"),
        (b"Infinity", "the number is too large"),
        (b"1e999", "the number is too large"),
        (b"1e301", "the number is too large"),
        (b"9" * 400, "the number is too large"),
        (b"true", "true or false, not a number"),
        (b'"45"', "text, not a number"),
        (b"null", "null, not a number"),
        (b"[1,null]", "element 2 is null, not a number"),
        (b"[true]", "element 1 is true or false, not a number"),
        (b"[[1]]", "element 1 is an array, not a number"),
        (b"[1,NaN]", "element 2 is NaN"),
        (b'{"data":"45"}', "text, not a number"),
        (b'{"data":{}}', "an object without data or x and y"),
        (b'{"value":1}', "an object without data or x and y"),
        (b'{"x":"a","y":1}', "x is text, not a number"),
        (b'{"x":1,"y":{}}', "y is an object, not a number"),
    ],
)
def test_what_cannot_be_drawn_says_why(payload, problem):
    sample = decode(payload)
    assert (sample.value, sample.problem) == (None, problem)


@pytest.mark.parametrize("date", ['"yesterday"', "5", "null"])
def test_a_bad_date_or_id_does_not_cost_the_value(date):
    sample = decode(b'{"producerId":5,"data":1,"date":%s}' % date.encode())
    assert sample == (1, None, None, None, "1")


def test_a_date_without_zone_is_utc():
    assert decode(b'{"data":1,"date":"2026-03-01T12:00:00"}').sent_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_text_is_what_was_sent_cut_short():
    assert decode(b'{"data": [1, 2]}').text == "[1, 2]"
    assert decode(b'{"data":"\xea\xb0\x81"}').text == "각"
    assert decode(b"hello").text == "hello"
    assert decode(b"\xff\x00").text == "\\xff\x00"
    assert len(decode(b"x" * 5_000_000).text) == TEXT_LENGTH_MAX
    assert decode(b"x" * 201).text.endswith("x…")


@pytest.mark.parametrize(
    ("path", "value"), [("a.b", 7), ("list.1", 2), ("data", 1), ("a", None), ("list.9", None), ("list.x", None)]
)
def test_a_field_is_taken_from_the_whole_document(path, value):
    document = b'{"a":{"b":7},"list":[1,2],"data":1,"producerId":"p"}'
    sample = decode(document, field(path))
    assert sample.value == value
    assert sample.producer_id == "p"
    assert (sample.problem is None) == (value is not None)


def test_a_field_that_is_not_there_is_named():
    assert decode(b'{"a":1}', field("b.c")).problem == "no field b.c"
    assert decode(b"5", field("b")).problem == "no field b"
    assert decode(b"[5]", field("0")).value == 5


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b"])
def test_a_path_with_an_empty_part_is_refused(path):
    with pytest.raises(UsageError, match="not a field"):
        field(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["data", "x", "y", "producerId", "date", "a"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_anything_is_a_value_or_a_problem(payload):
    """Decoding never raises, and exactly one of value and problem is there."""
    for select in (None, field("a"), field("data.0")):
        sample = decode(payload, select)
        assert (sample.value is None) != (sample.problem is None)
        assert len(sample.text) <= TEXT_LENGTH_MAX


numbers = st.integers(-(10**12), 10**12) | st.floats(-1e300, 1e300)


@given(
    numbers | st.lists(numbers),
    st.text(max_size=8),
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC)),
)
def test_what_is_wrapped_is_read_back(data, producer_id, at):
    sample = decode(wrap(data, producer_id, at))
    assert sample.value == (tuple(data) if isinstance(data, list) else data)
    assert sample.producer_id == producer_id
    assert sample.sent_at == at.replace(microsecond=at.microsecond // 1000 * 1000)
