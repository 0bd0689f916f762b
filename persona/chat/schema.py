"""The session store's schema: numbered, append-only migrations.

A released migration is never edited; a change is a new one at the end. `PRAGMA user_version` holds
the number of those that ran.
"""

import sqlite3

from persona.errors import SessionError

MIGRATIONS: tuple[tuple[str, str], ...] = (
    (
        # One row a message rather than a question-answer pair: a reply can be missing (killed), be cut
        # short, or have several alternatives. `number` counts exchanges from 1, so that a summary can
        # cite "(turn 3)" and both rows of it are found. `active` is 0 for a reply that was regenerated.
        "sessions and their turns",
        """
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE turns (
            n INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            session TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
            text TEXT NOT NULL,
            thinking TEXT NOT NULL DEFAULT '',
            status TEXT NOT NULL CHECK (status IN ('complete', 'partial', 'failed')),
            created_at TEXT NOT NULL,
            correspondent TEXT,
            memories TEXT NOT NULL DEFAULT '[]',
            usage TEXT,
            thinking_on INTEGER NOT NULL DEFAULT 0,
            active INTEGER NOT NULL DEFAULT 1
        );
        CREATE INDEX turns_of_session ON turns(session, number, n);
        """,
    ),
    (
        # Summaries are append-only: a merged one names those it replaces instead of editing them, so
        # that what the model was shown at any time can still be seen. `turns` holds the ids of every
        # message folded in, because forgetting a message must find the summaries that quote it.
        "frozen summaries of folded turns",
        """
        CREATE TABLE summaries (
            n INTEGER PRIMARY KEY,
            session TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
            strategy TEXT NOT NULL,
            level INTEGER NOT NULL,
            first_turn INTEGER NOT NULL,
            last_turn INTEGER NOT NULL,
            text TEXT NOT NULL,
            turns TEXT NOT NULL,
            replaces TEXT NOT NULL DEFAULT '[]',
            created_at TEXT NOT NULL
        );
        CREATE INDEX summaries_of_session ON summaries(session, first_turn);
        """,
    ),
    (
        # Old chats that cannot be found are a common complaint. The index holds no copy of the text
        # (external content), and triggers keep it right whoever writes, cascaded deletes included.
        "full-text search over turns",
        """
        CREATE VIRTUAL TABLE turns_text USING fts5(
            text, content='turns', content_rowid='n', tokenize='unicode61 remove_diacritics 2'
        );
        CREATE TRIGGER turns_text_in AFTER INSERT ON turns BEGIN
            INSERT INTO turns_text(rowid, text) VALUES (new.n, new.text);
        END;
        CREATE TRIGGER turns_text_out AFTER DELETE ON turns BEGIN
            INSERT INTO turns_text(turns_text, rowid, text) VALUES ('delete', old.n, old.text);
        END;
        CREATE TRIGGER turns_text_over AFTER UPDATE OF text ON turns BEGIN
            INSERT INTO turns_text(turns_text, rowid, text) VALUES ('delete', old.n, old.text);
            INSERT INTO turns_text(rowid, text) VALUES (new.n, new.text);
        END;
        INSERT INTO turns_text(rowid, text) SELECT n, text FROM turns;
        """,
    ),
    (
        # A deleted chat is only hidden at first, so that it can be brought back. A draft may belong to
        # the chat that is not begun yet, which has no row and is named by the empty string.
        "chats on their way out, and messages that were not sent",
        """
        CREATE TABLE discarded (
            session TEXT PRIMARY KEY REFERENCES sessions(id) ON DELETE CASCADE,
            at TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE drafts (session TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
        CREATE TRIGGER drafts_out AFTER DELETE ON sessions BEGIN
            DELETE FROM drafts WHERE session = old.id;
        END;
        """,
    ),
    (
        # Who wrote a summary, honestly: a model's unusable lines are replaced by quoted ones, and that
        # must be seen. Facts lie beside the turns that prove them: a turn and what it proves go in one
        # transaction. Which of two facts is in force is not stored but worked out when they are read,
        # so that nothing is ever overwritten and taking one away brings back the one before.
        "who wrote a summary; facts told in chats",
        """
        ALTER TABLE summaries ADD COLUMN made_by TEXT NOT NULL DEFAULT 'extractive';
        ALTER TABLE summaries ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE summaries ADD COLUMN note TEXT NOT NULL DEFAULT '';
        CREATE TABLE facts (
            n INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            turn TEXT NOT NULL REFERENCES turns(id) ON DELETE CASCADE,
            subject TEXT,
            attribute TEXT,
            text TEXT NOT NULL,
            dated TEXT NOT NULL,
            confidence REAL NOT NULL,
            origin TEXT NOT NULL
        );
        CREATE INDEX facts_of_turn ON facts(turn);
        """,
    ),
    (
        # A blind choice between two replies to one message. It names them and copies nothing, so that
        # what is deleted or forgotten takes its choices along. "left" and "right" are where the replies
        # stood: a leaning to one side would look like a preference otherwise.
        "choices between two replies",
        """
        CREATE TABLE choices (
            n INTEGER PRIMARY KEY,
            left_turn TEXT NOT NULL REFERENCES turns(id) ON DELETE CASCADE,
            right_turn TEXT NOT NULL REFERENCES turns(id) ON DELETE CASCADE,
            left_arm TEXT NOT NULL,
            right_arm TEXT NOT NULL,
            picked TEXT NOT NULL CHECK (picked IN ('left', 'right', 'alike', 'neither')),
            at TEXT NOT NULL
        );
        CREATE INDEX choices_of_turns ON choices(left_turn, right_turn);
        """,
    ),
    (
        # A correction is a fact of its own beside the one it corrects, and has the same proof: what was
        # told stays to be seen, and forgetting the turn forgets both.
        "facts pinned and corrected",
        """
        ALTER TABLE facts ADD COLUMN corrects TEXT;
        ALTER TABLE facts ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
        """,
    ),
    (
        # What the owner kept of several drafts is a reply beside them; like a choice, a correction names
        # turns and copies nothing, so that it goes with them.
        "drafts corrected",
        """
        CREATE TABLE corrections (
            turn TEXT PRIMARY KEY REFERENCES turns(id) ON DELETE CASCADE,
            draft TEXT NOT NULL REFERENCES turns(id) ON DELETE CASCADE,
            at TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX corrections_of_draft ON corrections(draft);
        """,
    ),
    (
        # Ids of the archive, which lies in another file: forgetting a message takes them away, too.
        "memories left out of one chat",
        """
        CREATE TABLE left_out (
            session TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
            message TEXT NOT NULL,
            PRIMARY KEY (session, message)
        ) WITHOUT ROWID;
        """,
    ),
    (
        # A conversation's id in the archive, or a source's name; with the turn, as the correspondent is,
        # because a chat may go from one to another.
        "where the correspondent writes",
        "ALTER TABLE turns ADD COLUMN channel TEXT;",
    ),
    (
        # So that no turn is put before a model twice, also after a kill: written with what it found there.
        "which model read which turn for facts",
        """
        CREATE TABLE readings (
            turn TEXT NOT NULL REFERENCES turns(id) ON DELETE CASCADE,
            reader TEXT NOT NULL,
            PRIMARY KEY (turn, reader)
        ) WITHOUT ROWID;
        ALTER TABLE facts ADD COLUMN model TEXT NOT NULL DEFAULT '';
        """,
    ),
    (
        # One row a chat rather than columns of it: a chat that is only read is not used, and forgetting a
        # turn must not leave its id here.
        "how a chat was left by its reader",
        """
        CREATE TABLE views (
            session TEXT PRIMARY KEY REFERENCES sessions(id) ON DELETE CASCADE,
            thinking_open INTEGER NOT NULL,
            at TEXT REFERENCES turns(id) ON DELETE SET NULL
        ) WITHOUT ROWID;
        CREATE INDEX views_at ON views(at);
        """,
    ),
)


def migrate(db: sqlite3.Connection, upto: int = len(MIGRATIONS)) -> None:
    """Bring `db` to version `upto`, each step in a transaction of its own.

    Raises SessionError when the file was written by a newer version of the program.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise SessionError(
            f"the chats were written by a newer version (schema {version}, known {len(MIGRATIONS)})",
            "update the program, or set PERSONA_HOME to another folder",
        )
    for number in range(version, upto):
        _, script = MIGRATIONS[number]
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number + 1}; COMMIT;")
