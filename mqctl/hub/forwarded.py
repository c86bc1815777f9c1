"""Where a request really is from: what a proxy before the hub says of it, if that is to be believed."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

_PROTO: Final = hdrs.X_FORWARDED_PROTO
_FOR: Final = hdrs.X_FORWARDED_FOR


def is_https(request: web.Request, *, believed: bool) -> bool:
    """Whether the client asked by HTTPS, be it only up to the proxy."""
    return request.secure or (believed and _last(request, _PROTO).lower() == "https")


def address_of(request: web.Request, *, believed: bool) -> str:
    """Where the client is."""
    return (believed and _last(request, _FOR)) or request.remote or "?"


def _last(request: web.Request, name: str) -> str:
    """What the nearest proxy says: all before it may have been said by the client."""
    return ",".join(request.headers.getall(name, [])).rpartition(",")[2].strip()
