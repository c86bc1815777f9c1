"""The web page of the hub: files that a browser loads once, and what it is allowed to do with them."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from aiohttp import ETag, hdrs, web

FILES_PATH: Final = "/page"
"""Below it are all files but the page itself, which is at `/`."""
_INDEX: Final = "index.html"
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(?::\d+)?|\[[0-9A-Fa-f:.]+\](?::\d+)?")


class _File(NamedTuple):
    body: bytes
    media_type: str
    etag: str


class Page:
    """Serves the files that are packed with the hub. They are read once, so that no request leads to a disk."""

    def __init__(self) -> None:
        folder = files("mqctl.hub") / "web"
        self._files = {each.name: _read(each) for each in folder.iterdir() if _kind(each.name) in _TYPES}

    def routes(self) -> list[web.RouteDef]:
        """The page, and each file of it."""
        names = {"/": _INDEX} | {f"{FILES_PATH}/{name}": name for name in self._files if name != _INDEX}
        return [web.get(path, partial(self._serve, self._files[name])) for path, name in names.items()]

    async def _serve(self, file: _File, request: web.Request) -> web.Response:
        """The file, or word that the browser has it already (RFC 9110, 13.1.2)."""
        known = request.if_none_match or ()
        fresh = any(tag.value in (file.etag, "*") for tag in known)
        response = web.Response(status=304) if fresh else web.Response(body=file.body)
        response.headers.update(_headers(request.host))
        response.etag = ETag(file.etag)
        if not fresh:
            response.headers[hdrs.CONTENT_TYPE] = file.media_type
        return response


def _kind(name: str) -> str:
    return name.rpartition(".")[2]


def _read(file: Traversable) -> _File:
    body = file.read_bytes()
    return _File(body, _TYPES[_kind(file.name)], hashlib.sha256(body).hexdigest()[:32])


def _headers(host: str) -> dict[str, str]:
    """What a browser may do with the page: load its own files, and talk to this hub. It asks each time what is new."""
    return {
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self'",
                f"connect-src 'self'{_sockets(host)}",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "form-action 'none'",
            )
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        hdrs.CACHE_CONTROL: "no-cache",
    }


def _sockets(host: str) -> str:
    """WebSockets at the name by which the hub was found: not every browser takes them for `'self'`."""
    return f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
