"""Runs the server in this process until a signal ends it."""

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from persona.chat.converting import Converter
from persona.chat.engine import Engine
from persona.config import ServerSettings
from persona.errors import SettingsError
from persona.server.app import create_app
from persona.server.twin import Twin

TOKEN = "PERSONA_SERVE_TOKEN"
"""The environment variable that holds the API key."""

_GRACE_SECONDS = 10
_CONNECTIONS = 512


class _Server(uvicorn.Server):
    """uvicorn's, which ends well at a signal instead of raising it again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        ends = (signal.SIGINT, signal.SIGTERM)
        before = {end: signal.signal(end, self.handle_exit) for end in ends}
        try:
            yield
        finally:
            for end, handler in before.items():
                signal.signal(end, handler)


def token_for(host: str) -> str:
    """The API key clients must send, "" for none. Raises SettingsError where `host` needs one."""
    token = os.environ.get(TOKEN, "").strip()
    if not token and not _is_loopback(host):
        raise SettingsError(
            f"{host} can be reached from other machines, and there is no token",
            f"set {TOKEN} to a long random text, or listen on 127.0.0.1",
        )
    return token


def listen(host: str, port: int) -> socket.socket:
    """A listening socket: who connects before the server runs waits for it.

    Raises SettingsError when the address cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_CONNECTIONS)
    except (OSError, UnicodeError, IndexError) as error:
        why = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"cannot listen on {host} port {port}: {why}", "choose another with --host or --port"
        ) from None
    return bound


def serve(
    engine: Engine,
    name: str,
    settings: ServerSettings,
    *,
    bound: socket.socket,
    token: str,
    converter: Converter | None = None,
    started: Callable[[uvicorn.Server], object] = lambda server: None,
) -> None:
    """Answer requests on `bound` until SIGINT or SIGTERM; running replies get ten seconds to end.

    The engine is closed at the end. started: hears of the server before it runs; its `should_exit` ends it.
    Raises what loading the model raised.
    """
    twin = Twin(engine, name, settings, converter)

    def stop() -> None:
        server.should_exit = True

    app = create_app(twin, token=token, body_bytes=settings.body_kb * 1024, failed=stop)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            ws="none",
        )
    )
    started(server)
    asyncio.run(server.serve(sockets=[bound]))
    if twin.failure is not None:
        raise twin.failure


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
