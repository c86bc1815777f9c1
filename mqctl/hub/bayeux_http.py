"""Bayeux on the HTTP port: requests that may wait, answers as scripts, and the doors to sockets and event streams."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from aiohttp import BasicAuth, hdrs, web

from mqctl.hub.bayeux_house import EARLY_BYTES, BayeuxHouse
from mqctl.hub.bayeux_port import BayeuxPort
from mqctl.hub.bayeux_push import BayeuxSocket, EventStream
from mqctl.hub.config import BAYEUX_PATHS, HubConfig
from mqctl.hub.doorman import is_elsewhere, refused_origin
from mqctl.hub.exchange import Exchange
from mqctl.hub.forwarded import address_of, is_https
from mqctl.hub.metrics import BayeuxStats
from mqctl.hub.upgrade import answer, is_upgrade, take_over, upgrade
from mqctl.protocols.bayeux.house import Link
from mqctl.protocols.bayeux.message import MessageError, batch, decode, encode
from mqctl.protocols.bayeux.server import Answer
from mqctl.protocols.bayeux.session import State
from mqctl.protocols.bayeux.spec import COOKIE, EVENT_STREAM, MEDIA_TYPE, ConnectionType
from mqctl.protocols.websocket import CloseCode

_SUPERSEDED: Final = "a newer connect of this session came"
_WANTED: Final = "Bayeux wants a POST, a WebSocket, or an event stream of a session, whose id ends the path"
_HEADERS: Final = {hdrs.CACHE_CONTROL: "no-store", "X-Content-Type-Options": "nosniff"}
_PREFLIGHT: Final = {
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "POST, GET",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Content-Type, Authorization",
    hdrs.ACCESS_CONTROL_MAX_AGE: "3600",
}
_CALLBACK: Final = re.compile(r"(?=.{1,64}\Z)[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*", re.ASCII)


class BayeuxHttp:
    """Answers what comes to Bayeux's paths.

    Args:
        config: The hub's.
        exchange: Whose broker its sessions use.
    """

    def __init__(self, config: HubConfig, exchange: Exchange) -> None:
        self._config = config
        self._exchange = exchange
        self._house = BayeuxHouse(config, exchange)
        self._pushers: set[BayeuxSocket | EventStream] = set()

    def routes(self) -> list[web.RouteDef]:
        """Every path, and all below it: clients add to it what they are about to ask."""
        paths = [f"{path}{{below:(/.*)?}}" for path in BAYEUX_PATHS]
        methods = ((hdrs.METH_POST, self._post), (hdrs.METH_GET, self._get), (hdrs.METH_OPTIONS, self._preflight))
        return [web.route(method, path, handler) for path in paths for method, handler in methods]

    async def _preflight(self, request: web.Request) -> web.Response:
        """A browser asks whether a page of another origin may (Fetch, 3.2.2)."""
        if says := refused_origin(request.headers.get(hdrs.ORIGIN), request.host, self._config.allow_origins):
            return answer(403, says)
        return _shared(request, web.Response(status=204, headers=_PREFLIGHT))

    @property
    def connections(self) -> int:
        """Open ones that are no requests any more."""
        return len(self._pushers)

    def stats(self) -> BayeuxStats:
        """What there is of its sessions."""
        return self._house.stats()

    async def close(self, drain_s: float) -> int:
        """Answer every connect that waits, and end what pushes; what is on its way there has so long to leave.

        Returns how many messages waited for clients.
        """
        waiting = self._house.close()
        for pusher in list(self._pushers):
            pusher.end(CloseCode.GOING_AWAY, "the hub was stopped")
        if self._pushers:
            await asyncio.wait([pusher.closed for pusher in self._pushers], timeout=drain_s)
        for pusher in list(self._pushers):
            pusher.abort()
        await asyncio.sleep(0)  # for answers to be written, and connections to be gone
        return waiting

    async def _get(self, request: web.Request) -> web.Response:
        """A WebSocket, or a stream of events."""
        if is_upgrade(request):
            link = self._link_of(request, socket=True)
            make = partial(BayeuxSocket, self._config, self._exchange, self._house, link, self._pushers)
            return upgrade(request, make, allowed=self._config.allow_origins, spoken="Bayeux")
        if says := refused_origin(request.headers.get(hdrs.ORIGIN), request.host, self._config.allow_origins):
            return answer(403, says)
        if "jsonp" in request.query:
            return await self._script(request)
        if EVENT_STREAM not in request.headers.get(hdrs.ACCEPT, ""):
            return answer(400, _WANTED)
        session = self._house.server.sessions.get(request.match_info["below"].strip("/"))
        if session is None or session.owner is None or session.owner != request.cookies.get(COOKIE):
            return answer(404, "no such session")
        head = "".join(f"{name}: {value}\r\n" for name, value in _sharing(request).items())
        return take_over(request, partial(EventStream, self._config, self._exchange, session, head, self._pushers))

    async def _post(self, request: web.Request) -> web.Response:
        """Messages in, messages out."""
        says = refused_origin(request.headers.get(hdrs.ORIGIN), request.host, self._config.allow_origins)
        if says is not None:
            return answer(403, says)
        link = self._link_of(request)
        try:
            body = await self._read(request, link)
        except MessageError as error:
            return answer(413, str(error))
        except TimeoutError:
            return answer(408, "the rest of the request did not come in time")
        except web.RequestPayloadError:
            return answer(400, "the body is not what its headers say")
        return await self._converse(request, link, body, _as_json)

    async def _script(self, request: web.Request) -> web.Response:
        """The same for pages that may not ask: the request is in the address, and the answer a script."""
        callback, messages = request.query.get("jsonp", ""), request.query.get("message", "")
        if not self._config.callback_polling:
            return answer(403, "answers as scripts are off: start the hub with --callback-polling")
        if not _CALLBACK.fullmatch(callback):
            return answer(400, "jsonp is to be the name of a function")
        link = self._link_of(request)
        link.ordered = True
        return await self._converse(request, link, messages.encode(errors="replace"), partial(_as_script, callback))

    async def _converse(
        self, request: web.Request, link: Link, body: bytes, wrap: Callable[[bytes], web.Response]
    ) -> web.Response:
        """Do what a request asks; a connect that is alone may wait for messages."""
        cookie = link.owner
        try:
            found = self._house.receive(decode(body, self._config.bayeux_limits), link)
        except MessageError as error:
            return _shared(request, answer(400, str(error)))
        array = await self._array(found)
        if array is None:
            return _shared(request, answer(500, _SUPERSEDED))
        response = _shared(request, wrap(array))
        if found.handshaken and link.owner is not None and link.owner != cookie:
            self._set_cookie(request, response, link.owner)
        if found.connects and found.session is not None:
            await _write(request, response, found.session.port)
        return response

    def _set_cookie(self, request: web.Request, response: web.Response, owner: str) -> None:
        """A page of another site sends it only if it is for such, which browsers take by HTTPS alone."""
        secure = is_https(request, believed=self._config.behind_proxy)
        shared = secure and is_elsewhere(request.headers.get(hdrs.ORIGIN), request.host)
        same_site = "None" if shared else "Lax"
        response.set_cookie(COOKIE, owner, path="/", httponly=True, samesite=same_site, secure=secure)

    def _link_of(self, request: web.Request, *, socket: bool = False) -> Link:
        return Link(
            address=address_of(request, believed=self._config.behind_proxy),
            via=ConnectionType.WEBSOCKET if socket else ConnectionType.LONG_POLLING,
            owner=request.cookies.get(COOKIE),
            socket=socket,
            login=_login_of(request),
        )

    async def _read(self, request: web.Request, link: Link) -> bytes:
        known = self._house.server.knows(link.owner)
        limit = self._config.bayeux_limits.body_bytes if known else EARLY_BYTES
        body = request.content.read_nowait() if request.content.is_eof() else await self._gather(request, limit)
        if len(body) > limit:
            raise MessageError(f"more than {limit} bytes", limit="body_bytes")
        return body

    async def _gather(self, request: web.Request, limit: int) -> bytes:
        """What comes of a request, up to a piece beyond the limit."""
        body = bytearray()
        async with asyncio.timeout(self._config.stomp_limits.frame_timeout_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    break
        return bytes(body)

    async def _array(self, found: Answer) -> bytes | None:
        """The body of an answer, at once or when there is something to say; None where nobody waits for it any more."""
        session, replies = found.session, found.replies
        if session is None or found.handshaken or session.state is State.ENDED:
            return batch(map(encode, replies))
        port: BayeuxPort = session.port
        if not found.connects:
            return port.answer(replies)
        waiter = port.answer_connect(replies)
        try:
            return await waiter
        except asyncio.CancelledError:
            port.give_up(waiter)
            raise


async def _write(request: web.Request, response: web.Response, port: BayeuxPort) -> None:
    """Write the answer to a connect here, where its session hears how long that takes."""
    with port.writing(), suppress(ConnectionError):
        await response.prepare(request)
        await response.write_eof()


def _shared(request: web.Request, response: web.Response) -> web.Response:
    response.headers.update(_sharing(request))
    return response


def _sharing(request: web.Request) -> dict[str, str]:
    """What lets the page that asked read the answer: it was allowed to, by its own name and never by a star."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return {}
    return {
        hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
        hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS: "true",
        hdrs.VARY: hdrs.ORIGIN,
    }


def _as_json(array: bytes) -> web.Response:
    return web.Response(body=array, headers={**_HEADERS, hdrs.CONTENT_TYPE: MEDIA_TYPE})


def _as_script(callback: str, array: bytes) -> web.Response:
    """A call with the array. It begins with a comment, lest the name of the function make it a file of another kind.

    Two line separators are text in JSON and were none in scripts until 2019.
    """
    for sign in ("\u2028", "\u2029"):
        array = array.replace(sign.encode(), sign.encode("unicode-escape"))
    return web.Response(
        body=b"/**/%b(%b);" % (callback.encode(), array),
        headers={
            **_HEADERS,
            hdrs.CONTENT_TYPE: "text/javascript;charset=UTF-8",
            hdrs.CONTENT_DISPOSITION: "attachment; filename=f.txt",
        },
    )


def _login_of(request: web.Request) -> tuple[str | None, str | None] | None:
    authorization = request.headers.get(hdrs.AUTHORIZATION, "")
    kind, _, token = authorization.partition(" ")
    if kind.lower() == "bearer":
        return None, token.strip()
    if not authorization:
        return None
    try:
        return BasicAuth.decode(authorization, encoding="utf-8")[:2]
    except ValueError:
        return None, authorization
