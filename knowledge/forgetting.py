"""Forgetting: what is to go is written down first, then it goes everywhere, and only then the note does.

A kill at any point is mended by doing it again to the end: the note lies in the archive, in the same
transaction that took the messages away. Knows nothing of chats or training sets; those who do read the note.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

from knowledge.archive import CALLED, Archive
from knowledge.errors import ArchiveError
from knowledge.tombstones import FORGOTTEN, Tombstones, lines
from knowledge.writing import touch

What = Literal["id", "person", "conversation", "source"]

_NOTE, _SCRUB = "forgetting", "scrub"
_LEAST_NAME = 3
_LEAST_WORD = 4
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What is to go. messages: their ids. names: what the person is called, case folded.

    lines: telling lines of theirs, by which a quotation is known. words: those that nobody else in the
    archive used, by which a generated reply is known to have it from them. mentions: ids of messages of
    others that name or quote them; with_mentions: whether these are among `messages`. places: ids of
    conversations of which nothing is left, and the name of a source that goes.
    """

    what: What
    value: str
    messages: tuple[str, ...]
    identities: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    with_mentions: bool = False
    places: tuple[str, ...] = ()

    def naming(self) -> re.Pattern[str]:
        """What finds a name of theirs as a whole word; nothing where they have none."""
        return _naming(self.names)


def planned(archive: Archive, what: What, value: str, *, mentions: bool) -> Forgetting:
    """What forgetting `value` takes; nothing is changed. Raises ArchiveError when there is no such thing."""
    found, people = _CHOSEN[what](archive, value)
    names, chosen = _names(archive, people), set(found)
    naming = _naming(names)
    said = archive.rows("SELECT m.key, m.id, m.text, m.conversation FROM messages m")
    told = {line for key, _, text, _ in said if key in chosen for line in lines(text)}
    places = archive.rows("SELECT key, id, name FROM conversations")
    named = {key for key, id, name in places if naming.search(f"{name} {id}")}
    about = [
        (key, id)
        for key, id, text, place in said
        if key not in chosen and people and (place in named or naming.search(text) or lines(text) & told)
    ]
    if mentions:
        chosen.update(key for key, _ in about)
    gone = [text for key, _, text, _ in said if key in chosen]
    words = {word for text in gone for word in words_of(text)}
    for key, _, text, _ in said:
        if key not in chosen:
            words.difference_update(words_of(text))
    left = {place for key, _, _, place in said if key not in chosen}
    return Forgetting(
        what,
        value,
        tuple(id for key, id, _, _ in said if key in chosen),
        tuple(id for _, id in people),
        tuple(names),
        tuple(sorted({line for text in gone for line in lines(text)})),
        tuple(sorted(words)),
        tuple(id for _, id in about),
        mentions,
        (*(id for key, id, _ in places if key not in left), *([value] if what == "source" else ())),
    )


def begin(archive: Archive, plan: Forgetting) -> int:
    """Take the messages out of the archive, keep them from coming back, and note what else has to go.

    Returns how many facts went with the messages that proved them.
    """
    archive.rows("PRAGMA secure_delete = ON")
    with archive.writing() as db:
        db.execute("CREATE TEMP TABLE IF NOT EXISTS going (id TEXT PRIMARY KEY)")
        db.execute("DELETE FROM going")
        db.executemany("INSERT OR IGNORE INTO going VALUES (?)", [(id,) for id in plan.messages])
        _leave_tombstones(db, plan)
        facts = _facts(db)
        _take_out(db, plan)
        db.execute("DELETE FROM going")
        note = json.dumps(asdict(plan), ensure_ascii=False)
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_NOTE, note))
        touch(db)
        return facts - _facts(db)


def unfinished(archive: Archive) -> Forgetting | None:
    """What was begun and not brought to its end; an empty plan where all is gone but bytes in the file."""
    note = archive.meta(_NOTE)
    if note is None:
        return None if archive.meta(_SCRUB) is None else Forgetting("id", "", ())
    data: dict[str, Any] = json.loads(note)
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return Forgetting(**fields)


