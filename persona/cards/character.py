"""SillyTavern's character cards, V2 and V3, as persona cards and back.

Sources: malfoyslastname/character-card-spec-v2 (spec_v2.md), kwaroran/character-card-spec-v3 (SPEC_V3.md).
A foreign card is data: what it says of a character is taken, what it tells a model to do is left out.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from knowledge.text import one_line, prompt_safe
from persona.cards import png
from persona.chat.card import NAME_LINE, PersonaCard
from persona.errors import ImportFailed

Spec = Literal["v2", "v3"]

MOST_BYTES = 32 * 2**20
"""A larger file is refused."""
MOST_CHARACTERS = 8000
"""A persona card is part of every prompt, so a longer one is cut."""

_KEYWORDS = ("ccv3", "chara")  # V3 first: where both are there, `chara` is what V3 leaves for older programs
_VERSIONS: dict[Spec, tuple[str, str]] = {"v2": ("chara_card_v2", "2.0"), "v3": ("chara_card_v3", "3.0")}
_LONGEST_NAME = 100
_MOST_LINES = 20
_MACRO = re.compile(r"\{\{\s*(char|user)\s*\}\}|<(char|bot|user)>", re.IGNORECASE)
_UNUSED = (
    "system_prompt",
    "post_history_instructions",
    "first_mes",
    "alternate_greetings",
    "group_only_greetings",
    "creator_notes",
    "assets",
)
_HINT = "give a character card (V2 or V3) as JSON or PNG"


@dataclass(frozen=True, slots=True)
class Character:
    """A character as a persona card. left_out: fields of the foreign card that are not used.
    cut: whether the text was too long."""

    card: PersonaCard
    left_out: tuple[str, ...] = ()
    cut: bool = False


def read(file: Path) -> Character:
    """The character in a JSON or PNG file. Raises ImportFailed when there is none that can be read."""
    try:
        if not file.is_file():
            raise ImportFailed(f"there is no file {file}", _HINT)
        with file.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ImportFailed(f"{file} cannot be read: {error.strerror}", _HINT) from None
    if len(raw) > MOST_BYTES:
        raise ImportFailed(f"{file} is larger than {MOST_BYTES // 2**20} MB", _HINT)
    try:
        text = _json_of_png(raw) if raw.startswith(png.SIGNATURE) else raw
        if len(text) > png.MOST_TEXT:
            raise png.NotReadable(f"its JSON is longer than {png.MOST_TEXT // 2**20} MB")
        held = json.loads(text)
    except png.NotReadable as error:
        raise ImportFailed(f"{file} cannot be read: {error}", _HINT) from None
    except (ValueError, RecursionError):
        raise ImportFailed(f"{file} holds no readable JSON", _HINT) from None
    return _character(held, file)


def as_json(card: PersonaCard, spec: Spec) -> dict[str, Any]:
    """A character card that says what the persona card says; the name is apart, all else its description."""
    kind, version = _VERSIONS[spec]
    data: dict[str, Any] = {
        "name": card.name,
        "description": NAME_LINE.sub("", card.text, count=1).strip(),
        **dict.fromkeys(("personality", "scenario", "first_mes", "mes_example"), ""),
        **dict.fromkeys(("creator_notes", "system_prompt", "post_history_instructions"), ""),
        "alternate_greetings": [],
        "tags": [],
        "creator": "",
        "character_version": "",
        "extensions": {},
    }
    if spec == "v3":
        data["group_only_greetings"] = []
    return {"spec": kind, "spec_version": version, "data": data}


def as_png(card: PersonaCard, spec: Spec, picture: bytes | None = None) -> bytes:
    """The same within a picture, a plain one where none is given; V3 beside V2, for programs of either.

    Raises ImportFailed when `picture` is no PNG.
    """
    specs: tuple[tuple[str, Spec], ...] = (("chara", "v2"), ("ccv3", "v3"))
    coded = {
        keyword: base64.b64encode(json.dumps(as_json(card, version)).encode())
        for keyword, version in specs
        if spec == "v3" or version == "v2"
    }
    try:
        return png.with_texts(picture or png.plain(), coded, instead_of=_KEYWORDS)
    except png.NotReadable as error:
        raise ImportFailed(f"the picture cannot be used: {error}", "give a PNG file") from None


def _json_of_png(raw: bytes) -> bytes:
    found = png.texts(BytesIO(raw), _KEYWORDS)
    coded = next((found[keyword] for keyword in _KEYWORDS if keyword in found), None)
    if coded is None:
        raise png.NotReadable("the picture holds no character")
    try:
        return base64.b64decode(b"".join(coded.split()), validate=True)
    except binascii.Error:
        raise png.NotReadable("its character is not in base64") from None


def _character(held: Any, file: Path) -> Character:
    root = held if isinstance(held, dict) else {}
    known = [kind for kind, _ in _VERSIONS.values()]
    if root.get("spec", known[0]) not in known:
        raise ImportFailed(f"{file} holds another kind of card than {' or '.join(known)}", _HINT)
    data = root.get("data", root)  # a V1 card has its fields at the root
    name = one_line(_clean(data.get("name"))) if isinstance(data, dict) else ""
    if not name or not isinstance(data.get("description"), str):
        raise ImportFailed(f"{file} holds no character with a name and a description", _HINT)
    name = name[:_LONGEST_NAME]
    called = one_line(_clean(data.get("nickname"))) or name
    text = "\n".join([f"Name: {name}", *_lines(data, called[:_LONGEST_NAME])])
    return Character(PersonaCard(name, text[:MOST_CHARACTERS]), _left_out(data), len(text) > MOST_CHARACTERS)


def _lines(data: dict[str, Any], name: str) -> Iterator[str]:
    """The card's lines below its name."""
    if description := _told(data.get("description"), name):
        yield description
    for field in ("personality", "scenario"):
        if told := _told(data.get(field), name):
            yield f"{field.capitalize()}: {told}"
    always, _ = _book(data)
    if facts := [one_line(_told(entry, name)) for entry in always if _told(entry, name)]:
        yield "Facts:"
        yield from (f"- {fact}" for fact in facts[:_MOST_LINES])
    if said := _examples(data, name):
        yield f"How {name} writes:"
        yield from (f"- {line}" for line in said)


