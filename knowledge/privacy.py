"""Secrets and personal data in text: found, and replaced.

Secrets (keys, tokens, passwords, cards, account numbers) have no place in anything made from the archive.
Personal data becomes consistent pseudonyms: the same person is the same other name everywhere, and
nothing but the key of the archive tells which. Patterns and check digits only, no model: it finds what
looks like a secret, and what looks like a word it cannot know.
"""

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private key",
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL
        ),
    ),
    # The published prefixes of large services' credentials.
    (
        "api key",
        re.compile(
            r"\b(?:A(?:KI|SI)A[0-9A-Z]{16}|gh[pousr]_\w{30,}|github_pat_\w{30,}|glpat-[\w-]{16,}"
            r"|xox[abeoprs]-[\w-]{10,}|sk-[\w-]{16,}|[srp]k_(?:live|test)_\w{10,}|AIza[\w-]{30,}"
            r"|SG\.[\w-]{16,}\.[\w-]{16,}|npm_\w{30,}|pypi-[\w-]{30,}|hf_\w{25,}|ya29\.[\w-]{20,}"
            r"|gsk_\w{20,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?)"
        ),
    ),
    ("password", re.compile(r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)")),
    (
        "password",
        re.compile(
            r"(?:pass(?:word|wd|phrase|code)?|pwd|passwort|kennwort|senha|palavra-passe|contraseña"
            r"|mot de passe)"
            r"\b[^\n:=]{0,24}?(?:\s*[:=]\s*|\s+(?:is(?: now)?|ist|lautet|é|es|est)\s+)[\"'`“„]?"
            r"(?P<value>(?!(?:the|a|an|not|in|on|too|still|wrong|right|being|was|my|your|our|weak|bad|good)\b)"
            r"[^\s\"'`”“]{3,})",
            re.IGNORECASE,
        ),
    ),
    (
        "token",
        re.compile(
            r"(?:api[ _-]?key|access[ _-]?key|client[ _-]?secret|secret|token|bearer)\b[\"']?"
            r"(?:\s*[:=]\s*|\s+(?:is\s+)?)[\"'`]?(?P<value>(?=\S*\d)[\w+/.=-]{8,})",
            re.IGNORECASE,
        ),
    ),
    ("pin", re.compile(r"\bPIN\b[^\n\d]{0,16}(?P<value>\d{4,8})\b")),
    (
        "token",
        re.compile(r"(?<![\w/.-])(?=[\w+-]*\d)(?=[\w+-]*[a-z])(?=[\w+-]*[A-Z])[\w+-]{28,}(?![\w/.-])"),
    ),
)
_CARD = re.compile(r"(?<![\w.])(?:\d[ -]?){12,18}\d(?!\w)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b")

_REMOVED = re.compile(r"\[removed: [a-z ]{2,20}\]")

_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_PHONE = re.compile(r"(?<![\w.:/-])(?:\+|00)\d{1,3}[ ./-]?(?:\(?\d{1,5}\)?[ ./-]?){2,6}\d(?![\w-])")
_IP = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")

