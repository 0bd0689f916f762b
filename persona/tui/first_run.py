"""How far the first run has come: written down after every step, so that a killed one goes on where it was.

What the steps do lands in archive and settings at once; only the way through them is kept here.
Knows nothing of Textual.
"""

from contextlib import closing
from pathlib import Path

from pydantic import BaseModel, ValidationError

from persona import paths, whole_file
from persona.config import Settings
from persona.errors import PersonaError

STEPS = 3
"""Who are you, where are your exports, which model."""


class Export(BaseModel):
    """A path the user named. done: whether it was read to its end."""

    path: str
    done: bool = False


class FirstRun(BaseModel):
    """names: the user's own, as they wrote them. step: the one to show, from 0. finished: never ask again."""

    names: list[str] = []
    exports: list[Export] = []
    step: int = 0
    finished: bool = False

    def save(self) -> None:
        """Write it down in one step. Raises PersonaError when the folder cannot be written."""
        file = _file()
        try:
            whole_file.replace(file, self.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise PersonaError(
                f"{file} cannot be written: {error.strerror}", "set PERSONA_HOME to a folder of yours"
            ) from None

    def go_to(self, step: int) -> None:
        """Show this step from now on."""
        self.step = step
        self.save()

    def begun(self, path: Path) -> Export:
        """The note of an export, made when it is named first."""
        known = next((export for export in self.exports if export.path == str(path)), None)
        if known is None:
            known = Export(path=str(path))
            self.exports.append(known)
        known.done = False
        self.save()
        return known

    def finish(self) -> None:
        """The way is walked, whatever was skipped."""
        self.finished = True
        self.save()


def pending(settings: Settings, *, again: bool = False) -> FirstRun | None:
    """The first run to lead through; None in a home that has messages or has been led through.

    again: lead through in any case, with the names and exports known from before.
    """
    known = _read()
    if again:
        return known.model_copy(update={"step": 0, "finished": False}) if known else FirstRun()
    if known is None and not _has_messages(settings):
        return FirstRun()
    if known is None:
        # from now on one small file tells
        known = FirstRun(finished=True)
        known.save()
    return None if known.finished else known


def known() -> FirstRun:
    """What is known of the user's names and exports, for reading another one."""
    return (_read() or FirstRun()).model_copy(update={"finished": True})


def _has_messages(settings: Settings) -> bool:
    if not paths.knowledge_dir().exists():
        return False
    from persona.chat.opening import open_memory

    with closing(open_memory(settings)) as memory:
        return bool(memory.messages(limit=1, include_all=True))


def _read() -> FirstRun | None:
    try:
        return FirstRun.model_validate_json(_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        # nothing in it that could not be asked again
        return FirstRun()


def _file() -> Path:
    return paths.data_dir() / "first_run.json"
