"""What WhatsApp writes into an export in place of, or around, what was said.

On iPhones every such insertion begins with a left-to-right mark, whatever the language. Android
has no mark, so the commonest languages' words are listed.
"""

import re
from dataclasses import dataclass

from knowledge.records import Kind

LRM = "\u200e"
"""The left-to-right mark."""
_MENTION = re.compile("@\u2068([^\u2068\u2069\n]*)\u2069")
_TAG = re.compile(rf"[ \n]*{LRM}<([^<>\n]{{1,200}})>$")
_OMITTED = re.compile(
    rf"""(?:^|[ ])(?:{LRM}[^{LRM}\n]{{0,30}}\b(?:omitted|weggelassen|ausgelassen|omitid[oa]|omise?|absente?|
    retirée?|omess[oa]|non[ ]inclus[oa]|ocultad[oa]|ocult[oa]|weggelaten|utelämnad|utelatt|udeladt|
    pominięt[aoey]|опущен[оа]?|пропущен[оа]?|atlandı|dahil[ ]edilmedi)$
    |^<[^\W\d_][^<>\d/=_]{{2,40}}[ ][^<>\d/=_]{{1,40}}>$)""",
    re.VERBOSE | re.IGNORECASE,
)
_ATTACHED = re.compile(
    rf"""^{LRM}?(?:\S+-\d{{8}}-WA\d+\.\w+[ ]\([^()\n]{{1,40}}\)
    |[^\n]{{1,200}}\.\w{{2,5}}[ ]\((?:file[ ]attached|Datei[ ]angehängt|archivo[ ]adjunto|fichier[ ]joint|
    file[ ]allegato|arquivo[ ]anexado|ficheiro[ ]anexado|bestand[ ]bijgevoegd|plik[ ]dołączony|
    файл[ ]добавлен|dosya[ ]ekli|bifogad[ ]fil)\))(?:\n|$)""",
    re.VERBOSE,
)
_EDITED = re.compile(
    r"""[ ]<(?:This[ ]message[ ]was[ ]edited|Diese[ ]Nachricht[ ]wurde[ ]bearbeitet|
    Se[ ]editó[ ]este[ ]mensaje|Ce[ ]message[ ]a[ ]été[ ]modifié|Questo[ ]messaggio[ ]è[ ]stato[ ]modificato|
    Mensagem[ ]editada|Esta[ ]mensagem[ ]foi[ ]editada|Dit[ ]bericht[ ]is[ ]bewerkt)\.?>$""",
    re.VERBOSE,
)
_DELETED = {
    "this message was deleted", "you deleted this message", "diese nachricht wurde gelöscht",
    "du hast diese nachricht gelöscht", "se eliminó este mensaje", "este mensaje fue eliminado",
    "eliminaste este mensaje", "ce message a été supprimé", "vous avez supprimé ce message",
    "questo messaggio è stato eliminato", "hai eliminato questo messaggio", "mensagem apagada",
    "esta mensagem foi apagada", "você apagou esta mensagem", "dit bericht is verwijderd",
    "dit bericht werd verwijderd", "u hebt dit bericht verwijderd", "je hebt dit bericht verwijderd",
    "данное сообщение удалено", "вы удалили данное сообщение", "bu mesaj silindi", "bu mesajı sildiniz",
    "ta wiadomość została usunięta", "pesan ini dihapus", "anda menghapus pesan ini",
}  # fmt: skip
_EVENTS = {"missed voice call", "missed video call", "verpasster sprachanruf", "verpasster videoanruf"}
_MARKS = dict.fromkeys(
    map(ord, "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
)


@dataclass(frozen=True, slots=True)
class Words:
    """What is left of a message's text, and what was found around it."""

    text: str
    kind: Kind = Kind.SPEECH
    flags: tuple[str, ...] = ()


def words(written: str) -> Words:
    """The words of the author without what WhatsApp put among them."""
    text = _MENTION.sub(r"@\1", written)
    said = text.strip(f"{LRM} .").casefold()
    if said in _DELETED:
        return Words(text.lstrip(LRM), Kind.SYSTEM, ("deleted",))
    flags: list[str] = []
    if match := _TAG.search(text):
        flags.append("files" if re.search(r": .*\.\w+$", match[1]) else "edited")
        text = text[: match.start()]
    for flag, mark in (("edited", _EDITED), ("files", _OMITTED), ("files", _ATTACHED)):
        shorter = mark.sub("", text, count=1)
        if shorter != text:
            flags.append(flag)
            text = shorter
    if text.startswith(LRM) or said in _EVENTS:
        return Words(text.lstrip(LRM), Kind.SYSTEM)
    return Words(text, flags=tuple(dict.fromkeys(flags)))


def plain_name(name: str) -> str:
    """An author or a chat without the marks around numbers and the `~` of people outside the address book."""
    name = " ".join(name.translate(_MARKS).split())
    return name.removeprefix("~").strip()
