"""Signal's own export, a JSON object a line: people and chats with numbers, then what was said.

A message is identified, as by Signal itself, by its author and its millisecond.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from knowledge.records import Identity, Kind, Message

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENT = Identity("signal:system", "Signal")
_OWNER = Identity("signal:me", "Me")
_NAMES = (
    ("systemGivenName", "systemFamilyName"),
    ("profileGivenName", "profileFamilyName"),
    ("givenName", "familyName"),
)
"""Where a person's name stands: as the owner wrote it, as they did, and as an account has it."""


@dataclass(slots=True)
class Directory:
    """Who is who in Signal's own export. people, chats: by number. names: of the chats' other sides."""

    owner: Identity = _OWNER
    people: dict[str, Identity] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    chats: dict[str, str] = field(default_factory=dict)

    def learn(self, frame: Mapping[str, Any]) -> None:
        """Take in an account, a person, a group or a chat; the export gives them before their messages."""
        if account := frame.get("account"):
            self.owner = _person("me", account, {})
        elif chat := frame.get("chat"):
            self.chats[str(chat["id"])] = str(chat["recipientId"])
        elif recipient := frame.get("recipient"):
            number = str(recipient["id"])
            group, contact = recipient.get("group"), recipient.get("contact")
            if "self" in recipient:
                self.people[number] = self.owner
                self.names[number], self.keys[number] = "Note to Self", "me"
            elif group is not None:
                title = (group.get("snapshot") or {}).get("title") or {}
                self.names[number] = str(title.get("title") or "Group")
                self.keys[number] = str(group.get("masterKey") or self.names[number])
            elif contact is not None:
                self.people[number] = person = _person("", contact, contact)
                self.names[number], self.keys[number] = person.name, person.id.removeprefix("signal:")

    def message(self, item: Mapping[str, Any]) -> Message:
        """A record as a message. Raises KeyError and the like for a broken one."""
        stamp = int(item["dateSent"])
        recipient = self.chats[str(item["chatId"])]
        author = self.people.get(str(item.get("authorId")), _EVENT)
        text, kind, flags = _said(item)
        key = self.keys.get(recipient, recipient)
        said_by = author.id.removeprefix("signal:")
        revised = bool(item.get("revisions"))
        quote = (item.get("standardMessage") or {}).get("quote") or {}
        quoted = self.people.get(str(quote.get("authorId")))
        return Message(
            id=f"signal:{stamp}:{said_by}",
            source="signal",
            conversation_id=f"signal:{key}",
            conversation=self.names.get(recipient, "Signal"),
            author=author,
            sent_at=_EPOCH + timedelta(milliseconds=stamp),
            text=text,
            kind=kind,
            reply_to=_answered(quote, quoted),
            flags=(*flags, "edited") if revised else flags,
        )


def _answered(quote: Mapping[str, Any], author: Identity | None) -> str | None:
    stamp = quote.get("targetSentTimestamp")
    return f"signal:{int(stamp)}:{author.id.removeprefix('signal:')}" if stamp and author else None


def _person(own: str, profile: Mapping[str, Any], contact: Mapping[str, Any]) -> Identity:
    """An account or a contact, by whatever number it has; its fullest name."""
    number = str(contact.get("e164") or "")
    own = own or str(contact.get("aci") or contact.get("pni") or number or "unknown")
    names = [" ".join(str(profile[key]) for key in pair if profile.get(key)) for pair in _NAMES]
    phone = f"+{number}" if number else ""
    known = [n for n in (*names, str(profile.get("username") or ""), phone) if n]
    return Identity(f"signal:{own}", known[0] if known else "Me" if own == "me" else own, tuple(known))


def _said(item: Mapping[str, Any]) -> tuple[str, Kind, tuple[str, ...]]:
    """(text, kind, flags) of a record; what is no words of a person is an event."""
    if "remoteDeletedMessage" in item:
        return "", Kind.SYSTEM, ("deleted",)
    message = item.get("standardMessage") or item.get("directStoryReplyMessage")
    if message is None:
        sticker = "stickerMessage" in item
        media = sticker or any(key in item for key in ("viewOnceMessage", "contactMessage"))
        flags = ("sticker",) if sticker else ("files",) if media else ()
        return "", Kind.SPEECH if media else Kind.SYSTEM, flags
    text = (message.get("text") or (message.get("textReply") or {}).get("text") or {}).get("body") or ""
    found = {"files": message.get("attachments"), "reactions": message.get("reactions")}
    return str(text), Kind.SPEECH, tuple(flag for flag, there in found.items() if there)
