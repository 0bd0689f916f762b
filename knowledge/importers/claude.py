"""Claude's data export: `conversations.json`. The owner's side is speech, the model's is a bot's."""

from collections.abc import Iterator, Mapping
from typing import Any

from knowledge.importers.json_records import BROKEN, keys, moment, read_each
from knowledge.importers.markdown_reply import own_words
from knowledge.importers.notes import OWNER
from knowledge.importers.source import Source
from knowledge.records import Identity, ImportReport, Kind, Message

_NEEDED = {b"chat_messages", b"uuid", b"created_at"}
_MODEL = Identity("claude:assistant", "Claude")


class ClaudeImporter:
    """Files that are arrays of conversations."""

    name = "claude"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 where conversations have `chat_messages`."""
        return 1.0 if keys(source) >= _NEEDED else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Conversation by conversation; a broken message costs no other."""
        return read_each(source, report, _conversation)


def _conversation(chat: Mapping[str, Any], place: str, report: ImportReport) -> Iterator[Message]:
    conversation_id, title = f"claude:{chat['uuid']}", str(chat.get("name") or "Claude")
    for record in chat["chat_messages"]:
        try:
            message = _message(record, conversation_id, title)
        except BROKEN as error:
            report.fail_record(place, error)
            continue
        if message.text or message.raw or message.flags:
            yield message
        else:
            report.skip("empty", place)


def _message(record: Mapping[str, Any], conversation_id: str, title: str) -> Message:
    text = _text(record)
    human = record["sender"] == "human"
    said = own_words(text) if human else text
    flags = ["files"] if record.get("attachments") or record.get("files") else []
    flags += ["quoted-only"] if text and not said else []
    return Message(
        id=f"claude:{record['uuid']}",
        source="claude",
        conversation_id=conversation_id,
        conversation=title,
        author=OWNER if human else _MODEL,
        sent_at=moment(record["created_at"]),
        text=said,
        kind=Kind.SPEECH if human else Kind.BOT,
        raw=text if text != said else None,
        flags=tuple(flags),
    )


def _text(record: Mapping[str, Any]) -> str:
    """The text blocks, without thinking and tools; exports before 2025 have one flat text only."""
    blocks = [str(b.get("text") or "") for b in record.get("content") or () if b.get("type") == "text"]
    return "\n\n".join(block for block in blocks if block) or str(record.get("text") or "")
