"""Halves of characters are replaced, whole ones and what only looks like one are not."""

from __future__ import annotations

import pytest
from msgspec import json

from mqctl.protocols.bayeux.surrogates import mended


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'"\ud800"', "\ufffd"),
        (rb'"a\uDC00b"', "a\ufffdb"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"\\\ud800"', "\\\ufffd"),
    ],
)
def test_a_half_is_replaced(body, text):
    assert json.decode(mended(body)) == text


@pytest.mark.parametrize(
    "body", [rb'"plain"', rb'"\u00e9"', rb'"\ud83d\ude00"', rb'"\\ud800"', rb'"\\\\ud800"', b'"\\']
)
def test_all_else_is_left(body):
    assert mended(body) is body
