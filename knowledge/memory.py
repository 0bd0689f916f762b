"""The one door to what the twin knows: archive, index and retrieval behind it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from knowledge import forgetting, import_log, people, voice
from knowledge.archive import Archive, identities, moment
from knowledge.archive_facts import ArchiveFacts
from knowledge.embedding import Embedder
from knowledge.embedding_process import EmbeddingProcess
from knowledge.facts import Fact
from knowledge.forgetting import Forgetting, What
from knowledge.import_log import LoggedProblem
from knowledge.importers import registry
from knowledge.importers.meter import metered
from knowledge.index import VectorIndex
from knowledge.intake import take_in
from knowledge.people import Candidate, Owner, Person
from knowledge.progress import Progress
from knowledge.records import ImportReport, Memory, StoredMessage, merge_totals
from knowledge.reranking import Reranker
from knowledge.retrieval import Retriever
from knowledge.serving import Cost

Report = Callable[[Progress], None]


@dataclass(slots=True)
class IngestResult:
    """What one import gave. candidates: who the owner may be, where that is not known."""

    reports: list[ImportReport]
    total: ImportReport
    owner: Owner | None
    candidates: list[Candidate] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    pending_embeddings: int = 0

    def as_json(self) -> dict[str, Any]:
        """The document that `persona ingest --json` prints."""
        owner = self.owner
        return {
            "sources": [import_log.counts(r) for r in self.reports],
            "total": {**import_log.counts(self.total), "pending_embeddings": self.pending_embeddings},
            "owner": {"name": owner.name, "identities": list(owner.identity_ids)} if owner else None,
            "candidates": [
                {
                    "name": c.name,
                    "identities": list(c.identity_ids),
                    "messages": c.messages,
                    "sources": list(c.sources),
                }
                for c in self.candidates
            ],
        }


class MemoryStore:
    """What is known, in `folder`. Nothing is opened before it is needed; any thread may call."""

    def __init__(
        self, folder: Path, *, embedding_model: str = "", reranker: str = "", chroma_server: str = ""
    ) -> None:
        self._folder = folder
        self._chroma_server = chroma_server
        self._embedder = Embedder(embedding_model)
        self._reranker = Reranker(reranker) if reranker else None
        self._guard = threading.RLock()
        self._opened: tuple[Archive, VectorIndex, Retriever] | None = None

    # Bringing in

    def ingest(
        self,
        paths: Sequence[Path],
        *,
        me: Sequence[str] = (),
        source: str = "auto",
        day_first: bool | None = None,
        dry_run: bool = False,
        progress: Report | None = None,
    ) -> IngestResult:
        """Import every export at or below `paths`; everything is then searchable by its words.

        me: names, handles, addresses or ids of the owner. day_first: how to read dates that an export
        leaves open, None where nobody has said. dry_run: read and count, change nothing.
        Raises ImportFailed before anything is touched when a path is missing or the source unknown.
        """
        found = [pair for path in paths for pair in registry.detect(Path(path), source, day_first=day_first)]
        if not dry_run:
            return self._import(self._archive, found, me, progress)
        if self._opened is None and not self._file.exists():
            archive = Archive(None)
            try:
                return self._import(archive, found, me, progress)
            finally:
                archive.close()
        with self._archive.rehearsal():
            return self._import(self._archive, found, me, progress)

    def embed_pending(
        self, progress: Report | None = None, cancel: threading.Event | None = None, *, apart: bool = False
    ) -> int:
        """Compute the vectors that wait; returns for how many messages. Resumable after a kill.

        apart: in a process of low priority, which ends with this call, for work beside a chat.
        """
        if not self._index.pending():
            return 0
        if not apart:
            return self._index.fill(progress, cancel)
        with EmbeddingProcess(self._embedder.name, cancel) as process:
            return self._index.fill(progress, cancel, process.embed)

    def rebuild(self, progress: Report | None = None) -> int:
        """Make the index anew from the archive; returns for how many messages."""
        self._index.clear()
        return self._index.fill(progress)

    def left_out(self) -> list[LoggedProblem]:
        """What the latest import of each export skipped or could not read, newest import first."""
        return import_log.problems(self._archive)

    # Looking up

    def search(
        self,
        query: str,
        *,
        now: datetime,
        budget_tokens: int | None = 600,
        cost: Cost,
        k: int | None = None,
        context: Sequence[str] = (),
    ) -> list[Memory]:
        """The memories that answer `query`, best first; [] when the evidence is weak.

        now: aware, what "yesterday" is seen from. budget_tokens: None for no bound. cost: tokens of
        memories as the caller shows them. k: at most this many. context: earlier user messages of the
        chat, newest last, for follow-ups. Raises ModelError where a cross-encoder is set that cannot be used.
        """
        return self._retriever.search(
            query, now=now, budget_tokens=budget_tokens, cost=cost, k=k, context=context
        )

    def replies_like(
        self,
        text: str,
        *,
        now: datetime,
        to: str | None,
        channel: str | None = None,
        budget_tokens: int,
        cost: voice.LineCost,
    ) -> list[str]:
        """A few of the owner's own replies to messages like `text`, the likest first: as examples of style.

        to: who writes `text`, replies to whom come first; None for the owner. channel: where, replies in it
        come before others, a conversation's id or the name of a source. cost: tokens of such lines.
        """
        ranking = self._retriever.rank(text, now=now)
        timeline = self._retriever.timeline()
        return voice.examples(
            self._archive,
            timeline,
            ranking,
            to=to,
            channel=channel,
            budget_tokens=budget_tokens,
            cost=cost,
        )

    def messages(
        self,
        *,
        conversation: str | None = None,
        author: str | None = None,
        thread: str | None = None,
        limit: int | None = 50,
        include_all: bool = False,
    ) -> list[StoredMessage]:
        """The newest messages that fit, oldest first; speech only unless `include_all`."""
        return self._archive.messages(
            conversation=conversation, author=author, thread=thread, limit=limit, include_all=include_all
        )

    def message(self, id: str) -> StoredMessage | None:
        """One message, None when there is none of that id."""
        return self._archive.message(id)

    def around(self, id: str, before: int = 2, after: int = 2) -> list[StoredMessage]:
        """A message among those said just before and after it, in time order; [] when there is none."""
        found = self._archive.rows("SELECT key FROM speech WHERE id = ?", (id,))
        if not found:
            return []
        key = int(found[0][0])
        earlier, later = self._retriever.timeline().beside_key(key, before, after)
        stored = self._archive.by_key([*earlier, key, *later])
        return [stored[k] for k in (*earlier, key, *later) if k in stored]

    def own_speech(self, limit: int | None = None) -> Iterator[StoredMessage]:
        """The owner's own speech, newest first."""
        return self._archive.own_speech(limit)

    def stats(self) -> dict[str, Any]:
        """Counts of what is archived and indexed."""
        archive = self._archive
        ((messages, speech, conversations, identities, first, last),) = archive.rows(
            "SELECT (SELECT COUNT(*) FROM messages), (SELECT COUNT(*) FROM speech), "
            "(SELECT COUNT(*) FROM conversations), (SELECT COUNT(*) FROM identities), "
            "(SELECT MIN(sent_at) FROM messages), (SELECT MAX(sent_at) FROM messages)"
        )
        sources = archive.rows(
            "SELECT c.source, COUNT(*) FROM messages m JOIN conversations c ON c.key = m.conversation "
            "GROUP BY c.source ORDER BY c.source"
        )
        owner = self.owner()
        return {
            "messages": messages,
            "speech": speech,
            "conversations": conversations,
            "identities": identities,
            "sources": dict(sources),
            "first": None if first is None else moment(first).isoformat(),
            "last": None if last is None else moment(last).isoformat(),
            "owner": owner.name if owner else None,
            "embedding_model": self._embedder.name,
            "pending_embeddings": self._index.pending(),
        }

    @property
    def facts(self) -> ArchiveFacts:
        """What messages state, as rules or a model found it."""
        return ArchiveFacts(self._archive)

    def pinned_facts(self) -> list[Fact]:
        """Those that are shown in every chat; opens nothing that is not there yet."""
        return self.facts.pinned() if self._opened or self._file.exists() else []

    # People

    def owner(self) -> Owner | None:
        """Whose archive it is, None while that is not known."""
        return people.owner(self._archive)

    def set_owner(self, names: Sequence[str]) -> Owner:
        """Settle who the owner is, now and for later imports. Raises ArchiveError when nobody matches."""
        return people.set_owner(self._archive, names)

    def people(self) -> list[Person]:
        """Everyone, with all of their accounts, by how much they wrote."""
        return people.listed(self._archive)

    def merge_people(self, names: Sequence[str]) -> Person:
        """Make everyone whom any of these names means one person. Raises ArchiveError as `people.merge`."""
        return people.merge(self._archive, names)

    def names(self) -> list[tuple[str, ...]]:
        """What each account but the owner's is called, the name it shows first: for pseudonyms."""
        own = set(found.identity_ids) if (found := self.owner()) else set()
        return [(i.name, *i.aliases) for _, i in identities(self._archive) if i.id not in own]

    def key(self) -> bytes:
        """A random key of this archive alone, for what must be the same here and differ elsewhere."""
        return (self._archive.meta("archive") or "").encode()

    # Forgetting

    def plan_forgetting(self, what: What, value: str, *, mentions: bool = False) -> Forgetting:
        """What forgetting would take; nothing is changed. Raises ArchiveError when there is no such thing."""
        return forgetting.planned(self._archive, what, value, mentions=mentions)

    def begin_forgetting(self, plan: Forgetting) -> int:
        """Take it out of the archive, and note what else has to go until `finish_forgetting`; returns how
        many facts went."""
        return forgetting.begin(self._archive, plan)

    def unfinished_forgetting(self) -> Forgetting | None:
        """What was begun and not brought to its end, as after a kill."""
        return forgetting.unfinished(self._archive)

    def finish_forgetting(self) -> int:
        """Make index and archive anew without a byte of it; returns how many vectors went.

        Raises ArchiveError while another program is at work on either; it can be done again.
        """
        gone = self._index.compact()
        forgetting.finish(self._archive)
        return gone

    def close(self) -> None:
        """Close every file; the next call opens them again."""
        with self._guard:
            if self._opened is not None:
                self._opened[1].close()
                self._opened[0].close()
                self._opened = None

    # Inside

    @property
    def _file(self) -> Path:
        return self._folder / "archive.sqlite3"

    @property
    def _archive(self) -> Archive:
        return self._open()[0]

    @property
    def _index(self) -> VectorIndex:
        return self._open()[1]

    @property
    def _retriever(self) -> Retriever:
        return self._open()[2]

    def _open(self) -> tuple[Archive, VectorIndex, Retriever]:
        with self._guard:
            if self._opened is None:
                archive = Archive(self._file)
                index = VectorIndex(self._folder / "index", archive, self._embedder, self._chroma_server)
                retriever = Retriever(archive, index, self._embedder, self._reranker)
                self._opened = archive, index, retriever
            return self._opened

    def _import(
        self, archive: Archive, found: registry.Found, me: Sequence[str], progress: Report | None
    ) -> IngestResult:
        reports: list[ImportReport] = []
        for importer, source in found:
            report = ImportReport(source.label, importer.name)
            watched = metered(source, importer.name, progress) if progress else source
            take_in(archive, importer.read(watched, report), report)
            report.note_beside(source.beside)
            reports.append(report)
        import_log.keep(archive, reports)
        people.unite(archive)
        unmatched = people.settle(archive, me)
        owner = people.owner(archive)
        ((pending,),) = archive.rows("SELECT COUNT(*) FROM waiting")
        return IngestResult(
            reports,
            merge_totals(reports),
            owner,
            candidates=people.candidates(archive) if owner is None else [],
            unmatched=unmatched,
            pending_embeddings=pending,
        )
