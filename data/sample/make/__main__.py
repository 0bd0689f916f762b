"""`python -m data.sample.make [FOLDER]`: builds the sample twin, byte for byte the same each time."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from data.sample.make import letters, questions
from data.sample.make.chatter import Chatter
from data.sample.make.discord import Server
from data.sample.make.model import SAMPLE
from data.sample.make.slack import Export
from data.sample.make.talks import written_talks
from knowledge.importers.registry import detect
from knowledge.records import ImportReport

SEED = 20241003
CHATTER = 2650


def build(folder: Path) -> None:
    """All files of the sample below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    talks = written_talks()
    chatter = Chatter(SEED, talks, questions.forbidden())
    export = Export(SEED)
    for talk in sorted([*talks, *chatter.talks(CHATTER)], key=lambda t: (t.at, t.place)):
        export.add(talk)
    export.add_joins()
    first = datetime(2024, 10, 7, 6, tzinfo=UTC)
    export.add_bot(first, first + timedelta(days=750))
    export.write(folder / "slack_export.zip")
    server = Server(SEED)
    _refuse(server.texts())
    server.write_export(folder / "discord_export.zip")
    server.write_package(folder / "discord_package.zip")
    ids = export.ids | letters.write_notes(folder / "notes")
    ids |= _archive_ids(folder / "mail.mbox", letters.write_mail(folder / "mail.mbox"))
    questions.write("questions.toml", "q", folder / "questions.jsonl", ids)
    (folder / "make").mkdir(exist_ok=True)
    questions.write("dev_questions.toml", "d", folder / "make" / "dev_questions.jsonl", ids)


def _refuse(texts: Iterable[str]) -> None:
    """Raise ValueError where what is written beside the core holds the answer to a question."""
    for text in texts:
        if found := [word for word in questions.forbidden() if word.casefold() in text.casefold()]:
            raise ValueError(f"{text!r} holds {found}")


def _archive_ids(mbox: Path, message_ids: dict[str, str]) -> dict[str, str]:
    """Keys of mails to archive ids: these hold a hash of the body, which only the importer makes."""
    found = {}
    for importer, source in detect(mbox):
        for message in importer.read(source, ImportReport(str(mbox), importer.name)):
            found[message.id.removeprefix("email:").rpartition(":")[0]] = message.id
    return {key: found[identity] for key, identity in message_ids.items()}


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE)
