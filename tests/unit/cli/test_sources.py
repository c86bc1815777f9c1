"""Where published messages come from."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl.cli import sources
from mqctl.cli.formats import Record, json_lines
from mqctl.cli.sources import BadInput, Encoder, Lines
from mqctl.errors import UsageError
from mqctl.model import AckMode, Delivery, Outgoing, SubscriptionId, Topic

TEMPLATE = Outgoing(topic=Topic(levels=("t",)), payload=b"", headers={"h": "1"}, priority=3)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BARE = Encoder(enveloped=False, producer_id="abcdef", position_id="abcdefghijkl", now=lambda: NOW)
ENVELOPED = Encoder(enveloped=True, producer_id="abcdef", position_id="abcdefghijkl", now=lambda: NOW)


def envelope(data: str) -> bytes:
    return f'{{"producerId":"abcdef","data":{data},"date":"2026-01-01T00:00:00.000Z"}}'.encode()


def payloads(source: Iterator[object], count: int) -> list[bytes]:
    made = list(itertools.islice(source, count))
    assert all(isinstance(each, Outgoing) and each.priority == 3 for each in made)
    return [each.payload for each in made]


def test_values_repeat_without_end():
    assert payloads(sources.from_values(["a", "b"], TEMPLATE, BARE, fold=False), 3) == [b"a", b"b", b"a"]


def test_folded_values_are_one_array():
    assert payloads(sources.from_values(["1", "2.5"], TEMPLATE, BARE, fold=True), 2) == [b"[1,2.5]"] * 2
    assert payloads(sources.from_values(["1"], TEMPLATE, ENVELOPED, fold=True), 1) == [envelope("[1]")]


@pytest.mark.parametrize("fold", [True, False])
def test_a_value_that_is_no_number_is_refused_before_the_first_is_made(fold):
    with pytest.raises(UsageError, match="not a number: 'x'"):
        sources.from_values(["1", "x"], TEMPLATE, ENVELOPED, fold=fold)


def test_the_time_in_the_envelope_is_that_of_the_message():
    times = iter([NOW, datetime(2027, 1, 1, tzinfo=UTC)])
    # Checking the values must not read the clock for them.
    source = sources.from_values(
        ["1"], TEMPLATE, Encoder(enveloped=True, producer_id="a", position_id="b", now=lambda: NOW), fold=True
    )
    assert b"2026" in payloads(source, 1)[0]
    source = sources.from_generator(
        iter([1, 2]), TEMPLATE, Encoder(enveloped=True, producer_id="a", position_id="b", now=lambda: next(times))
    )
    first, second = payloads(source, 2)
    assert (b"2026" in first, b"2027" in second) == (True, True)


def test_json_data():
    assert payloads(sources.from_json(' {"a": [1, null]} ', TEMPLATE, BARE), 2) == [b'{"a":[1,null]}'] * 2
    assert payloads(sources.from_json('"é"', TEMPLATE, ENVELOPED), 1) == [envelope('"é"')]


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "nope", "[" * 100_000])
def test_json_data_that_is_none(text):
    with pytest.raises(UsageError, match=r"--json-data is (not )?JSON"):
        sources.from_json(text, TEMPLATE, BARE)


def test_a_generators_position_carries_its_own_who_and_when():
    (made,) = payloads(sources.from_generator(iter([{"x": 1, "y": 2}]), TEMPLATE, ENVELOPED), 1)
    assert made == b'{"x":1,"y":2,"producerId":"abcdefghijkl","time":"2026-01-01T00:00:00.000Z"}'


def test_a_file_repeats():
    assert payloads(sources.from_file(b"\0", TEMPLATE), 2) == [b"\0", b"\0"]


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), min_size=1), st.booleans())
def test_lines_are_messages_byte_for_byte(lines, ended):
    text = b"\n".join(lines) + (b"\n" if ended else b"")
    expected = lines if ended or lines[-1] else lines[:-1]
    source = sources.from_lines(_lines(text), TEMPLATE, BARE)
    assert [each.payload for each in source] == expected


def _lines(text: bytes) -> list[bytes]:
    """As a binary file yields them: `splitlines` would divide at other bytes too."""
    return [part + b"\n" for part in text.split(b"\n")[:-1]] + [part for part in text.split(b"\n")[-1:] if part]


def test_a_bad_line_is_named_and_those_after_it_come():
    source = sources.from_lines([b"1\n", b"x\n", b"\xff\n", b"4"], TEMPLATE, ENVELOPED)
    made = list(source)
    assert [each.payload for each in made if isinstance(each, Outgoing)] == [envelope("1"), envelope("4")]
    assert [each for each in made if isinstance(each, BadInput)] == [
        BadInput(2, "not a number: 'x'"),
        BadInput(3, "not UTF-8"),
    ]
    assert source.number == 4


def test_lines_count_what_they_skip():
    source = sources.from_jsonl([b"\n", b'{"payload":"a"}\n', b"  \n", b"nonsense\n"], TEMPLATE, TEMPLATE.topic)
    first = next(source)
    assert (first.payload, source.number) == (b"a", 2)
    assert next(source) == BadInput(4, "not JSON: Expecting value at character 1")


def test_a_reader_that_fails_otherwise_is_not_hidden():
    def broken(line: bytes) -> Outgoing:
        raise KeyError(line)

    with pytest.raises(KeyError):
        next(Lines([b"x"], broken))


@given(st.binary(), st.dictionaries(st.text(alphabet="abc", min_size=1), st.text()))
def test_what_tail_writes_as_json_comes_back(payload, headers):
    delivery = Delivery("/queue/q", payload, headers, SubscriptionId("s"), 0)
    line = json_lines()(Record(delivery, 1, 0, AckMode.AUTO))
    (made,) = sources.from_jsonl([line], TEMPLATE, None)
    assert (made.topic, made.payload) == (Topic(native="/queue/q"), payload)
    assert made.headers == {"h": "1", **headers}
    (elsewhere,) = sources.from_jsonl([line], TEMPLATE, TEMPLATE.topic)
    assert elsewhere.topic == TEMPLATE.topic


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ([], "not a JSON object"),
        ({"payload": "x"}, "no member 'topic'"),
        ({"topic": 1, "payload": "x"}, "'topic' is no text"),
        ({"topic": "a..b", "payload": "x"}, "a topic has no empty level"),
        ({"topic": "a"}, "no member 'payload'"),
        ({"topic": "a", "payload": None}, "'payload' is no text"),
        ({"topic": "a", "payload": "\ud800"}, "'payload' has half a surrogate pair"),
        ({"topic": "a", "payload_b64": "AA"}, "'payload_b64' is no base64"),
        ({"topic": "a", "payload_b64": base64.b64encode(b"x").decode() + "\n"}, "'payload_b64' is no base64"),
        ({"topic": "a", "payload": "", "headers": "x"}, "'headers' is no object"),
        ({"topic": "a", "payload": "", "headers": {"n": 1}}, "'headers' has a value that is no text"),
    ],
    ids=str,
)
def test_a_record_that_is_no_message(record, reason):
    (bad,) = sources.from_jsonl([json.dumps(record).encode()], TEMPLATE, None)
    assert isinstance(bad, BadInput)
    assert reason in bad.reason


def test_what_is_no_bar_is_refused_with_the_way_out():
    with pytest.raises(UsageError, match="not a number: 'x'") as refusal:
        sources.from_values(["1", "x"], TEMPLATE, ENVELOPED, fold=True)
    assert "--each --bare" in refusal.value.hint
