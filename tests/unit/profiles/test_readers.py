"""Readers: what each takes, what each refuses, and in which words."""

from __future__ import annotations

import re
from math import inf

import pytest

from mqctl.model import Dialect
from mqctl.profiles import readers
from mqctl.profiles.secrets import Reference, SecretKind


@pytest.mark.parametrize(
    ("read", "written", "value"),
    [
        (readers.text, "a", "a"),
        (readers.flag, True, True),
        (readers.flag, False, False),
        (readers.count, 0, 0),
        (readers.switch, True, True),
        (readers.switch, "Off", False),
        (readers.level, "2", 2),
        (readers.level, 0, 0),
        (readers.lasting, "always", inf),
        (readers.lasting, "never", 0.0),
        (readers.lasting, "Always", inf),
        (readers.lasting, "2m", 120.0),
        (readers.duration, "0", 0.0),
        (readers.duration, "1m30s", 90.0),
        (readers.timeout, "500ms", 0.5),
        (readers.dialect, "auto", None),
        (readers.dialect, "artemis", Dialect.ARTEMIS),
        (readers.reference, "env:A", Reference(SecretKind.ENV, "A")),
        (readers.labels, ["a", "b"], ("a", "b")),
        (readers.one_of(["x", "y"]), "y", "y"),
        (readers.as_written(readers.duration), "10s", "10s"),
    ],
)
def test_takes(read, written, value):
    """A reader turns what it takes into a value of the type that its users expect."""
    result = read(written)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("read", "written", "words"),
    [
        (readers.text, 1, "must be a text in quotes"),
        (readers.text, "", "must not be empty"),
        (readers.flag, 1, "must be true or false"),
        (readers.switch, "perhaps", "must be true or false"),
        (readers.level, "3", "must be 0, 1 or 2"),
        (readers.level, True, "must be 0, 1 or 2"),
        (readers.lasting, "often", "'often'"),
        (readers.lasting, "often", "2m or 1h30m; or always or never"),
        (readers.count, -1, "whole number from 0 up"),
        (readers.count, True, "whole number from 0 up"),
        (readers.count, "1", "whole number from 0 up"),
        (readers.duration, 10, 'such as "10s"'),
        (readers.duration, "10", "'10' has no unit; write 10ms, 10s"),
        (readers.timeout, "0s", "longer than nothing"),
        (readers.url, "localhost", "not a broker URL: 'localhost'"),
        (readers.url, " arn:aws:mq:r:1:broker:n:b-1", "mqctl profile add NAME --amazonmq BROKER"),
        (readers.dialect, "artemi", "did you mean 'artemis'?"),
        (readers.dialect, "zzz", "known: classic, artemis, rabbitmq, mosquitto, hub, auto"),
        (readers.labels, "a", "must be a list of texts"),
        (readers.labels, ["a", 1], "must be a list of texts"),
        (readers.one_of(["broker", "socket"]), "brokr", "did you mean 'broker'?"),
        (readers.as_written(readers.flag), "yes", "must be true or false"),
    ],
)
def test_refuses(read, written, words):
    """A reader says in its ValueError what it wanted instead."""
    with pytest.raises(ValueError, match=re.escape(words)):
        read(written)


def test_password_in_url_stays_out_of_files():
    """A URL that stands in a file has no password, and the refusal does not repeat it."""
    assert readers.open_url("stomp://alice@h").user == "alice"
    with pytest.raises(ValueError, match="env:NAME") as refused:
        readers.open_url("stomp://alice:hunter2@h")
    assert "hunter2" not in str(refused.value)
