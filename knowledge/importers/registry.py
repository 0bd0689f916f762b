"""Which importer reads what: exports are recognised by their content, wherever they lie."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from knowledge.errors import ImportFailed
from knowledge.importers.archives import Nest, archive_kind, is_named_as_archive, open_inner, open_source
from knowledge.importers.base import Importer
from knowledge.importers.chatgpt import ChatGPTImporter
from knowledge.importers.claude import ClaudeImporter
from knowledge.importers.discord import DiscordImporter
from knowledge.importers.generic import GenericImporter
from knowledge.importers.git_log import GitImporter
from knowledge.importers.github import GitHubImporter
from knowledge.importers.google_chat import GoogleChatImporter
from knowledge.importers.imessage import IMessageImporter
from knowledge.importers.jira import JiraImporter
from knowledge.importers.mail import EmailImporter
from knowledge.importers.meta import MetaImporter
from knowledge.importers.notes import NotesImporter, is_note
from knowledge.importers.signal import SignalImporter
from knowledge.importers.slack import SlackImporter, own_members
from knowledge.importers.source import UNREADABLE, EmptyBox, FileBox, Limits, Source
from knowledge.importers.telegram import TelegramImporter
from knowledge.importers.whatsapp import WhatsAppImporter
from knowledge.importers.zendesk import ZendeskImporter
from knowledge.records import ImportReport, Message, Problem

IMPORTERS: tuple[Importer, ...] = (
    SlackImporter(),
    DiscordImporter(),
    EmailImporter(),
    SignalImporter(),
    IMessageImporter(),
    WhatsAppImporter(),
    TelegramImporter(),
    MetaImporter("messenger"),
    MetaImporter("instagram"),
    GoogleChatImporter(),
    GitHubImporter(),
    GitImporter(),
    JiraImporter(),
    ZendeskImporter(),
    ChatGPTImporter(),
    ClaudeImporter(),
    GenericImporter(),
    NotesImporter(),
)
"""Every importer; the order settles ties."""

Found = list[tuple[Importer, Source]]

_PARTS: dict[str, Callable[[Source], Iterable[str]]] = {"slack": own_members}
"""Members of a folder that make up an export, of those that may lie among others' files."""

_SURE = 0.5
_NOISE = {".git", ".trash", "__MACOSX", "node_modules", ".venv", "__pycache__", ".DS_Store", "Thumbs.db"}


class Unreadable:
    """Stands in for an importer where nothing could be opened, so that the report says so."""

    name = "unknown"
    folders = False

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)

    def sniff(self, source: Source) -> float:
        """Nothing is its own."""
        return 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """No messages: each problem is one record seen and failed."""
        for problem in self.problems:
            report.fail(problem.place, problem.reason)
        yield from ()


def names() -> list[str]:
    """The sources that can be named instead of `auto`."""
    return [importer.name for importer in IMPORTERS]


def detect(
    path: Path, source: str = "auto", limits: Limits | None = None, *, day_first: bool | None = None
) -> Found:
    """Every export at or below `path`, each with its importer; never empty.

    source: `auto`, or the name of the one importer wanted. What cannot be read, or is no known
    export, comes back with an importer that counts it as seen and failed. day_first: how to read dates
    that an export leaves open, None where the user has not said. Raises ImportFailed when
    `path` does not exist or the source is unknown.
    """
    if source != "auto" and source not in names():
        raise ImportFailed(f"unknown source {source!r}", f"Known are: auto, {', '.join(names())}.")
    if not path.exists():
        raise ImportFailed(f"{path} does not exist", "Check the spelling of the path.")
    found = _detect(path, limits or Limits())
    if source != "auto":
        found = _wanted(source, found)
    if day_first is not None:
        found = [(importer, replace(part, day_first=day_first)) for importer, part in found]
    return found or _unreadable(path, "no known export")


def _detect(path: Path, limits: Limits) -> Found:
    try:
        top = open_source(path, limits)
    except ImportFailed as error:
        return _unreadable(path, error.message)
    return _inside(top, limits, Nest(limits.unpacked), 0)


def _inside(top: Source, limits: Limits, nest: Nest, depth: int) -> Found:
    """Everything in an opened source; depth: of how many archives it lies inside."""
    walk = _Walk(top)
    found = walk.run()
    for name in walk.archives:
        inner = _archive(top, name, limits, nest, depth + 1)
        # a damaged .docx beside an export is nobody's loss, a damaged .zip may be
        inner = [pair for pair in inner if is_named_as_archive(name) or pair[0].name != Unreadable.name]
        found += inner
        if not inner:
            walk.left.add(name)
    if not found:
        return _named_directly(top)
    (importer, first), *others = found
    return [(importer, replace(first, beside=(*first.beside, *sorted(walk.left)))), *others]