def finish(archive: Archive) -> None:
    """Strike the note and make the file anew, so that no byte of what was deleted stays in it.

    Raises ArchiveError while another program reads the archive.
    """
    with archive.writing() as db:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, '')", (_SCRUB,))
        db.execute("DELETE FROM meta WHERE name = ?", (_NOTE,))
        # the index keeps deleted words until its pieces are merged; made anew it has none
        db.execute("INSERT INTO words (words) VALUES ('rebuild')")
    archive.scrub()
    with archive.writing() as db:
        db.execute("DELETE FROM meta WHERE name = ?", (_SCRUB,))


def _leave_tombstones(db: sqlite3.Connection, plan: Forgetting) -> None:
    stones = Tombstones(db)
    stones.add("line", [*plan.lines, *(name for _, name in _opened(db))])
    if plan.what == "person":
        stones.add("person", {*plan.identities, plan.value, *(n for n in plan.names if "@" in n or " " in n)})
        stones.add("message", plan.mentions if plan.with_mentions else ())
    elif plan.what == "conversation":
        rows = db.execute(
            "SELECT DISTINCT c.id FROM messages m JOIN conversations c ON c.key = m.conversation "
            "WHERE m.id IN (SELECT id FROM going)"
        )
        stones.add("conversation", [id for (id,) in rows.fetchall()])
    elif plan.what == "source":
        stones.add("source", [plan.value])
    else:
        stones.add("message", plan.messages)


def _take_out(db: sqlite3.Connection, plan: Forgetting) -> None:
    gone = "id IN (SELECT id FROM going)"
    # external content: the index must be told the old words before they are gone
    db.execute(f"INSERT INTO words (words, rowid, text) SELECT 'delete', key, text FROM speech WHERE {gone}")
    quoting = [
        (key,)
        for key, raw in db.execute(f"SELECT key, raw FROM messages WHERE raw IS NOT NULL AND NOT {gone}")
        if lines(raw) & set(plan.lines) or (plan.names and plan.naming().search(raw))
    ]
    db.executemany("UPDATE messages SET raw = NULL WHERE key = ?", quoting)
    unnamed = [(FORGOTTEN, key) for key, _ in _opened(db)]
    db.executemany("UPDATE conversations SET name = ? WHERE key = ?", unnamed)
    db.execute("UPDATE messages SET reply_to = NULL WHERE reply_to IN (SELECT id FROM going)")
    db.execute(
        "UPDATE messages SET thread = (SELECT id FROM messages o WHERE o.thread = messages.thread "
        f"AND NOT o.{gone} ORDER BY o.sent_at, o.key LIMIT 1) "
        f"WHERE thread IN (SELECT id FROM going) AND NOT {gone}"
    )
    db.execute(f"DELETE FROM messages WHERE {gone}")
    db.executemany("DELETE FROM identities WHERE id = ?", [(id,) for id in plan.identities])
    db.execute("DELETE FROM conversations WHERE key NOT IN (SELECT conversation FROM messages)")
    if plan.what in ("source", "conversation"):
        db.execute(
            "DELETE FROM identities WHERE NOT is_self AND key NOT IN (SELECT author FROM messages) "
            "AND COALESCE(person, key) NOT IN "
            "(SELECT COALESCE(i.person, i.key) FROM messages m JOIN identities i ON i.key = m.author)"
        )
    _unname(db, plan)


