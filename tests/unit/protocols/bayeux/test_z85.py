"""Z85 against its vectors, and against itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl.protocols.bayeux import z85


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\0", "00"),
        (b"\xff", "@@"),
        (b"\1\2", "0rJ"),
        (b"abc", "vpAZ"),
        (b"\1\2\3\4", "0rJua"),
        (b"\1\2\3\4\5", "0rJua1P"),
        (bytes.fromhex("864FD26FB559F75B"), "HelloWorld"),
        (b"\xff\xff\xff\xff", "%nSc0"),
    ],
)
def test_vectors(data, text):
    assert z85.encode(data) == text
    assert z85.decode(text) == data


@given(st.binary(max_size=100))
def test_there_and_back(data):
    assert z85.decode(z85.encode(data)) == data


@pytest.mark.parametrize("text", ["0", "000000", "~0", "00\n", "%nSc1", "####0", "é0", "0000 "])
def test_no_bytes(text):
    with pytest.raises(ValueError, match=r"Z85|one digit"):
        z85.decode(text)
