"""Who is who: which accounts are one person, which are the owner's, and who the owner may be.

Accounts that carry the same mail address are one person. Everything else the user says: two people may
well share a name.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from knowledge.archive import CALLED, NOTES_OWNER, Archive, identities, moment
from knowledge.errors import ArchiveError
from knowledge.importers.mail_kind import is_machine
from knowledge.records import Identity
from knowledge.writing import touch

_MOST_CANDIDATES = 10
_ADDRESS = re.compile(r"[^\s@:<>]+@[^\s@:<>]+\.[^\s@:<>]+")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose archive it is. name: the fullest name seen. identity_ids: their accounts, all sources."""

    name: str
    identity_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be the owner. messages: how many they wrote. sources: where."""

    name: str
    identity_ids: tuple[str, ...]
    messages: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """All accounts of one person. messages: how many they wrote; first, last: when, None for none."""

    name: str
    is_self: bool
    identity_ids: tuple[str, ...]
    aliases: tuple[str, ...]
    messages: int
    first: datetime | None
    last: datetime | None


def owner(archive: Archive) -> Owner | None:
    """The owner, None while nobody of those who write is known to be them."""
    own = archive.rows("SELECT id FROM identities WHERE is_self ORDER BY key")
    ids = tuple(id for (id,) in own)
    if not ids or (ids == (NOTES_OWNER,) and _others_speak(archive)):
        return None
    return Owner(archive.meta("owner_name") or "me", ids)


def _others_speak(archive: Archive) -> bool:
    """Whether anybody but the owner said something; bots and models do not count."""
    sql = "SELECT 1 FROM speech m JOIN identities i ON i.key = m.author WHERE NOT i.is_self LIMIT 1"
    return bool(archive.rows(sql))


def settle(archive: Archive, names: Iterable[str], *, replace: bool = False) -> list[str]:
    """Make everyone whom a name matches the owner, now and in later imports.

    names: whole real names, display names, handles, addresses or ids, in any case; replace: instead
    of the names settled before, not besides. Returns the names that matched nobody; when none
    matched, nothing changes but that the names settled before are applied to new identities.
    """
    asked = [name.strip() for name in names if name.strip()]
    unmatched = [n for n in asked if not _matches(archive, n)]
    matched = [n for n in asked if n not in unmatched]
    with archive.writing() as db:
        if matched:
            known = [] if replace else _settled(archive)
            settled = list(dict.fromkeys([*known, *(n.casefold() for n in matched)]))
            archive.set_meta("owner", "\n".join(settled))
        settled = _settled(archive)
        marks = ",".join("?" * len(settled))
        changed = f"id = ? OR COALESCE(person, key) IN ({CALLED.format(f'IN ({marks})')})"
        db.execute(f"UPDATE identities SET is_self = ({changed})", (NOTES_OWNER, *settled))
        if name := _full_name(archive):
            archive.set_meta("owner_name", name)
        touch(db)
    return unmatched


def set_owner(archive: Archive, names: Sequence[str]) -> Owner:
    """Settle who the owner is, instead of whoever it was.

    Raises ArchiveError when no name matches anybody.
    """
    unmatched = settle(archive, names, replace=True)
    found = owner(archive)
    if found is None or len(unmatched) == len(names):
        likely = ", ".join(c.name for c in candidates(archive)[:5]) or "nobody"
        asked = " or ".join(names) or "nobody"
        raise ArchiveError(
            f"nobody in the archive is called {asked}",
            f"give a whole name, handle, address or id; likeliest: {likely}",
        )
    return found


def candidates(archive: Archive) -> list[Candidate]:
    """Who the owner may be, likeliest first: in most sources, then with most messages."""
    rows = archive.rows(
        "SELECT i.id, i.name, i.source, COUNT(*) FROM speech m JOIN identities i ON i.key = m.author "
        "WHERE i.id <> ? GROUP BY i.key",
        (NOTES_OWNER,),
    )
    by_name: dict[str, list[tuple[str, str, str, int]]] = {}
    full = {
        identity.id: _best_name([identity.name, *identity.aliases]) for _, identity in identities(archive)
    }
    for id, name, source, count in rows:
        by_name.setdefault((full[id] or name).casefold(), []).append((id, full[id] or name, source, count))
    found = [
        Candidate(
            name=max(accounts, key=lambda a: a[3])[1],
            identity_ids=tuple(a[0] for a in accounts),
            messages=sum(a[3] for a in accounts),
            sources=tuple(sorted({a[2] for a in accounts})),
        )
        for accounts in by_name.values()
    ]
    found.sort(key=lambda c: (-len(c.sources), -c.messages, c.name))
    return found[:_MOST_CANDIDATES]


def listed(archive: Archive) -> list[Person]:
    """Everyone with any account, by how much they wrote."""
    said = {
        key: (count, first, last)
        for key, count, first, last in archive.rows(
            "SELECT author, COUNT(*), MIN(sent_at), MAX(sent_at) FROM speech GROUP BY author"
        )
    }
    keys = dict(archive.rows("SELECT key, COALESCE(person, key) FROM identities"))
    own = {key for (key,) in archive.rows("SELECT key FROM identities WHERE is_self")}
    accounts: dict[int, list[tuple[int, Identity]]] = {}
    for key, identity in identities(archive):
        accounts.setdefault(keys[key], []).append((key, identity))
    found = []
    for members in accounts.values():
        names = [name for _, identity in members for name in (identity.name, *identity.aliases)]
        counted = [said[key] for key, _ in members if key in said]
        found.append(
            Person(
                name=_best_name(names) or members[0][1].name,
                is_self=any(key in own for key, _ in members),
                identity_ids=tuple(identity.id for _, identity in members),
                aliases=tuple(dict.fromkeys(names)),
                messages=sum(count for count, _, _ in counted),
                first=min((moment(first) for _, first, _ in counted), default=None),
                last=max((moment(last) for _, _, last in counted), default=None),
            )
        )
    return sorted(found, key=lambda p: (-p.messages, p.name, p.identity_ids))


def merge(archive: Archive, names: Sequence[str]) -> Person:
    """Make everyone whom any of these names means one person, now and for good.

    names: whole names, handles, addresses or ids. Raises ArchiveError when a name matches nobody, or
    all of them together mean one account only.
    """
    folded = [name.strip().casefold() for name in names]
    for name in names:
        if not _matches(archive, name.strip()):
            raise ArchiveError(
                f"nobody in the archive is called {name}", "`persona people list` shows everyone"
            )
    marks = ",".join("?" * len(folded))
    with archive.writing() as db:
        keys = [key for (key,) in db.execute(CALLED.format(f"IN ({marks})"), folded)]
        _join(db, keys)
        touch(db)
    settle(archive, ())
    [found] = [p for p in listed(archive) if set(folded) & {alias.casefold() for alias in p.aliases}]
    if len(found.identity_ids) == 1:
        raise ArchiveError(
            f"{' and '.join(names)} is one account already: {found.identity_ids[0]}",
            "name another account of the same person; `persona people list` shows everyone",
        )
    return found


def unite(archive: Archive) -> None:
    """Make accounts with the same mail address one person; addresses that machines send from are nobody's.

    A name that reads like an address proves nothing: in a chat everybody calls themselves what they like.
    """
    groups: dict[str, list[int]] = {}
    for address, id, name, person in archive.rows(
        "SELECT a.folded, i.id, i.name, COALESCE(i.person, i.key) "
        "FROM aliases a JOIN identities i ON i.key = a.identity WHERE a.folded LIKE '%_@_%._%'"
    ):
        stated = id == f"email:{address}" or name.casefold() != address
        if stated and _ADDRESS.fullmatch(address) and not is_machine(address):
            groups.setdefault(address, []).append(person)
    shared = [keys for keys in groups.values() if len(set(keys)) > 1]
    if shared:
        with archive.writing() as db:
            for keys in shared:
                _join(db, keys)
            touch(db)


def _join(db: sqlite3.Connection, persons: Sequence[int]) -> None:
    """Make these persons one: the lowest key among all of their accounts stands for it."""
    marks = ",".join("?" * len(persons))
    among = f"key IN ({marks}) OR person IN ({marks})"
    current = f"SELECT COALESCE(person, key) FROM identities WHERE {among}"
    among = f"COALESCE(person, key) IN ({current})"
    values = (*persons, *persons)
    ((lowest,),) = db.execute(f"SELECT MIN(key) FROM identities WHERE {among}", values)
    db.execute(f"UPDATE identities SET person = ? WHERE {among}", (lowest, *values))


def _matches(archive: Archive, name: str) -> bool:
    return bool(archive.rows("SELECT 1 FROM aliases WHERE folded = ? LIMIT 1", (name.casefold(),)))


def _settled(archive: Archive) -> list[str]:
    return (archive.meta("owner") or "").splitlines()


def _full_name(archive: Archive) -> str | None:
    """The owner's name as most of their accounts give it, a full one before a handle."""
    own = {id for (id,) in archive.rows("SELECT id FROM identities WHERE is_self")}
    names: list[str] = []
    for _, identity in identities(archive):
        if identity.id in own and identity.id != NOTES_OWNER:
            names += [identity.name, *identity.aliases]
    return _best_name(names) or next(iter(names), None)


def _best_name(names: Sequence[str]) -> str | None:
    """The commonest of those that look like a full name: words with a blank between, no address."""
    full = [n for n in names if " " in n.strip() and "@" not in n and ":" not in n]
    counted = Counter(full)
    return max(counted, key=lambda n: (counted[n], n)) if counted else None
