"""Bayeux on the HTTP port: requests that may wait, answers as scripts, and the doors to sockets and event streams."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import BasicAuth, hdrs, web

from mqctl.hub.bayeux_house import BayeuxHouse
from mqctl.hub.bayeux_port import BayeuxPort
from mqctl.hub.config import HubConfig
from mqctl.hub.doorman import refused_origin
from mqctl.protocols.bayeux.message import MessageError, batch, decode, encode
from mqctl.protocols.bayeux.server import Answer, Link
from mqctl.protocols.bayeux.session import State
from mqctl.protocols.bayeux.spec import COOKIE, MEDIA_TYPE

EARLY_BYTES: Final = 64 * 1024
"""Of a request by somebody who has no session yet."""
_SUPERSEDED: Final = "a newer connect of this session came"
_HEADERS: Final = {
    hdrs.CONTENT_TYPE: MEDIA_TYPE,
    hdrs.CACHE_CONTROL: "no-store",
    "X-Content-Type-Options": "nosniff",
}


class BayeuxHttp:
    """Answers what comes to Bayeux's paths.

    Args:
        config: The hub's.
        house: Its sessions.
    """

    def __init__(self, config: HubConfig, house: BayeuxHouse) -> None:
        self._config = config
        self._house = house

    async def post(self, request: web.Request) -> web.Response:
        """Messages in, messages out; a connect that is alone may wait for them."""
        says = refused_origin(request.headers.get(hdrs.ORIGIN), request.host, self._config.allow_origins)
        if says is not None:
            return _refusal(403, says)
        link = _link_of(request)
        cookie = link.owner
        try:
            body = await self._read(request, link)
            answer = self._house.receive(decode(body, self._config.bayeux_limits), link)
        except MessageError as error:
            return _refusal(413 if error.limit == "body_bytes" else 400, str(error))
        array = await self._answer(answer)
        if array is None:
            return _refusal(500, _SUPERSEDED)
        response = web.Response(body=array, headers=_HEADERS)
        if answer.handshaken and link.owner is not None and link.owner != cookie:
            response.set_cookie(COOKIE, link.owner, path="/", httponly=True, samesite="Lax")
        return response

    async def _read(self, request: web.Request, link: Link) -> bytes:
        known = self._house.server.knows(link.owner)
        limit = self._config.bayeux_limits.body_bytes if known else EARLY_BYTES
        body = bytearray()
        async with asyncio.timeout(self._config.stomp_limits.frame_timeout_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise MessageError(f"more than {limit} bytes", limit="body_bytes")
        return bytes(body)

    async def _answer(self, answer: Answer) -> bytes | None:
        """The body of an answer, at once or when there is something to say; None where nobody waits for it any more."""
        session, replies = answer.session, answer.replies
        if session is None or answer.handshaken or session.state is State.ENDED:
            return batch(map(encode, replies))
        port: BayeuxPort = session.port
        if not answer.connects:
            return port.answer(replies)
        waiter = port.answer_connect(replies)
        try:
            return await waiter
        except asyncio.CancelledError:
            port.give_up(waiter)
            raise


def _link_of(request: web.Request) -> Link:
    login = None
    authorization = request.headers.get(hdrs.AUTHORIZATION, "")
    kind, _, token = authorization.partition(" ")
    if kind.lower() == "bearer":
        login = None, token.strip()
    elif authorization:
        try:
            login = BasicAuth.decode(authorization, encoding="utf-8")[:2]
        except ValueError:
            login = None, authorization
    return Link(address=request.remote or "?", owner=request.cookies.get(COOKIE), login=login)


def _refusal(status: int, says: str) -> web.Response:
    return web.Response(status=status, text=f"{says}\n")
