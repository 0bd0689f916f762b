"""The error tree as the runtime names it; its root lives in `knowledge`, which imports nothing of ours."""

from knowledge.errors import (
    ArchiveError,
    ImportFailed,
    ModelError,
    PersonaError,
    SessionError,
    SettingsError,
)

__all__ = ["ArchiveError", "ImportFailed", "ModelError", "PersonaError", "SessionError", "SettingsError"]