def _facts(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT COUNT(*) FROM facts").fetchone()[0])


def _opened(db: sqlite3.Connection) -> list[tuple[int, str]]:
    """Conversations that are one thread, as of mail: the subject is the words of who began it."""
    return db.execute(
        "SELECT key, name FROM conversations WHERE key IN (SELECT conversation FROM messages "
        "GROUP BY conversation HAVING COUNT(DISTINCT COALESCE(thread, '')) = 1 "
        "AND MIN(thread) IN (SELECT id FROM going))"
    ).fetchall()


def _unname(db: sqlite3.Connection, plan: Forgetting) -> None:
    """Names of places and of exports that name them, and what the import log says of both."""
    if plan.what == "source":
        db.execute("DELETE FROM imports WHERE source = ?", (plan.value,))
    if not plan.names:
        return
    naming = plan.naming()
    if plan.with_mentions:
        # a correction may name them where no message does
        told = db.execute("SELECT key, subject || ' ' || dated FROM facts").fetchall()
        db.executemany(
            "DELETE FROM facts WHERE key = ?", [(key,) for key, said in told if naming.search(said)]
        )
    places = db.execute("SELECT key, name FROM conversations").fetchall()
    named = [(FORGOTTEN, key) for key, name in places if naming.search(name)]
    db.executemany("UPDATE conversations SET name = ? WHERE key = ?", named)
    exports = db.execute("SELECT key, path FROM imports").fetchall()
    db.executemany("DELETE FROM imports WHERE key = ?", [(k,) for k, path in exports if naming.search(path)])
    problems = db.execute("SELECT rowid, place || ' ' || reason FROM problems").fetchall()
    db.executemany(
        "DELETE FROM problems WHERE rowid = ?", [(k,) for k, said in problems if naming.search(said)]
    )


Chosen = tuple[Sequence[int], Sequence[tuple[int, str]]]
"""Keys of messages, and keys with ids of the identities that go with them."""


def _by_id(archive: Archive, value: str) -> Chosen:
    """One message, or those that prove a fact of that id."""
    found = [
        key
        for (key,) in archive.rows(
            "SELECT key FROM messages WHERE id = ?1 UNION"
            " SELECT p.message FROM proofs p JOIN facts f ON f.key = p.fact WHERE f.id = ?1",
            (value,),
        )
    ]
    return _some(found, f"there is no message `{value}`", "`persona messages --json` shows the ids"), ()


def _by_person(archive: Archive, value: str) -> Chosen:
    people = archive.rows(
        f"SELECT key, id, is_self FROM identities WHERE COALESCE(person, key) IN ({CALLED.format('= ?')})",
        (value.strip().casefold(),),
    )
    _some(people, f"nobody in the archive is called {value}", "`persona people list` shows everyone")
    if any(is_self for _, _, is_self in people):
        raise ArchiveError(
            f"{value} is you: a twin of nobody would be left",
            "forget a conversation or a source, or remove the folders that `persona locate` names",
        )
    marks = ",".join("?" * len(people))
    keys = archive.rows(f"SELECT key FROM messages WHERE author IN ({marks})", [key for key, *_ in people])
    return [key for (key,) in keys], [(key, id) for key, id, _ in people]


def _by_conversation(archive: Archive, value: str) -> Chosen:
    found = archive.rows(
        "SELECT m.key FROM messages m JOIN conversations c ON c.key = m.conversation "
        "WHERE c.id = ?1 OR (c.name = ?1 AND NOT EXISTS (SELECT 1 FROM conversations WHERE id = ?1))",
        (value,),
    )
    keys = [key for (key,) in found]
    return _some(keys, f"there is no conversation `{value}`", "`persona messages --json` shows the ids"), ()


def _by_source(archive: Archive, value: str) -> Chosen:
    found = archive.rows(
        "SELECT m.key FROM messages m JOIN conversations c ON c.key = m.conversation WHERE c.source = ?",
        (value,),
    )
    keys = [key for (key,) in found]
    return _some(keys, f"nothing came from {value}", "`persona memory stats` names the sources"), ()


_CHOSEN = {"id": _by_id, "person": _by_person, "conversation": _by_conversation, "source": _by_source}


T = TypeVar("T")


def _some(found: Sequence[T], missing: str, hint: str) -> Sequence[T]:
    if not found:
        raise ArchiveError(missing, hint)
    return found


def _names(archive: Archive, people: Sequence[tuple[int, str]]) -> list[str]:
    """What these are called, and the first name of a full one where nobody else has it."""
    if not people:
        return []
    keys = {key for key, _ in people}
    aliases = archive.rows("SELECT identity, folded FROM aliases")
    names = {folded for key, folded in aliases if key in keys and len(folded) >= _LEAST_NAME}
    others = {word for key, folded in aliases if key not in keys for word in _WORD.findall(folded)}
    firsts = {name.split()[0] for name in names if " " in name}
    return sorted(names | {n for n in firsts if n not in others and len(n) >= _LEAST_NAME})


def _naming(names: Iterable[str]) -> re.Pattern[str]:
    wanted = sorted(names, key=len, reverse=True)
    if not wanted:
        return re.compile(r"(?!)")
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, wanted))})(?!\w)", re.IGNORECASE)


def words_of(text: str) -> set[str]:
    """The words by which what a reply has from somebody is known, case folded."""
    return {word.casefold() for word in _WORD.findall(text) if len(word) >= _LEAST_WORD}
