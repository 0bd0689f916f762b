"""What every request passes before a route sees it: host, token, size, time; and its line in the log."""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from persona.server.wire import error_row

_log = logging.getLogger(__name__)

BODY_SECONDS = 30.0
"""Longest time a client may take to send its request."""

_OPEN = frozenset({"/health"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DRAINED = 16
"""A body too large is read on up to so many times the limit, or the answer would be lost."""


class Guard:
    """Middleware. token: what a client must send as its API key, "" for none: then only requests that
    name this machine itself are taken, or any web page could speak to it under a name of its own.

    answered: hears of each request's route (None where there is no such) and status.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        body_bytes: int,
        hosts: Sequence[str] = (),
        answered: Callable[[str | None, int], object] = lambda route, status: None,
    ) -> None:
        self._app = app
        self._answered = answered
        self._token = token.encode()
        self._most = body_bytes
        self._hosts = _LOOPBACK | set(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._admit(scope, receive, watched)
        finally:
            # the route's own path: one that no route has may hold anything
            route = getattr(scope.get("route"), "path", None)
            took = (time.perf_counter() - started) * 1000
            _log.info("%s %s: %d after %.0f ms", scope["method"], route or "an unknown path", status, took)
            self._answered(route, status)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if not self._token and _host(headers) not in self._hosts:
            await _refuse(403, "this server answers to its own address only")(scope, receive, send)
            return
        if self._token and scope["path"] not in _OPEN and not self._knows(headers):
            await _refuse(401, "the API key is missing or wrong")(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._read(receive), BODY_SECONDS)
        except TimeoutError:
            await _refuse(408, "the request took too long to arrive")(scope, receive, send)
            return
        if body is None:
            limit = f"the request is larger than {self._most:,} bytes"
            await _refuse(413, limit, "`server.body_kb` sets it")(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    def _knows(self, headers: Headers) -> bool:
        kind, _, key = headers.get("authorization", "").partition(" ")
        # compared in any case, in a time that does not tell how much was right
        return hmac.compare_digest(key.strip().encode(), self._token) and kind.lower() == "bearer"

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None when it is too large."""
        parts: list[bytes] = []
        size = 0
        while size <= _DRAINED * self._most:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            if size <= self._most:
                parts.append(part)
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                break
        return b"".join(parts) if size <= self._most else None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives `body`, then what the connection says."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _host(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _refuse(status: int, message: str, hint: str = "") -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {"Connection": "close"}
    return JSONResponse(error_row(status, message, hint), status, headers)
