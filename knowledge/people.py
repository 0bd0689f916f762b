"""Who is who: which identities are the owner's, and who the owner may be."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knowledge.archive import NOTES_OWNER, Archive, identities
from knowledge.errors import ArchiveError
from knowledge.writing import touch

_MOST_CANDIDATES = 10


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
        changed = "id = ? OR key IN (SELECT identity FROM aliases WHERE folded IN (" + marks + "))"
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
