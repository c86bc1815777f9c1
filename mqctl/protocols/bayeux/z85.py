"""Z85, bytes as printable text (ZeroMQ RFC 32), for any number of bytes as CometD's binary extension extends it."""

from __future__ import annotations

import struct
from typing import Final

_ALPHABET: Final = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_BASE: Final = 85
_PAIRS: Final = [bytes((high, low)) for high in _ALPHABET for low in _ALPHABET]
"""Two digits at a time."""
_DIGITS: Final = {digit: value for value, digit in enumerate(_ALPHABET)}
_WORD, _GROUP = 4, 5
"""Four bytes are five digits."""
_PAD: Final = "#"


def encode(data: bytes) -> str:
    """The text; of a last word that is not whole, only as many digits more than it has bytes as it needs."""
    spare = -len(data) % _WORD
    padded = data + bytes(spare)
    parts: list[bytes] = []
    for word in struct.unpack(f">{len(padded) // _WORD}I", padded):
        rest, low = divmod(word, _BASE * _BASE)
        high, middle = divmod(rest, _BASE * _BASE)
        parts += (_ALPHABET[high : high + 1], _PAIRS[middle], _PAIRS[low])
    text = b"".join(parts).decode()
    return text[: len(text) - spare]


def decode(text: str) -> bytes:
    """The bytes.

    Raises:
        ValueError: That text stands for no bytes.
    """
    spare = -len(text) % _GROUP
    if spare == _GROUP - 1:
        raise ValueError("one digit alone stands for no byte")
    digits = (text + _PAD * spare).encode()
    words = []
    try:
        for at in range(0, len(digits), _GROUP):
            word = 0
            for digit in digits[at : at + _GROUP]:
                word = word * _BASE + _DIGITS[digit]
            words.append(word)
        data = struct.pack(f">{len(words)}I", *words)
    except (KeyError, struct.error):
        raise ValueError("not Z85") from None
    return data[: len(data) - spare]
