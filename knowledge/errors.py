"""The root of the one error tree."""


class PersonaError(Exception):
    """Something the user can act on: what happened, and a hint what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ImportFailed(PersonaError):
    """A path, or everything under it, could not be read."""


class ArchiveError(PersonaError):
    """The archive or its index is missing, damaged or of a newer version."""


class SettingsError(PersonaError):
    """A setting is unknown or has a value that is not allowed."""


class ModelError(PersonaError):
    """A model is missing, unreadable, or too large for the machine."""


class SessionError(PersonaError):
    """A chat session does not exist or cannot be changed that way."""
