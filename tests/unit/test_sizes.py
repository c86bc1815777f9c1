"""Sizes are read as they are typed, and written so that they are read back."""

from __future__ import annotations

import pytest

from mqctl.errors import UsageError
from mqctl.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "count"), [("1", 1), ("512B", 512), ("64KiB", 65536), (" 16mib ", 2**24), ("2GiB", 2**31)]
)
def test_reads(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5MiB", "1KB", "MiB", "9" * 16])
def test_refuses(text: str) -> None:
    with pytest.raises(UsageError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (2**24, "16 MiB"), (2**31, "2 GiB")],
)
def test_writes(count: int, text: str) -> None:
    assert format_size(count) == text
