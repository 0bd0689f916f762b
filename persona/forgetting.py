"""Forgetting in every store of the home, to its end, whatever interrupts it.

The archive's note is struck last: what is killed before that is done again, and doing it again changes
nothing that was done.
"""

import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from persona import paths, training_sets, whole_file
from persona.chat import card
from persona.chat import forgetting as chats

if TYPE_CHECKING:
    from knowledge.forgetting import Forgetting
    from knowledge.memory import MemoryStore
    from persona.chat.store import SessionStore


class Forgetful(card.Known, Protocol):
    """An archive as it is made to forget, which `MemoryStore` is."""

    def begin_forgetting(self, plan: "Forgetting", /) -> int:
        """Take it out, and note what else has to go; returns how many facts went."""
        ...

    def finish_forgetting(self) -> int:
        """Leave no byte of it, and strike the note; returns how many vectors went."""
        ...


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went. turns: of chats, deleted or emptied. adapters: trained on it, and not untrained.
    mentions: ids of messages of others that name or quote the forgotten, gone or still there."""

    messages: int
    facts: int
    summaries: int
    vectors: int
    dataset_rows: int
    adapters: list[str]
    turns: int
    mentions: list[str]
    chat_mentions: list[str]

    def as_json(self) -> dict[str, Any]:
        """The document of `memory forget --json`."""
        return asdict(self)


def forget(memory: Forgetful, sessions: "SessionStore", plan: "Forgetting") -> Forgotten:
    """Forget what is planned, everywhere.

    Raises a PersonaError while another program holds a store; `resume` then goes on.
    """
    facts = memory.begin_forgetting(plan)
    done = _everywhere(memory, sessions, plan)
    return replace(done, facts=done.facts + facts)


def resume(memory: "MemoryStore", sessions: "SessionStore") -> Forgotten | None:
    """Bring to its end what was begun; None when nothing was."""
    plan = memory.unfinished_forgetting()
    return _everywhere(memory, sessions, plan) if plan else None


def _everywhere(memory: Forgetful, sessions: "SessionStore", plan: "Forgetting") -> Forgotten:
    training = paths.data_dir() / "training"
    adapters = training_sets.trained_on(training, plan)
    rows = training_sets.clear(training, plan)
    chat_mentions = [turn.id for turn in chats.mentioning(sessions, plan)]
    cleared = chats.clear(sessions, plan)
    sessions.scrub()
    # unfinished runs of A/B hold chats of their own, and are soon made again
    shutil.rmtree(paths.data_dir() / "ab", ignore_errors=True)
    whole_file.sweep(paths.data_dir())
    card.refresh(paths.card_file(), memory)
    training_sets.strike(training, plan)
    vectors = memory.finish_forgetting()
    return Forgotten(
        messages=len(plan.messages),
        facts=cleared.facts,
        summaries=cleared.summaries,
        vectors=vectors,
        dataset_rows=rows,
        adapters=adapters,
        turns=cleared.turns,
        mentions=list(plan.mentions),
        chat_mentions=chat_mentions,
    )