def _examples(data: dict[str, Any], name: str) -> list[str]:
    """What the character says in the example dialogues, first lines only."""
    found = re.findall(
        r"^[ \t]*\{\{char\}\}[ \t]*:(.*)$", _clean(data.get("mes_example")), re.MULTILINE | re.IGNORECASE
    )
    said = [one_line(_told(line, name)) for line in found]
    return [line for line in said if line][:_MOST_LINES]


def _book(data: dict[str, Any]) -> tuple[list[str], int]:
    """The lore that always holds, and how many entries hold only when a key word is said."""
    book = data.get("character_book")
    entries = book.get("entries") if isinstance(book, dict) else None
    lore = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    always = [e["content"] for e in lore if _holds_always(e)]
    return always, len(lore) - len(always)


def _holds_always(entry: dict[str, Any]) -> bool:
    enabled, constant = entry.get("enabled") is not False, entry.get("constant") is True
    return enabled and constant and isinstance(entry.get("content"), str)


def _left_out(data: dict[str, Any]) -> tuple[str, ...]:
    _, by_key = _book(data)
    named = [field for field in _UNUSED if data.get(field)]
    return (*named, f"character_book ({by_key} entries)") if by_key else tuple(named)


def _told(value: Any, name: str) -> str:
    """A field's text with its place-holders filled in."""

    def filled(match: re.Match[str]) -> str:
        return "the user" if (match[1] or match[2]).casefold() == "user" else name

    return _MACRO.sub(filled, _clean(value)).strip()


def _clean(value: Any) -> str:
    """A string that no template, and no comment of the card's own, can be made of; "" for anything else."""
    return prompt_safe(value).replace("<!--", "‹!--") if isinstance(value, str) else ""
