"""The sample twin: Mira Sol, a fictional person whose exports travel with the program.

Prepares her in a home of its own, never in one that holds somebody's own messages.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from knowledge.progress import Progress
from persona import paths
from persona.errors import PersonaError

OWNER = "Mira Sol"

DEMO_QUESTIONS: tuple[str, ...] = (
    "What's your dog's name?",
    "Which company do you work for now?",
    "What do you drink in the morning nowadays?",
)
"""What the app proposes: questions that the starter answers in whatever order they are picked."""

_PARTS = ("slack_export.zip", "discord_export.zip", "discord_package.zip", "mail.mbox", "notes")
_MARKER = "sample-twin.txt"
_BEGUN = "being prepared"


def enter(home: Path) -> None:
    """Make `home` this process's home, and that of its children.

    Raises PersonaError when it holds an archive that is not the sample twin's.
    """
    home = home.expanduser().resolve()
    os.environ["PERSONA_HOME"] = str(home)
    if not _marker().exists() and paths.knowledge_dir().exists() and _holds_messages():
        raise PersonaError(
            f"{home} holds other messages; the sample twin would be mixed with them",
            "give `--home` an empty folder, or leave it out",
        )


def prepare(home: Path, progress: Callable[[Progress], None] | None = None, *, embed: bool = True) -> None:
    """Make the sample twin ready in `home`: import her exports, settle who she is, embed, write her card.

    Safe to repeat and to interrupt: what is done already is not done again. Without `embed` she is
    searchable by words at once, and the vectors are left to idle time.
    """
    from persona import config
    from persona.chat import card, opening

    enter(home)
    with closing(opening.open_memory(config.load())) as memory:
        parts = [paths.sample_dir() / part for part in _PARTS]
        wanted = _digest(parts)
        if _state() != wanted:
            _mark(_BEGUN)
            memory.ingest(parts, me=[OWNER], progress=progress)
            card.refresh(paths.card_file(), memory)
            _mark(wanted)
        if embed:
            memory.embed_pending(progress)


def _holds_messages() -> bool:
    from persona import config
    from persona.chat import opening

    with closing(opening.open_memory(config.load())) as memory:
        return bool(memory.messages(limit=1, include_all=True))


def _marker() -> Path:
    return paths.data_dir() / _MARKER


def _state() -> str:
    return _marker().read_text(encoding="utf-8").strip() if _marker().exists() else ""


def _mark(state: str) -> None:
    _marker().parent.mkdir(parents=True, exist_ok=True)
    _marker().write_text(state + "\n", encoding="utf-8")


def _digest(parts: list[Path]) -> str:
    """What the sample's files hold, in one word, so that a newer sample is imported again."""
    digest = hashlib.sha256()
    for part in parts:
        if not part.exists():
            raise PersonaError(f"the sample twin's {part.name} is missing", "install the program again")
        for file in sorted(part.rglob("*")) if part.is_dir() else [part]:
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
