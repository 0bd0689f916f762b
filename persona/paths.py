"""Every folder the program uses, as functions. `PERSONA_HOME` puts all of them under one folder."""

import os
from functools import cache
from pathlib import Path

import platformdirs

_APP = "persona"


def home() -> Path | None:
    """The one folder for everything, when the user named it."""
    value = os.environ.get("PERSONA_HOME")
    return Path(value).expanduser().resolve() if value else None


def config_file() -> Path:
    """The settings file; it need not exist."""
    base = home() or Path(platformdirs.user_config_dir(_APP))
    return base / "config.toml"


def env_file() -> Path:
    """Keys, as NAME=value lines; it need not exist."""
    return config_file().with_name(".env")


def data_dir() -> Path:
    """Archive, index and sessions."""
    base = home()
    return base / "data" if base else Path(platformdirs.user_data_dir(_APP))


def models_dir() -> Path:
    """Where downloaded and exported models go."""
    return data_dir() / "models"


def sessions_file() -> Path:
    """The chats' own SQLite file."""
    return data_dir() / "sessions.sqlite3"


def last_ab_file() -> Path:
    """The figures of the last A/B run."""
    return data_dir() / "last_ab.json"


def speeds_file() -> Path:
    """How fast each model read prompts here."""
    return data_dir() / "reading_speeds.json"


def knowledge_dir() -> Path:
    """The folder of archive and index."""
    return data_dir() / "knowledge"


def card_file() -> Path:
    """The persona card, an editable text."""
    return data_dir() / "persona_card.md"


def state_dir() -> Path:
    """Logs and drafts."""
    base = home()
    return base / "state" if base else Path(platformdirs.user_state_dir(_APP))


def log_file() -> Path:
    """The log; it holds no message text unless asked."""
    return state_dir() / "persona.log"


@cache
def bundled() -> Path:
    """The root of what travels with the program: `data/sample` and `models/` lie under it.

    An installed wheel carries them inside the package; a checkout has them at its root.
    """
    inside = Path(__file__).parent / "_bundled"
    return inside if inside.is_dir() else Path(__file__).parent.parent


def sample_dir() -> Path:
    """The sample twin's exports and questions."""
    return bundled() / "data" / "sample"


def starter_model() -> Path:
    """The bundled starter model."""
    return bundled() / "models" / "starter.gguf"


def catalogue_file() -> Path:
    """The list of models known by name."""
    return bundled() / "models" / "catalogue.toml"
