"""What users write, paste and drop into the first run, and what this computer knows of them already.

Knows nothing of Textual.
"""

import configparser
import os
import re
import shlex
import sys
from pathlib import Path


def names(text: str) -> list[str]:
    """Names, addresses and handles, parted by commas, semicolons or lines; each once."""
    return list(dict.fromkeys(part.strip() for part in re.split(r"[,;\n]", text) if part.strip()))


def export_paths(text: str) -> list[Path]:
    """The paths in `text`: typed, or as a terminal writes what is dropped on it.

    Quotes, backslashes, `~` and file:// are understood; a blank parts two paths unless the whole is one.
    """
    whole = _path(text.strip().strip("'\""))
    if _exists(whole):
        return [whole]
    try:
        parts = [_path(part.strip("'\"")) for part in shlex.split(text, posix=sys.platform != "win32")]
    except ValueError:
        return [whole]
    return parts if any(map(_exists, parts)) else [whole]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a page of text is too long for a name
        return False


def _path(text: str) -> Path:
    if text.startswith("file://"):
        from urllib.parse import urlparse
        from urllib.request import url2pathname  # with it comes HTTP, 30 ms of every start

        text = url2pathname(urlparse(text).path)
    # Path.expanduser raises where no user is called so: "~5 euros"
    return Path(os.path.abspath(os.path.expanduser(text)))


def known_names() -> list[str]:
    """The user's name and address as Git's settings and the account of this computer have them."""
    return list(dict.fromkeys([*_git(), *_account()]))


def _git() -> list[str]:
    # read, not asked of git: on a bare macOS calling it opens an installer
    for file in (Path.home() / ".gitconfig", Path.home() / ".config" / "git" / "config"):
        settings = configparser.ConfigParser(strict=False, allow_no_value=True, interpolation=None)
        try:
            settings.read_string(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        if settings.has_section("user"):
            found = [settings.get("user", key, fallback=None) for key in ("name", "email")]
            return [value.strip("\"' ") for value in found if value]
    return []


def _account() -> list[str]:
    if sys.platform == "win32":
        return []
    import pwd

    try:
        full = pwd.getpwuid(os.getuid()).pw_gecos.split(",")[0].strip()
    except KeyError:
        return []
    # service accounts carry one word
    return [full] if " " in full else []
