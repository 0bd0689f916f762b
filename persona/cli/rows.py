"""Archive records as the JSON rows that scripts rely on. Times are ISO 8601 with an offset."""

from typing import Any

from knowledge.records import Memory, StoredMessage


def message_row(message: StoredMessage) -> dict[str, Any]:
    """One row of `messages`."""
    return {
        "id": message.id,
        "source": message.source,
        "conversation": message.conversation,
        "conversation_id": message.conversation_id,
        "thread": message.thread,
        "reply_to": message.reply_to,
        "author": message.author,
        "is_self": message.is_self,
        "sent_at": message.sent_at.isoformat(),
        "kind": str(message.kind),
        "text": message.text,
        "flags": list(message.flags),
    }


def memory_row(memory: Memory) -> dict[str, Any]:
    """One row of `memory search` and of `ask`'s memories."""
    return {
        "id": memory.id,
        "text": memory.text,
        "author": memory.author,
        "is_self": memory.is_self,
        "sent_at": memory.sent_at.isoformat(),
        "source": memory.source,
        "conversation": memory.conversation,
        "score": memory.score,
        "why": memory.why,
        "later": [
            {
                "attribute": later.attribute or None,
                "told_at": later.told_at.isoformat(),
                "correction": later.correction or None,
            }
            for later in memory.later
        ],
    }
