"""Email: mbox files, single mails and Maildir trees.

Threads are known only when every mail has been seen, and a mail may come before the one it answers.
So a source is read twice: once for ids and references, once for the messages themselves.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from knowledge.importers.mail_kind import mail_kind, skipped_label
from knowledge.importers.mail_parse import Mail, parse, sender, sent, subject_root
from knowledge.importers.mail_reply import own_words
from knowledge.importers.mbox import BOM, split
from knowledge.importers.source import UNREADABLE, Source
from knowledge.records import Identity, ImportReport, Kind, Message

_HEADER = re.compile(rb"^([!-9;-~]+)[ \t]*:", re.MULTILINE)
_KNOWN = {
    b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"received", b"return-path", b"mime-version",
    b"content-type", b"delivered-to", b"reply-to", b"x-mailer", b"user-agent", b"in-reply-to", b"references",
    b"sender", b"x-gm-thrid", b"x-gmail-labels", b"status", b"dkim-signature", b"content-transfer-encoding",
}  # fmt: skip
_ONLY_MAIL = {b"message-id", b"received", b"return-path", b"mime-version", b"content-type"}
"""Headers of which one alone tells a mail."""
_SNIFFED = 64 << 10
"""Bytes that are looked at: the headers of a mail may be long."""
_BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    LookupError,
    RecursionError,
    AssertionError,
)


class EmailImporter:
    """Whatever holds mails as bytes, one or many to a file."""

    name = "email"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 for an mbox, 0.9 for a mail; both must begin with header lines that mails have."""
        if not source.lone:
            return 0.0
        try:
            head = source.head(next(iter(source.members)), _SNIFFED)
        except UNREADABLE:
            return 0.0
        head = head.removeprefix(BOM).lstrip(b"\r\n").replace(b"\r\n", b"\n")
        boxed = head.startswith(b"From ")
        top = (head.partition(b"\n")[2] if boxed else head).partition(b"\n\n")[0]
        names = {match[1].lower() for match in _HEADER.finditer(top)}
        if not (boxed or _HEADER.match(top)) or not (len(names & _KNOWN) >= 2 or names & _ONLY_MAIL):
            return 0.0
        return 1.0 if boxed else 0.9

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Every mail; Takeout's spam, trash, drafts and chats are skipped."""
        threads = _Threads()
        for mail, _, when in _mails(source, None):
            threads.add(mail, when)
        for mail, place, when in _mails(source, report):
            reason = skipped_label(mail.header("X-Gmail-Labels"))
            if reason:
                report.skip(reason, place)
                continue
            try:
                message = _convert(mail, when, threads)
            except _BROKEN as error:
                report.fail(place, f"bad mail: {type(error).__name__}")
                continue
            report.seen += 1
            yield message


def _mails(source: Source, report: ImportReport | None) -> Iterator[tuple[Mail, str, datetime]]:
    """Every mail with its place and its file's own time; failures go to the report, if there is one."""
    for name, member in source.members.items():
        number = 0
        try:
            with source.open(name) as stream:
                for number, data in enumerate(split(stream), start=1):
                    place = f"{name}#{number}"
                    try:
                        yield parse(data), place, member.modified
                    except _BROKEN as error:
                        if report:
                            report.fail(place, f"bad mail: {type(error).__name__}")
        except UNREADABLE as error:
            if report:
                report.fail(f"{name}#{number + 1}", f"unreadable: {type(error).__name__}")


@dataclass(slots=True)
class _Known:
    """What the first pass keeps of a mail."""

    archive_id: str
    references: tuple[str, ...]
    when: datetime
    subject: str


@dataclass(slots=True)
class _Threads:
    """Who answers whom within one source. Ghost parents (named, never seen) and loops occur."""

    known: dict[str, _Known] = field(default_factory=dict)
    first: dict[str, _Known] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def add(self, mail: Mail, fallback: datetime) -> None:
        """Remember a mail; of several bodies under one Message-ID the first counts as the parent."""
        when = sent(mail.message, fallback)[0]
        known = _Known(mail.archive_id, mail.references, when, subject_root(mail.header("Subject")))
        self.known.setdefault(mail.message_id, known)

    def root(self, mail: Mail) -> str:
        """Message-ID of the oldest ancestor that is named, the same from wherever one starts."""
        self._prepare()
        return self._root(mail.message_id, self.known[mail.message_id].references)

    def _root(self, identity: str, references: tuple[str, ...]) -> str:
        path = [identity]
        while references:
            oldest = next((r for r in references if r in self.known), references[0])
            if oldest in path:  # a loop: every member of it must name the same root
                return min(path[path.index(oldest) :])
            path.append(oldest)
            parent = self.known.get(oldest)
            references = parent.references if parent else ()
        return path[-1]

    def _prepare(self) -> None:
        if self.first:
            return
        for identity, known in self.known.items():
            root = self._root(identity, known.references)
            self.sizes[root] = self.sizes.get(root, 0) + 1
            best = self.first.get(root)
            earlier = best is None or (known.when, known.archive_id) < (best.when, best.archive_id)
            if identity == root or (earlier and root not in self.known):
                self.first[root] = known

    def opening(self, root: str) -> tuple[str | None, str]:
        """(archive id of the thread's first mail, None outside threads; its subject)."""
        first = self.first[root]
        return (first.archive_id if self.sizes[root] > 1 else None), first.subject

    def archive_id(self, message_id: str | None) -> str | None:
        """The archive id of a mail of this source."""
        known = self.known.get(message_id or "")
        return known.archive_id if known else None


def _convert(mail: Mail, fallback: datetime, threads: _Threads) -> Message:
    name, address = sender(mail.message)
    subject = mail.header("Subject")
    sent_at, guessed = sent(mail.message, fallback)
    body = mail.body
    reply = own_words(body, subject)
    gmail = mail.header("X-GM-THRID")
    root = threads.root(mail)
    thread, conversation = threads.opening(root)
    kind: Kind = mail_kind(mail.message, mail.header, address)
    return Message(
        id=mail.archive_id,
        source="email",
        conversation_id=f"email:gmail-{gmail}" if gmail else f"email:{root}",
        conversation=conversation,
        author=_identity(name, address),
        sent_at=sent_at,
        text=reply.text,
        kind=kind,
        thread=thread,
        reply_to=threads.archive_id(mail.parent),
        raw=body if body.strip() != reply.text else None,
        flags=(*reply.flags, "date-guessed") if guessed else reply.flags,
    )


def _identity(name: str, address: str) -> Identity:
    if not address:
        return Identity("email:unknown", name or "unknown")
    aliases = tuple(dict.fromkeys(alias for alias in (name, address) if alias))
    return Identity(f"email:{address}", name or address, aliases)
