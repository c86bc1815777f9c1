"""CONNECT by hand, and whether the broker takes it: an open port alone says little."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping

HOST = "127.0.0.1"
LIMIT_S = 1.0

Probe = Callable[[int, str, str, str], bool]
"""Asked with port, user, password and virtual host."""


def listens(port: int) -> bool:
    """Whether anybody accepts connections."""
    try:
        with socket.create_connection((HOST, port), timeout=LIMIT_S):
            return True
    except OSError:
        return False


def _answer(port: int, question: bytes) -> bytes:
    """The first bytes that come back; none when the broker does not answer."""
    try:
        with socket.create_connection((HOST, port), timeout=LIMIT_S) as peer:
            peer.sendall(question)
            return peer.recv(64)
    except OSError:
        return b""


def _stomp(port: int, user: str, password: str, vhost: str) -> bool:
    frame = f"CONNECT\naccept-version:1.2\nhost:{vhost}\nlogin:{user}\npasscode:{password}\n\n\0"
    return _answer(port, frame.encode()).lstrip(b"\n").startswith(b"CONNECTED\n")


def _mqtt(port: int, user: str, password: str, _vhost: str) -> bool:
    """A CONNECT of MQTT 3.1.1 with user name, password and a clean session: clause 3.1."""
    strings = b"".join(struct.pack("!H", len(text)) + text.encode() for text in ("probe", user, password))
    body = b"\0\4MQTT\4" + bytes([0b1100_0010]) + struct.pack("!H", 10) + strings
    return _answer(port, bytes([0x10, len(body)]) + body) == b"\x20\2\0\0"


PROBES: Mapping[str, Probe] = {"stomp": _stomp, "mqtt": _mqtt}
"""For each protocol in the clear over TCP."""
