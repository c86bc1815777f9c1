"""Errors as they travel."""

from __future__ import annotations

import pytest

from mqctl.protocols.bayeux.spec import Error, error, error_text


def test_our_own_error():
    assert error(403, "limit", "a:b", "c") == "403:a b,c:limit"
    assert error(402, "session_unknown") == Error.SESSION_UNKNOWN


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("402::session_unknown", "session_unknown"),
        ("401:nope:Unknown client", "Unknown client (nope)"),
        ("403:denied:", "denied"),
        ("403::", "403::"),
        ("plain words", "plain words"),
        ("a:b:c", "a:b:c"),
        ("400:x", "400:x"),
        ("400::The replayId {82} you: provided", "The replayId {82} you: provided"),
    ],
)
def test_the_text_of_an_error(value, text):
    assert error_text(value) == text
