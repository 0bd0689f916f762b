"""Telegram Desktop's export as JSON: one chat, or the whole account.

A record is identified by its chat and its own number. `date` is local time, so `date_unixtime` is
taken where it is there.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from knowledge.importers.derived_ids import digest
from knowledge.importers.json_stream import arrays, innermost
from knowledge.importers.source import UNREADABLE, Source
from knowledge.importers.wall_clock import wall_clock
from knowledge.records import Identity, ImportReport, Kind, Message

_SNIFFED = 64 << 10
_MESSAGE_MARKS = (b'"date_unixtime"', b'"text_entities"', b'"from_id"', b'"actor_id"')
_ACCOUNT_MARKS = (
    (b'"personal_information"', b'"frequent_contacts"'),
    (b'"about"', b'"chats"', b'"list"'),
)
_OWNER = re.compile(r'"personal_information"\s*:\s*(?={)')
_FAMILIES = {"personal_chat": "user", "bot_chat": "user", "saved_messages": "user", "private_group": "chat"}
_FILES = ("photo", "file", "media_type", "contact_information", "location_information", "poll")
_BROKEN = (*UNREADABLE, TypeError, KeyError, AttributeError, OverflowError)


class TelegramImporter:
    """`result.json`, whatever it is called."""

    name = "telegram"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 for an export; also for a bot's `getUpdates`, so that it can be refused with a reason."""
        if not source.lone:
            return 0.0
        try:
            head = source.head(next(iter(source.members)), _SNIFFED)
        except UNREADABLE:
            return 0.0
        if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
            return 0.0
        chat = b'"messages"' in head and b'"type"' in head and any(mark in head for mark in _MESSAGE_MARKS)
        account = any(all(mark in head for mark in marks) for marks in _ACCOUNT_MARKS)
        return 1.0 if chat or account or _is_bots(head) else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Chat by chat, record by record."""
        for name in source.members:
            try:
                if _is_bots(source.head(name, _SNIFFED)):
                    report.fail(name, "a bot's getUpdates is no export: use Telegram Desktop, Export as JSON")
                    continue
                with source.open(name) as stream:
                    owner: Mapping[str, Any] = {}
                    for before, records in arrays(stream, "messages"):
                        owner = owner or _owner(before)
                        chat = _Chat.of(innermost(before), owner, source.members[name].modified)
                        for record in records:
                            yield from _message(chat, record, name, report)
            except _BROKEN as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


def _is_bots(head: bytes) -> bool:
    return b'"update_id"' in head and b'"result"' in head and b'"ok"' in head


def _owner(before: str) -> Mapping[str, Any]:
    """Whose account it is, where the export is of all of it."""
    match = _OWNER.search(before)
    if not match:
        return {}
    found, _ = json.JSONDecoder().raw_decode(before, match.end())
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class _Chat:
    """One conversation. key: its number, marked as one of a person, a group or a channel."""

    key: str
    name: str
    kind: str
    owner: Mapping[str, Any]
    exported_at: datetime

    @classmethod
    def of(cls, head: Mapping[str, Any], owner: Mapping[str, Any], exported_at: datetime) -> "_Chat":
        kind = str(head.get("type") or "")
        number = head.get("id")
        nameless = "Deleted account" if number else "Telegram"
        name = str(head.get("name") or ("Saved Messages" if kind == "saved_messages" else nameless))
        family = _FAMILIES.get(kind, "channel" if kind else "")
        return cls(f"{family}{int(number)}" if number else name, name, kind, owner, exported_at)

    def message(self, record: Mapping[str, Any]) -> Message:
        """A record as a message. Raises KeyError and the like for a broken one."""
        service = record["type"] == "service"
        author = self._author(record, "actor" if service else "from")
        text = _event(record) if service else _plain(record.get("text"))
        sent_at = _time(record, "date")
        answered = record.get("reply_to_message_id")
        elsewhere = "reply_to_peer_id" in record
        return Message(
            id=f"telegram:{self.key}:{_own_id(record, author, text)}",
            source="telegram",
            conversation_id=f"telegram:{self.key}",
            conversation=self.name,
            author=author,
            sent_at=sent_at,
            text=text,
            kind=Kind.SYSTEM if service else self._kind(author),
            reply_to=f"telegram:{self.key}:{int(answered)}" if answered and not elsewhere else None,
            edited_at=_edited(record),
            flags=_flags(record),
            exported_at=self.exported_at,
        )

    def _kind(self, author: Identity) -> Kind:
        return Kind.BOT if self.kind == "bot_chat" and author.id == f"telegram:{self.key}" else Kind.SPEECH

    def _author(self, record: Mapping[str, Any], role: str) -> Identity:
        """Who wrote it; accounts that were deleted have a number, but no name any more."""
        name, own = record.get(role), record.get(f"{role}_id")
        own = f"user{own}" if isinstance(own, int) else own
        shown = str(name or ("Deleted account" if own else "Telegram"))
        if not own:
            return Identity(f"telegram:{name or 'service'}", shown)
        aliases = [shown] if name else []
        if own == f"user{self.owner.get('user_id')}":
            full = f"{self.owner.get('first_name') or ''} {self.owner.get('last_name') or ''}".strip()
            handle = str(self.owner.get("username") or "")
            aliases += [full, handle, handle.removeprefix("@"), str(self.owner.get("phone_number") or "")]
        aliases.append(own.removeprefix("user"))
        return Identity(f"telegram:{own}", shown, tuple(dict.fromkeys(a for a in aliases if a)))


def _message(chat: _Chat, record: Any, place: str, report: ImportReport) -> Iterator[Message]:
    try:
        if record["type"] == "unsupported":
            report.skip("unsupported by the exporter", place)
            return
        message = chat.message(record)
    except _BROKEN as error:
        report.fail_record(place, error)
        return
    report.seen += 1
    yield message


def _own_id(record: Mapping[str, Any], author: Identity, text: str) -> str:
    """The record's number; where an exporter left it out, one made of its time, author and words."""
    if "id" in record:
        return str(int(record["id"]))
    return digest(str(record.get("date_unixtime") or record.get("date")), author.id, text)


