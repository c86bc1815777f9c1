"""Which web pages may use the hub: a browser says where its page is from, and by what name it found us. No IO."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from mqctl.errors import ConfigError

ANY_ORIGIN: Final = "*"
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s]+")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and no other."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_origin(text: str) -> str:
    """An origin as browsers write it.

    Raises:
        ConfigError: It is none.
    """
    origin = text.lower().rstrip("/")
    if origin not in (ANY_ORIGIN, "null") and not _ORIGIN.fullmatch(origin):
        raise ConfigError(f"not an origin: {text!r}", hint="an origin looks like https://app.example:8443, or is *")
    return origin


def refused_origin(origin: str | None, host: str, allowed: Sequence[str]) -> str | None:
    """Why a page may not open a WebSocket, which browsers let any page try (RFC 6455, 10.2); None if it may.

    Args:
        origin: The header; other clients than browsers send none.
        host: The header, which names the hub: its own page may.
        allowed: Further origins.
    """
    if origin is None or ANY_ORIGIN in allowed or origin.lower() in allowed:
        return None
    page = _host_and_port(origin)
    if page is not None and (is_loopback(page[0]) or origin.partition("://")[2].lower() == host.lower()):
        return None
    return f"pages from {origin[:200]!r} may not connect: start the hub with --allow-origin {origin[:200]}"


def refused_host(host: str, allowed: Sequence[str]) -> str | None:
    """Why a request to a hub on loopback is not for it: a name that somebody let point here (DNS rebinding).

    Args:
        host: The header.
        allowed: Origins whose host is known to lead here, perhaps by a proxy.
    """
    known = {page[0] for page in map(_host_and_port, allowed) if page is not None}
    named = _host_and_port(f"//{host}")
    if ANY_ORIGIN in allowed or (named is not None and (is_loopback(named[0]) or named[0] in known)):
        return None
    return (
        f"this hub is not {host[:200]!r}: use the name localhost, or start it with --allow-origin http://{host[:200]}"
    )


def is_elsewhere(origin: str | None, host: str) -> bool:
    """Whether a request is from a page of another host than the hub's, whose ports make no difference to cookies.

    Args:
        origin: The header.
        host: The header.
    """
    if origin is None:
        return False
    page, here = _host_and_port(origin), _host_and_port(f"//{host}")
    return page is None or here is None or page[0] != here[0]


def _host_and_port(url: str) -> tuple[str, int | None] | None:
    try:
        split = urlsplit(url)
        found = split.hostname, split.port
    except ValueError:
        return None
    return (found[0], found[1]) if found[0] else None
