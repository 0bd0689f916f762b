"""The hand-written wordings that training conversations for the starter model are made of.

The TOML files beside this module hold sentences with {slots}; `load` reads and checks them. This module
knows nothing of how a lesson is put together: it only promises that every slot in a wording can be filled.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

FOLDER = Path(__file__).parent
TOLD = "told.toml"
MADE_BY_CODE = frozenset(
    "person number small_number price time weekday month date year duration distance".split()
)
_SLOT = re.compile(r"\{([^{}]*)\}")


class BankError(ValueError):
    """A wording of the bank is malformed; the message names the file and the wording."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of fact. `slot` is the kind of its value {v}; `ask_other` asks about a person {p}."""

    id: str
    slot: str
    changes: bool
    ask: tuple[str, ...]
    ask_other: tuple[str, ...]
    say: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """An opinion or a decision about {x}, perhaps against {y} and with a {reason}."""

    ask: tuple[str, ...]
    say: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Small talk: interchangeable questions and interchangeable replies; {name} is the owner's name."""

    ask: tuple[str, ...]
    reply: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """Something the user says in the chat and asks back later. of: whom or what it is about, "" the user."""

    of: str
    slot: str
    say: tuple[str, ...]
    ask: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Somebody a question names by what they are to the owner ("your boss"), and lines that say who it is."""

    role: str
    say: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bank:
    """Every wording and every seed value. `values` maps a slot kind to its values; of each of `relatives`
    many things are `told`.
    """

    topics: tuple[Topic, ...]
    opinions: tuple[View, ...]
    decisions: tuple[View, ...]
    chatter: tuple[str, ...]
    smalltalk: tuple[Pair, ...]
    off_ground_asks: tuple[str, ...]
    off_ground_replies: tuple[str, ...]
    unknown_asks: tuple[str, ...]
    dont_know: tuple[str, ...]
    told: tuple[Told, ...]
    relatives: frozenset[str]
    chains: tuple[Chain, ...]
    values: Mapping[str, tuple[str, ...]]


@cache
def load(folder: Path = FOLDER) -> Bank:
    """The checked bank of a folder, read once per process. BankError names the first bad wording."""
    values = MappingProxyType({kind: tuple(v) for kind, v in _read(folder / "values.toml")["values"].items()})
    reader = _Reader(folder, frozenset(values) | MADE_BY_CODE)
    return Bank(
        topics=reader.topics(),
        opinions=reader.views("opinions.toml", "opinion"),
        decisions=reader.views("decisions.toml", "decision"),
        chatter=reader.list("chatter.toml", "lines"),
        smalltalk=reader.smalltalk(),
        off_ground_asks=reader.list("off_ground.toml", "ask"),
        off_ground_replies=reader.list("off_ground.toml", "reply", free=False),
        unknown_asks=reader.list("dont_know.toml", "ask"),
        dont_know=reader.list("dont_know.toml", "reply", free=False),
        told=reader.told(),
        relatives=frozenset(_read(folder / TOLD)["relatives"]),
        chains=reader.chains(),
        values=values,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads files of one folder and checks their slots against the known kinds."""

    folder: Path
    kinds: frozenset[str]

    def topics(self) -> tuple[Topic, ...]:
        found: list[Topic] = []
        for file in sorted(self.folder.glob("topics_*.toml")):
            for entry in _read(file)["topic"]:
                where = f"{file.name} {entry['id']}"
                self._kind(where, entry["slot"])
                found.append(
                    Topic(
                        id=entry["id"],
                        slot=entry["slot"],
                        changes=entry["changes"],
                        ask=self._lines(where, entry["ask"], ()),
                        ask_other=self._lines(where, entry["ask_other"], ("p",), needs="p"),
                        say=self._lines(where, entry["say"], ("v",), needs="v"),
                    )
                )
        return tuple(found)

    def views(self, name: str, table: str) -> tuple[View, ...]:
        slots = ("x", "y", "reason")
        return tuple(
            View(self._lines(name, entry["ask"], slots), self._lines(name, entry["say"], slots))
            for entry in _read(self.folder / name)[table]
        )

    def smalltalk(self) -> tuple[Pair, ...]:
        name = "smalltalk.toml"
        return tuple(
            Pair(self._lines(name, entry["ask"], ()), self._lines(name, entry["reply"], ("name",)))
            for entry in _read(self.folder / name)["pair"]
        )

    def told(self) -> tuple[Told, ...]:
        found: list[Told] = []
        file = _read(self.folder / TOLD)
        for entry in file["told"]:
            self._kind(TOLD, entry["slot"])
            of = entry.get("of", [""])
            slots = ("of",) if "of" in entry else ()
            say = self._lines(TOLD, entry["say"], ("v", *slots), needs="v")
            ask = self._lines(TOLD, entry["ask"], slots)
            every = file[of] if isinstance(of, str) else of
            found += [Told(one, entry["slot"], _about(say, one), _about(ask, one)) for one in every]
        return tuple(found)

    def chains(self) -> tuple[Chain, ...]:
        name = "chains.toml"
        return tuple(
            Chain(entry["role"], self._lines(name, entry["say"], ("p",), needs="p"))
            for entry in _read(self.folder / name)["chain"]
        )

    def list(self, name: str, key: str, *, free: bool = True) -> tuple[str, ...]:
        """The list `key` of a file; with `free`, its lines may hold slots of any known kind."""
        return self._lines(name, _read(self.folder / name)[key], self.kinds if free else ())

    def _kind(self, where: str, kind: str) -> None:
        if kind not in self.kinds:
            raise BankError(f"{where}: no values for the kind {kind!r}")

    def _lines(
        self, where: str, lines: Iterable[str], allowed: Iterable[str], *, needs: str = ""
    ) -> tuple[str, ...]:
        known = frozenset(allowed)
        found = tuple(lines)
        if not found:
            raise BankError(f"{where}: an empty list")
        for line in found:
            slots = set(_SLOT.findall(line))
            if unknown := slots - known:
                raise BankError(f"{where}: unknown slot {sorted(unknown)} in {line!r}")
            if needs and needs not in slots:
                raise BankError(f"{where}: {{{needs}}} is missing in {line!r}")
        return found


def _about(lines: Iterable[str], of: str) -> tuple[str, ...]:
    return tuple(line.replace("{of}", of) for line in lines)


def _read(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))
