"""ChatGPT's data export: `conversations.json`, or its numbered parts.

A conversation is a tree: an edited question or a second answer is a branch. The branch that was last
open is the conversation; the others are kept, flagged `superseded`. The owner's side is speech, the
model's is marked as a bot's, and what nobody was shown (prompts, tools, reasoning) as the system's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from knowledge.importers.json_records import keys, moment, read_each
from knowledge.importers.markdown_reply import own_words
from knowledge.importers.notes import OWNER
from knowledge.importers.source import Source
from knowledge.records import Identity, ImportReport, Kind, Message

_NEEDED = {b"mapping", b"title", b"create_time", b"role", b"parent"}
_MODEL = Identity("chatgpt:assistant", "ChatGPT")
_SYSTEM = Identity("chatgpt:system", "ChatGPT's system")
_SHOWN = {"text", "multimodal_text", "code"}
_DEEPEST = 100_000
"""Messages on one branch; a longer one is a loop."""


class ChatGPTImporter:
    """Files that are arrays of conversations."""

    name = "chatgpt"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 where conversations have a `mapping` of messages."""
        return 1.0 if keys(source) >= _NEEDED else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Conversation by conversation, each in the order of its tree."""
        return read_each(source, report, _conversation)


def _conversation(chat: Mapping[str, Any], place: str, report: ImportReport) -> Iterator[Message]:
    nodes = chat["mapping"]
    own = str(chat.get("conversation_id") or chat["id"])
    title = str(chat.get("title") or "ChatGPT")
    current = _branch(nodes, chat.get("current_node"))
    for key, node in nodes.items():
        record = node.get("message")
        if not record:
            continue  # the root of the tree
        text, files = _text(record.get("content") or {})
        if not (text.strip() or files):
            report.skip("empty", place)
            continue
        kind = _kind(record)
        said = own_words(text) if kind is Kind.SPEECH else text
        flags = ["files"] if files else []
        flags += ["superseded"] if current and key not in current else []
        flags += ["quoted-only"] if text and not said else []
        yield Message(
            id=f"chatgpt:{record.get('id') or key}",
            source="chatgpt",
            conversation_id=f"chatgpt:{own}",
            conversation=title,
            author={Kind.SPEECH: OWNER, Kind.BOT: _MODEL, Kind.SYSTEM: _SYSTEM}[kind],
            sent_at=moment(record.get("create_time") or chat["create_time"]),
            text=said,
            kind=kind,
            raw=text if text != said else None,
            flags=tuple(flags),
        )


def _branch(nodes: Mapping[str, Any], last: Any) -> set[str]:
    """The keys from the root to the last message shown; empty where that is not known."""
    found: set[str] = set()
    while isinstance(last, str) and last in nodes and last not in found and len(found) < _DEEPEST:
        found.add(last)
        last = nodes[last].get("parent")
    return found


def _kind(record: Mapping[str, Any]) -> Kind:
    hidden = (record.get("metadata") or {}).get("is_visually_hidden_from_conversation")
    role = record["author"]["role"]
    content = (record.get("content") or {}).get("content_type")
    if hidden or content not in _SHOWN or record.get("recipient") not in ("all", None):
        return Kind.SYSTEM
    return {"user": Kind.SPEECH, "assistant": Kind.BOT}.get(role, Kind.SYSTEM)


def _text(content: Mapping[str, Any]) -> tuple[str, bool]:
    """The words of a message, and whether files came with it."""
    parts = content.get("parts")
    if not isinstance(parts, list):
        return str(content.get("text") or content.get("result") or ""), False
    words = [part if isinstance(part, str) else str(part.get("text") or "") for part in parts if part]
    files = any(isinstance(part, dict) and "asset_pointer" in part for part in parts)
    return "\n".join(word for word in words if word), files
