"""What the sample twin is made of, before it becomes export files."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

CORE = Path(__file__).resolve().parent / "core"
SAMPLE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class User:
    """A member of the workspace. since: the first day (ISO) on which chatter may use this person."""

    code: str
    id: str
    handle: str
    name: str
    address: str
    since: str = "2024-10-04"


USERS = (
    User("m", "U06MIRA01", "mira", "Mira Sol", "mira.sol@example.org"),
    User("j", "U06JONA02", "jonas", "Jonas Reiter", "jonas.reiter@example.org"),
    User("l", "U06LENA03", "lena", "Lena Brandauer", "lena.brandauer@example.org"),
    User("t", "U06TOMA04", "tomasz", "Tomasz Wilk", "tomasz.wilk@example.com"),
    User("n", "U06NOOR05", "noor", "Noor Haddad", "noor.haddad@example.org"),
    User("k", "U06KOFI06", "kofi", "Kofi Mensah", "kofi.mensah@example.net"),
    User("e", "U06EMIL07", "emil", "Emil Sol", "emil.sol@example.net"),
    User("i", "U06INES08", "ines", "Inês Carvalho", "ines.carvalho@example.com", "2024-11-21"),
    User("d", "U06DUAR09", "duarte", "Duarte Pinho", "duarte.pinho@example.com", "2025-10-13"),
)
BY_CODE = {user.code: user for user in USERS}
BY_HANDLE = {user.handle: user for user in USERS}
OWNER = USERS[0]


@dataclass(frozen=True, slots=True)
class Line:
    """One Slack message. key: how questions name it, empty for most."""

    author: str
    text: str
    key: str = ""
    edited: bool = False


@dataclass(slots=True)
class Talk:
    """Some lines said one after the other. place: `#channel` or `dm:handle`. thread: replies to the first."""

    place: str
    at: datetime
    thread: bool = False
    lines: list[Line] = field(default_factory=list)
