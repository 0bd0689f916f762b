"""The vector index: derived from the archive, and always makeable again.

Chroma, embedded or served: ids, vectors and which message each is of; the text stays in the archive, so that
what is forgotten there is forgotten. Asked by field, Chroma reads the fields of every message, so a search
asks by vector and by id alone; who wrote what and when is known to the timeline. Which messages still wait
for their vectors is written in the archive, in the same transaction that stored them, so that a kill at any
point is mended by `fill`.

Chroma is thread-safe but not process-safe (cookbook.chromadb.dev/core/system_constraints; two writers
have corrupted indexes of 1.5): a lock beside the folder lets one process write at a time.
"""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowledge import chroma, passages, unused_slots
from knowledge.archive import Archive
from knowledge.embedding import Embed, Embedder, Repeats
from knowledge.embedding_process import Cancelled
from knowledge.errors import ArchiveError, PersonaError
from knowledge.progress import Progress
from knowledge.waiting import Waiting

if TYPE_CHECKING:
    from knowledge.timeline import Floats

_COLLECTION = "speech"
_AHEAD = 1024
"""Messages read ahead and sorted by length: padding is most of the work otherwise."""

_BATCH = 64
"""Messages embedded before they are struck off, and before a cancel is heard."""

_PIECES = 512


class VectorIndex:
    """Vectors of `archive`'s speech in `folder`, made by `embedder`.

    server: the address of a Chroma server that holds them instead.
    """

    def __init__(self, folder: Path, archive: Archive, embedder: Embedder, server: str = "") -> None:
        self._folder = folder
        self._server = server
        self._archive = archive
        self._embedder = embedder
        self._waiting = Waiting(archive)
        self._lock = threading.RLock()
        self._client: Any = None
        self._collection: Any = None

    def pending(self) -> int:
        """How many messages wait for their vectors; all of them when the model was changed."""
        if self._archive.meta("embedding_model") not in (None, self._embedder.name):
            return int(self._archive.rows("SELECT COUNT(*) FROM speech")[0][0])
        return int(self._archive.rows("SELECT COUNT(*) FROM waiting")[0][0])

    def fill(
        self,
        progress: Callable[[Progress], None] | None = None,
        cancel: threading.Event | None = None,
        embed: Embed | None = None,
    ) -> int:
        """Embed what waits, newest first, and return how many messages that were.

        May be cancelled or killed after any batch; the next call goes on from there. embed: what
        computes the vectors, in place of the embedder in this process. Does nothing while another
        process fills the index.
        """
        with self._only_writer() as alone:
            return self._fill(progress, cancel, embed or self._embedder.embed) if alone else 0

    def _fill(
        self, progress: Callable[[Progress], None] | None, cancel: threading.Event | None, embed: Embed
    ) -> int:
        collection, embed = self._open(), Repeats(embed).embed
        done, whole = 0, self.pending()
        while waiting := self._waiting.newest(_AHEAD):
            waiting.sort(key=lambda row: len(row[2] or ""))
            for start in range(0, len(waiting), _BATCH):
                if cancel and cancel.is_set():
                    return done
                batch = waiting[start : start + _BATCH]
                try:
                    self._store(collection, batch, embed)
                except Cancelled:
                    return done
                with self._archive.writing() as db:
                    done_with = [row[:2] for row in batch]
                    db.executemany("DELETE FROM waiting WHERE ticket = ? AND message = ?", done_with)
                done += len(batch)
                if progress:
                    progress(Progress("embedding", done, max(whole, done)))
        return done

    @contextmanager
    def _only_writer(self) -> Iterator[bool]:
        """Whether nobody else writes; and then nobody else may until the block ends, also by a kill."""
        from filelock import FileLock, Timeout

        lock = FileLock(self._folder.with_name(f"{self._folder.name}.lock"))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def nearest(self, vector: "Floats", most: int) -> dict[int, float]:
        """Keys of the `most` nearest messages with their cosine, that of the best passage of each."""
        asked = [vector.tolist()]
        found = self._ask(
            lambda held: held.query(query_embeddings=asked, n_results=most, include=["distances"])
        )
        best: dict[int, float] = {}
        for id, distance in zip(found["ids"][0], found["distances"][0], strict=True):
            best.setdefault(_message(id), 1.0 - distance)
        return best

    def vectors(self, keys: Sequence[int]) -> "dict[int, Floats]":
        """Of each of these messages the vectors of its passages, a row each; some 50 µs a message.

        Those that still wait for theirs are left out.
        """
        import numpy as np

        if not keys:
            return {}
        found = self._ask(lambda held: held.get(ids=self._ids(keys), include=["embeddings"]))
        rows: dict[int, list[Floats]] = {}
        for id, vector in zip(found["ids"], found["embeddings"], strict=True):
            rows.setdefault(_message(id), []).append(vector)
        return {key: np.stack(passages) for key, passages in rows.items()}

    def _ids(self, keys: Sequence[int]) -> list[str]:
        """The ids that passages of these messages may have."""
        marks = ",".join("?" * len(keys))
        rows = self._archive.rows(f"SELECT key, length(text) FROM speech WHERE key IN ({marks})", keys)
        return [f"{key}.{n}" for key, length in rows for n in range(passages.most(length))]

    def _ask(self, ask: Callable[[Any], Any]) -> Any:
        try:
            with self._lock:
                return ask(self._open())
        except PersonaError:
            raise
        except Exception as error:
            # another process may have made the index anew: look for it again next time
            self._collection = None
            raise ArchiveError(
                f"the index cannot be searched: {type(error).__name__}", "run `persona memory rebuild`"
            ) from error

    def is_empty(self) -> bool:
        """Whether nothing was embedded yet, told without opening the index."""
        return self._archive.meta("embedding_model") is None

    def clear(self) -> None:
        """Throw all vectors away; every message waits again.

        Raises ArchiveError while another process fills the index.
        """
        with self._lock, self._only_writer() as alone:
            if not alone:
                raise ArchiveError(
                    "another program is at work on the index", "close the chat, or wait until it is done"
                )
            self._connect()
            self._reset()
            self._collection = self._create()

    def compact(self) -> int:
        """Make the files anew with the vectors of what the archive still holds; returns how many went.

        A kill loses vectors at most, which are then computed again. Raises ArchiveError while another
        process fills the index.
        """
        if self.is_empty() or not (self._server or self._folder.exists()):
            return 0
        with self._lock, self._only_writer() as alone:
            if not alone:
                raise ArchiveError(
                    "another program is at work on the index",
                    "close the chat, and run `persona memory forget` to go on",
                )
            old = self._open()
            held = {key for (key,) in self._archive.rows("SELECT key FROM speech")}
            ids = old.get(include=[])["ids"]
            kept = [id for id in ids if _message(id) in held]
            if self._server:
                # its files are not ours to make anew
                gone = sorted(set(ids) - set(kept))
                for start in range(0, len(gone), _PIECES):
                    old.delete(ids=gone[start : start + _PIECES])
                return len(gone)
            fresh = VectorIndex(
                self._folder.with_name(f"{self._folder.name}.part"), self._archive, self._embedder
            )
            fresh.take(old, kept)
            unused_slots.blank(fresh._folder)
            self.close()
            shutil.rmtree(self._folder)
            fresh._folder.rename(self._folder)
            return len(ids) - len(kept)

    def take(self, other: Any, ids: Sequence[str]) -> None:
        """Fill an index that is not there yet with vectors of another collection, and let go of it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._connect()
        collection = self._create()
        for start in range(0, len(ids), _PIECES):
            found = other.get(ids=list(ids[start : start + _PIECES]), include=["embeddings", "metadatas"])
            collection.add(ids=found["ids"], embeddings=found["embeddings"], metadatas=found["metadatas"])
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = self._collection = None

    def _store(self, collection: Any, batch: Sequence[tuple[Any, ...]], embed: Embed) -> None:
        """Replace the vectors of a batch; a message that is no longer speech loses its own."""
        pieces = [
            (f"{key}.{n}", piece, {"message": key})
            for _, key, text in batch
            if text is not None
            for n, piece in enumerate(passages.split(text))
        ]
        slices = [pieces[start : start + _PIECES] for start in range(0, len(pieces), _PIECES)]
        # embedding takes its time; a search must not wait for it
        vectors = [embed([piece for _, piece, _ in part]) for part in slices]
        with self._lock:
            first = collection.get(ids=[f"{row[1]}.0" for row in batch], include=[])["ids"]
            if again := [_message(id) for id in first]:
                collection.delete(where={"message": {"$in": again}})
            for part, rows in zip(slices, vectors, strict=True):
                ids, _, fields = zip(*part, strict=True)
                collection.upsert(ids=list(ids), embeddings=rows, metadatas=list(fields))

    def _open(self) -> Any:
        """The collection, emptied first when it belongs to another model or another archive."""
        with self._lock:
            if self._collection is None:
                self._connect()
                self._collection = self._create()
                if self._collection.metadata != self._mark() or self._has_lost_vectors():
                    self._reset()
                    self._collection = self._create()
            return self._collection

    def _connect(self) -> None:
        if self._client is None and self._server:
            self._client = chroma.open_server(self._server, self._mark()["archive"])
        elif self._client is None:
            self._client = chroma.open_files(self._folder)

    def _create(self) -> Any:
        mark = self._mark()
        collection = self._client.get_or_create_collection(
            _COLLECTION, metadata=mark, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        self._archive.set_meta("embedding_model", self._embedder.name)
        return collection

    def _reset(self) -> None:
        import chromadb.errors

        with suppress(chromadb.errors.NotFoundError):
            self._client.delete_collection(_COLLECTION)
        with self._archive.writing() as db:
            db.execute("INSERT OR IGNORE INTO waiting (message) SELECT key FROM speech")

    def _mark(self) -> dict[str, str]:
        return {"model": self._embedder.name, "archive": self._archive.meta("archive") or ""}

    def _has_lost_vectors(self) -> bool:
        """Whether fewer vectors are there than messages that should have one: somebody removed the folder."""
        ((speech, waiting),) = self._archive.rows(
            "SELECT (SELECT COUNT(*) FROM speech), (SELECT COUNT(*) FROM waiting)"
        )
        return bool(self._collection.count() + waiting < speech)


def _message(id: str) -> int:
    """The message that a passage is of: ids are its key, a dot and the number of the passage."""
    return int(id.partition(".")[0])
