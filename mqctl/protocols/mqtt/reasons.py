"""Why a broker says no: its numbers in words, what to do about them, and which of our errors they are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mqctl.errors import ConnectError, MqctlError, RefusedError, UnsupportedError

RETURN_CODES: Final[Mapping[int, int]] = MappingProxyType({1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87})
"""The return codes of CONNACK before MQTT 5 (MQTT 3.1.1, 3.2.2.3), each as the reason code of MQTT 5."""

TAKEN_OVER: Final = 0x8E
"""The session, by another client of the same name."""

_UNSUPPORTED_VERSION: Final = 0x84
_BUSY: Final = frozenset({0x88, 0x89, 0x8B, 0x97, 0x9F})
"""Server unavailable, busy, shutting down, a quota, too many connections: another try may do better."""

_MOVED: Final = frozenset({0x9C, 0x9D})
_CREDENTIALS: Final = frozenset({0x86, 0x87})

_HINTS: Final = {
    0x85: "choose another --client-id",
    TAKEN_OVER: "another client came with the same --client-id; each needs its own",
    0x9A: "it keeps no retained messages: leave out --will-retain",
    0x9B: "it has not this quality of service: use a lower --qos or --will-qos",
}


def refusal(
    peer: str, code: int, words: str, *, version: str, user: str | None, elsewhere: str | None = None
) -> MqctlError:
    """The error that a CONNACK amounts to.

    Args:
        peer: Who said it.
        code: The reason code, in the numbers of MQTT 5.
        words: What it means.
        version: Of MQTT, that we spoke.
        user: The name given, if any.
        elsewhere: Another server that it named (MQTT 5, 4.13).
    """
    if code == _UNSUPPORTED_VERSION:
        return UnsupportedError(f"{peer} does not speak MQTT {version}", hint=f"use --mqtt-version {_other(version)}")
    if code in _BUSY:
        return ConnectError(f"{peer} takes no connections now: {words}")
    hint = hint_of(code)
    if code in _CREDENTIALS and user is None:
        hint = "no user was given"
    if code in _MOVED and elsewhere:
        hint = f"it names another server: {elsewhere}"
    return RefusedError(f"{peer} refused the connection: {words}", hint=hint)


def hint_of(code: int) -> str | None:
    """What to do about a reason code, where that is known."""
    return _HINTS.get(code)


def _other(version: str) -> str:
    return "3.1.1" if version == "5" else "5"