def _archive(outer: Source, name: str, limits: Limits, nest: Nest, depth: int) -> Found:
    if depth > nest.deepest:
        return _unreadable(outer.path / name, "archives within archives too deep: unpack it")
    try:
        inner = open_inner(outer, name, limits, nest)
    except ImportFailed as error:
        return _unreadable(outer.path / name, error.message)
    return _inside(inner, limits, nest, depth)


def _everything(source: Source) -> Iterable[str]:
    return source.members


def _unreadable(path: Path, reason: str) -> Found:
    return [(Unreadable([Problem(str(path), reason)]), Source(path, EmptyBox()))]


def _wanted(source: str, found: Found) -> Found:
    """Only what the named importer reads; a lone file is handed to it even if it looks like nothing."""
    importer = next(importer for importer in IMPORTERS if importer.name == source)
    if len(found) == 1 and isinstance(found[0][1].box, FileBox):
        return [(importer, found[0][1].only(found[0][1].box.members))]
    return [pair for pair in found if pair[0].name in (source, Unreadable.name)]


def _named_directly(top: Source) -> Found:
    """Text that is too weak a sign when met on a walk is a note when the user points at it."""
    notes = IMPORTERS[-1]
    if isinstance(top.box, FileBox):
        lone = top.only(top.members)
        return [(notes, lone)] if notes.sniff(lone) else []
    return [(notes, top)] if any(is_note(name) for name in top.members) else []


class _Walk:
    """One pass over the members of a source, in which every importer takes what is its own."""

    def __init__(self, top: Source) -> None:
        self.top = top
        self.every = {name for name in top.members if not _NOISE.intersection(PurePosixPath(name).parts)}
        self.left = set(self.every)
        self.problems = list(top.box.refused)
        self.archives: list[str] = []

    def run(self) -> Found:
        """What was recognised; archives inside of it are left in `archives`."""
        found = self._repository()
        for importer in IMPORTERS:
            if importer.folders:
                found += self._folders(importer, "", sorted(self.every))
            if importer is IMPORTERS[0]:
                self._open_each()
            found += self._files(importer)
        if self.problems:
            found.append((Unreadable(self.problems), self.top))
        return found

    def _repository(self) -> Found:
        """The history of the folder that was named; those of folders within are nobody's export."""
        kept = self.top.under(
            ".git", (n.removeprefix(".git/") for n in self.top.members if n.startswith(".git/"))
        )
        git = next(importer for importer in IMPORTERS if importer.name == "git")
        return [(git, kept)] if kept.chosen and git.sniff(kept) else []

    def _folders(self, importer: Importer, folder: str, names: list[str]) -> Found:
        """The topmost folders that are one export as a whole; `names` are relative to `folder`.

        A folder of which another importer has taken a part must be recognised beyond doubt.
        """
        prefix = f"{folder}/" if folder else ""
        own = [name for name in names if prefix + name in self.left]
        if not own:
            return []
        part = self.top.under(folder, own)
        if importer.sniff(part) >= (_SURE if len(own) == len(names) else 1.0):
            own = sorted(_PARTS.get(importer.name, _everything)(part))
            self.left -= {prefix + name for name in own}
            return [(importer, self.top.under(folder, own))]
        below: dict[str, list[str]] = {}
        for name in names:
            head, slash, tail = name.partition("/")
            if slash:
                below.setdefault(head, []).append(tail)
        return [
            pair for head, tails in below.items() for pair in self._folders(importer, prefix + head, tails)
        ]

    def _files(self, importer: Importer) -> Found:
        """All files that are exports by themselves, as one source."""
        own = [name for name in sorted(self.left) if importer.sniff(self.top.only([name])) >= _SURE]
        self.left -= set(own)
        return [(importer, self.top.only(own))] if own else []

    def _open_each(self) -> None:
        """Set archives apart, and note what cannot be opened at all."""
        for name in sorted(self.left):
            try:
                with self.top.open(name) as stream:
                    archive = archive_kind(stream)
            except UNREADABLE as error:
                self.problems.append(Problem(name, f"unreadable: {type(error).__name__}"))
                self.left.discard(name)
                continue
            if archive and not isinstance(self.top.box, FileBox):
                self.left.discard(name)
                self.archives.append(name)
