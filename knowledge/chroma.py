"""Where vectors lie: in files of this program's own, or in a Chroma server on this machine (`chroma run`).

A server may hold many twins: each has a tenant of its own, named by its archive. It is given ids, vectors
and filter fields, never text; but vectors tell something of the words they were made from, so the server must
be on this machine (another one's port can be forwarded).
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from knowledge.errors import ArchiveError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORT = 8000
_DATABASE = "persona"


def open_files(folder: Path) -> Any:
    """A client of the files in `folder`. Raises ArchiveError when they cannot be opened."""
    chromadb, settings = _chroma()
    try:
        return chromadb.PersistentClient(str(folder), settings)
    except Exception as error:
        raise ArchiveError(
            f"the index {folder} cannot be opened: {type(error).__name__}",
            "remove that folder and run `persona memory rebuild`; no message is lost",
        ) from error


def open_server(address: str, tenant: str) -> Any:
    """A client of one tenant, made when new, of the server at `address` (`http://127.0.0.1:8000`).

    Raises ArchiveError when the address is another machine's, or nothing answers there.
    """
    parts = urlsplit(address if "//" in address else f"//{address}")
    if parts.hostname not in _LOOPBACK:
        raise ArchiveError(
            f"{parts.hostname} is another machine, and vectors tell of your messages",
            "forward its port to this one: ssh -L 8000:127.0.0.1:8000 HOST",
        )
    chromadb, settings = _chroma()
    settings.chroma_api_impl = "chromadb.api.fastapi.FastAPI"
    settings.chroma_server_host = parts.hostname
    settings.chroma_server_http_port = port = parts.port or _PORT
    try:
        _make_tenant(chromadb.AdminClient(settings), tenant)
        return chromadb.HttpClient(
            parts.hostname, port, settings=_chroma()[1], tenant=tenant, database=_DATABASE
        )
    except Exception as error:
        raise ArchiveError(
            f"no Chroma server answers at {address} ({type(error).__name__})",
            "start it (`chroma run --path FOLDER`), or clear `memory.chroma_server`",
        ) from error


def _make_tenant(admin: Any, tenant: str) -> None:
    from chromadb.errors import NotFoundError

    try:
        admin.get_tenant(tenant)
    except NotFoundError:
        admin.create_tenant(tenant)
    try:
        admin.get_database(_DATABASE, tenant)
    except NotFoundError:
        admin.create_database(_DATABASE, tenant)


def _chroma() -> tuple[Any, Any]:
    os.environ["ANONYMIZED_TELEMETRY"] = "False"
    import chromadb
    from chromadb.config import Settings

    return chromadb, Settings(anonymized_telemetry=False)
