"""The archive's tables, as numbered migrations: append only, never edit one that was released."""

import sqlite3

from knowledge.errors import ArchiveError

MIGRATIONS: tuple[str, ...] = (
    # 1: messages verbatim, who wrote them, and a word index.
    # Times are microseconds since 1970 in UTC, so that they sort and compare as numbers, with the
    # sender's offset in minutes beside them, so that "on 3 May" can be told as it was for them.
    # Keys are AUTOINCREMENT because the vector index refers to them: one must never be given twice.
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES ('archive', lower(hex(randomblob(16))));

    CREATE TABLE identities (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        name TEXT NOT NULL,
        is_self INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE aliases (
        identity INTEGER NOT NULL REFERENCES identities (key) ON DELETE CASCADE,
        folded TEXT NOT NULL,
        alias TEXT NOT NULL,
        PRIMARY KEY (identity, folded)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX aliases_by_name ON aliases (folded);

    CREATE TABLE conversations (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        name TEXT NOT NULL
    ) STRICT;

    CREATE TABLE messages (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        conversation INTEGER NOT NULL REFERENCES conversations (key),
        author INTEGER NOT NULL REFERENCES identities (key),
        kind TEXT NOT NULL,
        sent_at INTEGER NOT NULL,
        sent_offset INTEGER NOT NULL,
        text TEXT NOT NULL,
        thread TEXT,
        reply_to TEXT,
        raw TEXT,
        edited_at INTEGER,
        flags TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX messages_in_time ON messages (conversation, sent_at);
    CREATE INDEX messages_by_thread ON messages (thread, sent_at) WHERE thread IS NOT NULL;

    -- Only what a person wrote is ever retrieved, so only that is indexed. External content: the
    -- text is stored once.
    CREATE VIEW speech AS SELECT * FROM messages WHERE kind = 'speech' AND text <> '';
    CREATE VIRTUAL TABLE words USING fts5 (
        text, content = 'speech', content_rowid = 'key',
        tokenize = "porter unicode61 remove_diacritics 2"
    );

    -- Messages whose vectors are not in the index yet. A message that changes takes a new ticket,
    -- so that work on its older text cannot strike it off.
    CREATE TABLE waiting (
        message INTEGER PRIMARY KEY REFERENCES messages (key) ON DELETE CASCADE,
        ticket INTEGER NOT NULL DEFAULT (random())
    ) STRICT;
    """,
    # 2: which accounts are one person, what the last import left out, what was deleted at the source.
    # person: the lowest key among the accounts of the same person, null for an account by itself.
    # exported_at: of the newest export that held the message. A span is what such an export says of a
    # conversation: all there was between these two times.
    """
    ALTER TABLE identities ADD COLUMN person INTEGER REFERENCES identities (key) ON DELETE SET NULL;

    ALTER TABLE messages ADD COLUMN exported_at INTEGER;
    CREATE TABLE spans (
        conversation INTEGER NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
        exported_at INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (conversation, exported_at)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE imports (
        key INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        path TEXT NOT NULL,
        source TEXT NOT NULL,
        counts TEXT NOT NULL
    ) STRICT;
    CREATE TABLE problems (
        import INTEGER NOT NULL REFERENCES imports (key) ON DELETE CASCADE,
        place TEXT NOT NULL,
        reason TEXT NOT NULL
    ) STRICT;
    CREATE INDEX problems_by_import ON problems (import);
    """,
    # 3: whom and what an import must not bring back, as keyed hashes.
    """
    CREATE TABLE tombstones (hash BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
    """,
    # 4: facts stated in messages, and who has read which message for them (`rules`, or a model's name).
    # Which of two facts is in force is worked out when they are read: nothing is overwritten, and taking one
    # away brings back the one before. A fact goes with any message that proves it, and when its text changes.
    # teller: whose account stated it of themselves, null where somebody else did; subject: whom it is about.
    """
    CREATE TABLE facts (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        teller INTEGER REFERENCES identities (key) ON DELETE CASCADE,
        subject TEXT NOT NULL,
        attribute TEXT,
        text TEXT NOT NULL,
        dated TEXT NOT NULL,
        since INTEGER,
        until INTEGER,
        confidence REAL NOT NULL,
        origin TEXT NOT NULL,
        model TEXT NOT NULL DEFAULT '',
        corrects TEXT,
        pinned INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE proofs (
        message INTEGER NOT NULL REFERENCES messages (key) ON DELETE CASCADE,
        fact INTEGER NOT NULL REFERENCES facts (key) ON DELETE CASCADE,
        PRIMARY KEY (message, fact)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX proofs_of_fact ON proofs (fact);
    CREATE TABLE readings (
        message INTEGER NOT NULL REFERENCES messages (key) ON DELETE CASCADE,
        reader TEXT NOT NULL,
        PRIMARY KEY (message, reader)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER proof_gone AFTER DELETE ON proofs BEGIN
        DELETE FROM facts WHERE key = old.fact;
    END;
    CREATE TRIGGER proof_changed AFTER UPDATE OF text ON messages WHEN old.text <> new.text BEGIN
        DELETE FROM proofs WHERE message = new.key;
        DELETE FROM readings WHERE message = new.key;
    END;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an archive to the newest version, each step whole or not at all.

    Raises ArchiveError when it was written by a newer program.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise ArchiveError(
            f"the archive has version {version}, this program knows {len(MIGRATIONS)}",
            "update the program, or use another folder",
        )
    for number in range(version, len(MIGRATIONS)):
        # another process may have done this step since; inside the lock the version is certain
        connection.execute("BEGIN IMMEDIATE")
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] == number:
                for statement in _statements(MIGRATIONS[number]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _statements(script: str) -> list[str]:
    """The statements of a script; `executescript` would commit between them."""
    found, statement = [], ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement) and statement.strip(" \n;"):
            found.append(statement)
            statement = ""
    return found
