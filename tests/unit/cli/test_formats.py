"""How a message is written."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl.cli import formats
from mqctl.cli.formats import Record, compile_format, escape, json_lines
from mqctl.errors import UsageError
from mqctl.model import AckMode, Delivery, SubscriptionId

AT_NS = 1_767_225_600_123_456_789  # 2026-01-01T00:00:00.123456789Z


def record(payload: bytes = b"body", **more) -> Record:
    usual = {"topic": "a.b", "headers": {"k": "v", "l": ""}, "id": "m1", "redelivered": False}
    delivery = Delivery(payload=payload, subscription=SubscriptionId("s"), received_ns=7, **{**usual, **more})
    return Record(delivery, 3, AT_NS, AckMode.CLIENT)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", b""),
        ("%t", b"a.b"),
        ("%p", b"\0\xff"),
        ("%x %p{hex}", b"00ff 00ff"),
        ("%b %p{base64}", b"AP8= AP8="),
        ("%l", b"2"),
        ("%h", b"k=v l="),
        ("%h{k}|%h{l}|%h{none}|%h{K}", b"v|||"),
        ("%q", b"client"),
        ("%m", b"m1"),
        ("%r", b"-"),
        ("%n", b"3"),
        ("%U", b"1767225600.123456789"),
        ("%I", b"2026-01-01T00:00:00.123456Z"),
        ("%%t", b"%t"),
        (r"\n\t\r\0\\\x00\x7F", b"\n\t\r\0\\\0\x7f"),
        ("é{}[]%n%n", "é{}[]33".encode()),
        ("\udcff", b"\xff"),
    ],
)
def test_each_verb_modifier_and_escape(pattern, expected):
    assert compile_format(pattern)(record(b"\0\xff")) == expected


def test_local_time_in_the_terms_of_strftime(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    assert compile_format("%U{strftime[%Y-%m-%d %H:%M}%%]}")(record()) == b"2026-01-01 00:00}%"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"redelivered": True}, b"redelivered None"),
        ({"retained": True, "qos": 1}, b"retained 1"),
        ({"redelivered": True, "retained": True}, b"redelivered,retained None"),
        ({"redelivered": None, "id": None}, b"- None"),
    ],
)
def test_flags_and_quality_of_service(more, expected):
    made = record(**more)
    mode = "None" if made.delivery.qos is None else str(made.delivery.qos)
    assert compile_format("%r ")(made) + mode.encode() == expected
    assert compile_format("%q")(made) == (b"client" if made.delivery.qos is None else b"1")
    assert compile_format("%m")(made) == (made.delivery.id or "").encode()


@pytest.mark.parametrize(
    "pattern", ["%z", "%", r"\q", "\\", r"\x0", r"\xzz", "%p{rot13}", "%t{hex}", "%h{}", "%U{strftime}", "% p"]
)
def test_what_a_format_cannot_say_is_named(pattern):
    with pytest.raises(UsageError, match=r"--format has no [%\\]") as caught:
        compile_format(pattern)
    assert caught.value.hint.startswith("verbs: %t %p")


@given(st.binary(), st.text(), st.dictionaries(st.text(), st.text()))
def test_json_is_one_line_and_leads_back_to_the_same_bytes(payload, topic, headers):
    made = record(payload, topic=topic, headers=headers)
    for form in (json_lines(), json_lines(escaped=True)):
        line = form(made)
        assert line.count(b"\n") == 1
        read = json.loads(line)
        back = read["payload"].encode() if "payload" in read else base64.b64decode(read["payload_b64"])
        assert (back, read["topic"], read["headers"]) == (payload, topic, headers)
    assert compile_format("%j")(made) == json_lines()(made)[:-1]


STEERING = "".join(map(chr, (*range(9), *range(11, 32), *range(127, 160), 0x200B, 0x2028, 0x202E, 0x2066, 0xFEFF)))


@given(st.binary(), st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_nothing_steers_a_terminal_whatever_the_form(payload, topic):
    made = record(payload + STEERING.encode(), topic=topic + STEERING, headers={"k": STEERING})
    forms = (
        formats.text(with_topic=True, escaped=True),
        compile_format("%t %p %h %h{k} %j %m", escaped=True),
        json_lines(escaped=True),
    )
    for form in forms:
        assert not set(STEERING) & set(form(made).decode())


def test_what_a_format_itself_says_is_not_escaped():
    assert compile_format(r"\x1b[1m%p", escaped=True)(record(b"\x1b")) == b"\x1b[1m\\x1b"


def test_text_raw_and_nul():
    made = record(b"\0\xff")
    assert formats.text(with_topic=False, escaped=False)(made) == b"\0\xff\n"
    assert formats.text(with_topic=True, escaped=False)(made) == b"a.b \0\xff\n"
    assert formats.text(with_topic=False, escaped=True)(made) == b"\\x00\\xff\n"
    assert (formats.raw(made), formats.ended_by_nul(made)) == (b"\0\xff", b"\0\xff\0")


def test_tabs_and_newlines_stay():
    assert escape(b"a\tb\nc") == "a\tb\nc"
