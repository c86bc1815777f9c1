"""What is in a message."""

from __future__ import annotations

import pytest

from mqctl.measurement.stamp import SIZE_MIN, Mark, reader, writer

MARK = Mark(1, 65_535, 2**32 - 1, 2**62, 5)


@pytest.mark.parametrize("size", [SIZE_MIN, SIZE_MIN + 1, 1000])
def test_what_is_written_is_read(size):
    payload = writer(7, size)(MARK)
    assert len(payload) == size
    assert reader(7, size)(payload) == MARK
    assert payload.isascii()


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: payload[:-1],
        lambda payload: payload + b"x",
        lambda payload: b"x" + payload[1:],
        lambda payload: payload[:-1] + bytes([payload[-1] ^ 1]),
        lambda payload: b"",
        lambda payload: payload[:10] + b"!" + payload[11:],
        lambda payload: payload[:10] + bytes([payload[10] ^ 1]) + payload[11:],
        lambda payload: payload[:50] + b"==" + payload[52:],
        lambda payload: b"mqb2" + payload[4:],
        lambda payload: writer(8, len(payload))(MARK),
        lambda payload: writer(8, len(payload))(MARK)[:SIZE_MIN] + payload[SIZE_MIN:],
    ],
)
def test_what_is_not_of_this_run_or_was_changed_is_not_read(change):
    assert reader(7, 100)(change(writer(7, 100)(MARK))) is None