def _plain(text: Any) -> str:
    """A string, or a list of strings and marked-up parts; a link behind words is spelled out."""
    if isinstance(text, str):
        return text
    if not isinstance(text, list | None):
        raise TypeError("no text")
    return "".join(part if isinstance(part, str) else _part(part) for part in text or ())


def _part(part: Mapping[str, Any]) -> str:
    text, href = str(part["text"]), part.get("href")
    return f"{text} ({href})" if href and href != text else text


def _event(record: Mapping[str, Any]) -> str:
    """What a service record tells, in Telegram's own words: `edit group title: Lisbon`."""
    action = str(record.get("action") or "").replace("_", " ")
    about = record.get("title") or record.get("information_text") or ""
    members = record.get("members")
    if isinstance(members, list):
        about = about or ", ".join(str(member) for member in members if member)
    return ": ".join(part for part in (action, str(about)) if part) or _plain(record.get("text"))


def _time(record: Mapping[str, Any], key: str) -> datetime:
    stamp = record.get(f"{key}_unixtime")
    if stamp is None:
        return wall_clock(datetime.fromisoformat(record[key]))
    return datetime.fromtimestamp(int(stamp), UTC)


def _edited(record: Mapping[str, Any]) -> datetime | None:
    """The last edit; old exports say 1970 where there was none."""
    if not (record.get("edited") or record.get("edited_unixtime")):
        return None
    edited = _time(record, "edited")
    return edited if edited.year > 1970 else None


def _flags(record: Mapping[str, Any]) -> tuple[str, ...]:
    flags = ["forward"] if "forwarded_from" in record else []
    if any(record.get(key) for key in _FILES):
        flags.append("sticker" if record.get("media_type") == "sticker" else "files")
    return tuple(flags)
