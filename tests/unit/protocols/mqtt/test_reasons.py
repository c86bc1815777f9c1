"""A refused CONNECT as our errors, each with its next step."""

from __future__ import annotations

import pytest

from mqctl.errors import ConnectError, RefusedError, UnsupportedError
from mqctl.protocols.mqtt.reasons import hint_of, refusal


def refused(code, *, version="3.1.1", user="u", elsewhere=None):
    return refusal("h:1", code, "the words", version=version, user=user, elsewhere=elsewhere)


@pytest.mark.parametrize(("spoken", "other"), [("5", "3.1.1"), ("3.1.1", "5"), ("3.1", "5")])
def test_another_version_is_named_where_one_is_not_spoken(spoken, other):
    error = refused(0x84, version=spoken)
    assert isinstance(error, UnsupportedError)
    assert str(error) == f"h:1 does not speak MQTT {spoken}"
    assert error.hint == f"use --mqtt-version {other}"


@pytest.mark.parametrize("code", [0x88, 0x89, 0x8B, 0x97, 0x9F])
def test_a_broker_that_has_no_room_may_have_some_later(code):
    error = refused(code)
    assert isinstance(error, ConnectError)
    assert str(error) == "h:1 takes no connections now: the words"


@pytest.mark.parametrize(
    ("code", "fields", "hint"),
    [
        (0x86, {}, None),
        (0x87, {"user": None}, "no user was given"),
        (0x85, {}, "choose another --client-id"),
        (0x9C, {"elsewhere": "h:2"}, "it names another server: h:2"),
        (0x9D, {}, None),
        (0x9B, {}, hint_of(0x9B)),
    ],
)
def test_other_refusals_are_told_in_the_brokers_words(code, fields, hint):
    error = refused(code, **fields)
    assert isinstance(error, RefusedError)
    assert str(error) == "h:1 refused the connection: the words"
    assert error.hint == hint
