"""The persona card: a short editable text about the owner, made from the archive when missing.

    Name: Mira Sol
    Languages: English, some German
    Style: short messages (median 8 words), mostly lower case, few emoji
    Facts:
    - my sister is called Ana

What changes with time is left to retrieval, which knows the dates; the card holds what stays.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from knowledge.records import StoredMessage
from knowledge.sentences import sentences
from knowledge.text import one_line, printable
from persona import whole_file
from persona.chat.style import languages_line, measure, style_line
from persona.errors import PersonaError

if TYPE_CHECKING:
    from knowledge.facts import Fact
    from knowledge.people import Owner
    from persona.chat.store import SessionStore

MOST_FACTS = 5
NOBODY = "Persona"
"""What the twin is called while nobody has said whose archive it is."""

NAME_LINE = re.compile(r"^\s*name\s*:\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)
"""The line of a card that names whose it is."""

SAMPLE = 5000
"""Messages that a card is made from, the newest."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MARK = re.compile(r"<!-- made from your messages; edit as you like.*?\(([0-9a-f]{16})\) -->")
_STABLE = re.compile(
    r"(?:i|we) (?:grew up|was born|were born|speak|studied|always|never|prefer|hate|love|can't stand|play|"
    r"don't (?:eat|drink|like)|believe|collect)\b"
    r"|i(?:'m| am) (?:allergic|a |an |from|vegetarian|vegan|left-handed|terrible at|bad at|good at|afraid of)"
    r"|my (?:sister|brother|mother|mum|mom|father|dad|grandmother|grandma|grandfather|daughter|son|dog|cat|"
    r"birthday|favou?rite|middle name|first language|native language)\b[^,]*\b(?:is|are|was)\b",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"\b(?:today|tomorrow|yesterday|tonight|now|this|that|these|those|here|there|week|month|morning|evening|"
    r"just|currently|still|again|yet|soon|last|next|will|going|lately|recently|anymore|until|since|you|your|"
    r"he|she|they|it|its|it's|him|her|them|so|bit|moment|late|back|trip|sorry|if|would|could|might|maybe|"
    r"think|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b|[?@#:/<>`*\"“„]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class PersonaCard:
    """name: the owner's, as the twin is called. text: the card as the model is shown it. made: by this
    program from the archive, and not written or edited by the user."""

    name: str
    text: str
    made: bool = False


class Known(Protocol):
    """What an archive knows for a card, as `MemoryStore` says it."""

    def owner(self) -> "Owner | None":
        """Whose archive it is."""
        ...

    def own_speech(self, limit: int | None = None, /) -> Iterator[StoredMessage]:
        """The owner's own speech, newest first."""
        ...

    def pinned_facts(self) -> "Sequence[Fact]":
        """Facts that are shown in every chat."""
        ...


def current(file: Path, memory: Known, sessions: "SessionStore") -> PersonaCard:
    """The card as a chat shows it now: the one in `file`, made there when it is missing, with the facts in
    force that the owner told of themselves and pinned, in the archive and in chats. Raises PersonaError."""
    from persona.chat.fact_book import FactBook

    told = [*memory.pinned_facts(), *(fact for fact in FactBook(sessions).told() if fact.pinned)]
    pinned = [fact.dated for fact in told if not fact.superseded_by and not fact.subject]
    return with_facts(load_or_make(file, memory), pinned)


def load_or_make(file: Path, memory: Known) -> PersonaCard:
    """The card in `file`, made there first when it is missing and the archive knows its owner.

    Raises PersonaError when the file cannot be read or written.
    """
    return _parse(_read(file)) if file.exists() else refresh(file, memory)


def refresh(file: Path, memory: Known) -> PersonaCard:
    """Make the card anew from the archive, as after an import; one the user edited is left alone."""
    if file.exists() and _edited(text := _read(file)):
        return _parse(text)
    owner = memory.owner()
    if owner is None:
        return PersonaCard(NOBODY, "")
    card = make(owner.name, memory.own_speech(SAMPLE))
    _write(file, f"{card.text}\n\n{_mark(card.text)}\n")
    return card


def put(file: Path, text: str) -> Path | None:
    """Set another card in place of the one in `file`; it is the user's own from then on.

    A card that the user edited is kept beside it, and that file is returned. Raises PersonaError.
    """
    earlier = _read(file) if file.exists() else ""
    kept = file.with_suffix(f".before{file.suffix}") if earlier and _edited(earlier) else None
    if kept is not None:
        _write(kept, earlier)
    _write(file, text.strip() + "\n")
    return kept


def with_facts(card: PersonaCard, facts: Iterable[str]) -> PersonaCard:
    """The card with facts that the owner pinned, as the model is shown it; the file is left alone."""
    lines = [f"- {one_line(printable(fact))}" for fact in facts]
    return replace(card, text="\n".join([card.text, *lines])) if lines else card


def make(name: str, speech: Iterable[StoredMessage]) -> PersonaCard:
    """A card for `name` from their own messages."""
    messages = list(speech)
    lines = [f"Name: {one_line(printable(name))}"]
    if style := measure(m.text for m in messages):
        if languages := languages_line(style):
            lines.append(f"Languages: {languages}")
        lines.append(f"Style: {style_line(style)}")
    if facts := stable_facts(messages):
        lines += ["Facts:", *(f"- {fact}" for fact in facts)]
    return PersonaCard(name, "\n".join(lines), made=True)


def stable_facts(messages: Sequence[StoredMessage], most: int = MOST_FACTS) -> list[str]:
    """Short first-person sentences that stay true: notes first, then the newest, one of a kind."""
    found = [
        (m.source == "notes", m.sent_at, one_line(sentence).lstrip("-* "))
        for m in messages
        for sentence in sentences(printable(m.text))
    ]
    facts: dict[str, str] = {}
    for _, _, sentence in sorted(found, key=lambda f: f[:2], reverse=True):
        words = sentence.split()
        plain = sentence.replace("’", "'")
        if 4 <= len(words) <= 20 and _STABLE.match(plain) and not _PASSING.search(plain):
            facts.setdefault(" ".join(words[:2]).casefold(), sentence)
        if len(facts) == most:
            break
    return list(facts.values())


def _parse(text: str) -> PersonaCard:
    shown = _COMMENT.sub("", text).strip()
    name = NAME_LINE.search(shown)
    return PersonaCard(one_line(name.group(1)) if name else NOBODY, shown, made=not _edited(text))


def _mark(text: str) -> str:
    return f"<!-- made from your messages; edit as you like, it is then left alone ({_digest(text)}) -->"


def _edited(text: str) -> bool:
    """Whether the card is not as it was made, which its own mark tells."""
    mark = _MARK.search(text)
    return mark is None or mark.group(1) != _digest(_COMMENT.sub("", text).strip())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PersonaError(
            f"the persona card {file} cannot be read: {error}", "mend it, or remove it to have it made anew"
        ) from error


def _write(file: Path, text: str) -> None:
    try:
        whole_file.replace(file, text)
    except OSError as error:
        raise PersonaError(
            f"the persona card {file} cannot be written: {error}", "check the folder's permissions"
        ) from error
