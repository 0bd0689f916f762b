"""Keys from a `.env` file of the user's own, beside the settings file.

Never one from the folder a command happens to be run in: that may be anybody's.
"""

import os

from persona import paths
from persona.errors import SettingsError


def load() -> None:
    """Add its variables to the environment, where those already set stay as they are.

    Raises SettingsError when the file is there and cannot be read.
    """
    file = paths.env_file()
    if not file.is_file():
        return
    from dotenv import dotenv_values

    try:
        values = dotenv_values(file, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file} cannot be read: {error}", "make it a text file of NAME=value lines"
        ) from None
    for name, value in values.items():
        if value:
            os.environ.setdefault(name, value)
