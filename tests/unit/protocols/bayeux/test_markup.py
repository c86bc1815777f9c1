"""Text without markup."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from mqctl.protocols.bayeux.markup import without_markup


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b'"<b>bold</b>"', b'"&lt;b&gt;bold&lt;/b&gt;"'),
        (rb'"\u003cb\u003E"', rb'"&lt;b&gt;"'),
        (rb'"\\u003c \\\u003C"', rb'"\\u003c \\&lt;"'),
        (rb'{"a": [1, "\n<", null], "<k>": true}', rb'{"a": [1, "\n&lt;", null], "&lt;k&gt;": true}'),
        (rb'"\u003d \"quoted\""', rb'"\u003d \"quoted\""'),
    ],
)
def test_what_is_left(data, left):
    assert without_markup(data) == left


TEXTS = st.text('<>\\u003ceE"a\n')


@given(st.recursive(TEXTS | st.none() | st.integers(-9, 9), lambda inner: st.lists(inner, max_size=3)))
def test_it_says_the_same_but_for_brackets(value):
    def plain(value):
        if isinstance(value, list):
            return [plain(each) for each in value]
        return value.replace("<", "&lt;").replace(">", "&gt;") if isinstance(value, str) else value

    written = json.encode(value)
    for data in (written, written.replace(b"<", rb"\u003c")):
        assert json.decode(without_markup(data)) == plain(value)