_FIRST = (
    "Alba Bruno Carla Dario Edda Felix Greta Hugo Irma Jasper Kira Linus Magda Nils Olga Pablo Quinn Rosa "
    "Sven Tilda Ugo Vera Wanda Xaver Yara Zeno Anouk Basil Celia Dorian Elsa Fabio Gina Henri Iris Jonna "
    "Karim Leonie Mattis Nadia Otis Paula Remo Selma Timo Ulla Viktor Wilma Yuri Zita"
).split()
_LAST = (
    "Adler Berg Castell Dorn Ebner Falk Garcia Holm Iversen Jansen Keller Lund Moreau Novak Olsen Petri "
    "Quist Roth Stein Thal Urban Vogel Winter Ziegler Arden Blom Corso Dahl Eder Frost Grau Hein Imhof "
    "Janda Kranz Lindt Marek Nagel Ortner Palm Rask Sommer Tegner Ulrich Vesper Weil Zander"
).split()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a text that should not be there: `text[start:end]` is a secret of `kind`."""

    kind: str
    start: int
    end: int


def secrets(text: str) -> list[Finding]:
    """Every secret in `text`, in order, none overlapping another."""
    found = [
        Finding(kind, *match.span("value" if "value" in match.groupdict() else 0))
        for kind, pattern in _SECRETS
        for match in pattern.finditer(text)
    ]
    found += [Finding("card", *m.span()) for m in _CARD.finditer(text) if _luhn(m.group())]
    found += [Finding("iban", *m.span()) for m in _IBAN.finditer(text) if _mod97(m.group())]
    removed = [m.span() for m in _REMOVED.finditer(text)]
    kept: list[Finding] = []
    for finding in sorted(found, key=lambda f: (f.start, -f.end)):
        # what was removed once is no secret: a text that was cleaned stays as it is
        if any(start <= finding.start < end for start, end in removed):
            continue
        if not kept or finding.start >= kept[-1].end:
            kept.append(finding)
    return kept


class Redactor:
    """Replaces what must not be written; counts it in `counts` by kind.

    pseudonym: replaces personal data too; None leaves it as it is.
    """

    def __init__(self, pseudonym: "Pseudonyms | None" = None) -> None:
        self._pseudonym = pseudonym
        self.counts: Counter[str] = Counter()

    def __call__(self, text: str) -> str:
        """`text` with every secret as `[removed: kind]`, and people by their other names."""
        parts, at = [], 0
        for finding in secrets(text):
            self.counts[finding.kind] += 1
            parts += [text[at : finding.start], f"[removed: {finding.kind}]"]
            at = finding.end
        text = "".join([*parts, text[at:]])
        return self._pseudonym(text, self.counts) if self._pseudonym else text


class Pseudonyms:
    """Other names for people, the same in every text.

    people: the names of each account. key: decides who is called what; the same key
    and people give the same names. keep: names that stay, as the owner's.
    """

    def __init__(self, people: Iterable[Sequence[str]], key: bytes, keep: Iterable[str] = ()) -> None:
        self._key = key
        kept = {part.casefold() for name in keep for part in (name, *name.split())}
        self._names: dict[str, str] = {}
        taken: set[str] = set()
        for names in _people(people):
            first = self._pick(names[0], _FIRST, taken)
            last = self._pick(names[0] + " ", _LAST, set())
            for name in names:
                words = name.split()
                self._names.setdefault(name.casefold(), f"{first} {last}" if len(words) > 1 else first)
                if len(words) > 1:
                    self._names.setdefault(words[0].casefold(), first)
                    self._names.setdefault(words[-1].casefold(), last)
        for name in [n for n in self._names if n in kept or len(n) < 3]:
            del self._names[name]
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = (
            re.compile(r"(?<!\w)@?(" + "|".join(map(re.escape, longest_first)) + r")(?!\w)", re.IGNORECASE)
            if longest_first
            else None
        )

    def __call__(self, text: str, counts: Counter[str]) -> str:
        """`text` under other names; what was replaced is counted by kind."""

        def replaced(kind: str, value: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
            def one(match: re.Match[str]) -> str:
                counts[kind] += 1
                return value(match.group())

            return one

        text = _EMAIL.sub(replaced("address", lambda s: f"{self._number(s)}@example.org"), text)
        text = _PHONE.sub(replaced("phone", lambda s: f"+00 000 {self._number(s)}"), text)
        text = _IP.sub(replaced("ip address", lambda s: "192.0.2.1"), text)
        if self._pattern:
            text = self._pattern.sub(replaced("name", self._name), text)
        return text

    def _name(self, said: str) -> str:
        other = self._names[said.removeprefix("@").casefold()]
        return other.lower() if said.islower() else other

    def _number(self, value: str) -> str:
        return str(self._hash(value.casefold()) % 10**6).zfill(6)

    def _pick(self, name: str, choices: Sequence[str], taken: set[str]) -> str:
        start = self._hash(name.casefold())
        for n in range(len(choices) * 100):
            lap = n // len(choices)
            choice = choices[(start + n) % len(choices)] + (str(lap + 1) if lap else "")
            if choice not in taken:
                taken.add(choice)
                return choice
        return f"Person {start % 10**6}"

    def _hash(self, value: str) -> int:
        return int.from_bytes(hmac.new(self._key, value.encode(), hashlib.sha256).digest()[:8], "big")


def _people(accounts: Iterable[Sequence[str]]) -> list[list[str]]:
    """Names by person, in a fixed order: accounts that share a name are one person's. Only what may be
    said of somebody is a name, not an address or an id."""
    people: dict[str, list[str]] = {}
    for account in sorted(accounts, key=lambda names: [n.casefold() for n in names]):
        names = [n for n in dict.fromkeys(account) if not re.search(r"[@:\d]", n) and n.strip()]
        known = next((people[n.casefold()] for n in names if n.casefold() in people), None)
        person = known if known is not None else []
        person += [n for n in names if n not in person]
        people.update((n.casefold(), person) for n in person)
    unique = {id(person): person for person in people.values()}
    return [sorted(person, key=lambda n: (-len(n.split()), n)) for person in unique.values()]


def _luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [d * 2 - 9 * (d > 4) if n % 2 else d for n, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _mod97(text: str) -> bool:
    plain = re.sub(r"[ -]", "", text)
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1
