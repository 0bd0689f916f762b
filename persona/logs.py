"""The log file: what ran, how long, and what failed, with no message text.

Only this project's own loggers reach the file; a library's records may quote what it was given.
"""

import logging
import logging.handlers
import os
from io import TextIOWrapper
from types import TracebackType

from persona import paths

_OURS = ("persona", "knowledge", "trainer")
_BYTES = 1_000_000
_KEPT = 3
_LOCK_SECONDS = 5


class _LogFile(logging.handlers.RotatingFileHandler):
    """Makes its folder with the first record, and never disturbs the program when it cannot write.

    The app and a server may write to one file: it is moved away by one of them, under a lock, and the
    others follow, or each would move what another has just begun.
    """

    def _open(self) -> TextIOWrapper:
        paths.log_file().parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Whether the file as it is now has no room for `record`."""
        self._follow()
        return bool(super().shouldRollover(record))

    def doRollover(self) -> None:
        """Move the full file away, unless another process has."""
        from filelock import FileLock

        with FileLock(f"{self.baseFilename}.lock", timeout=_LOCK_SECONDS):
            if not self._follow():
                super().doRollover()

    def _follow(self) -> bool:
        """Leave a file that was moved away; whether it was."""
        if self.stream is None or _same(self.stream.fileno(), self.baseFilename):
            return False
        self.stream.close()
        self.stream = self._open()
        return True

    def handleError(self, record: logging.LogRecord) -> None:
        """A log that cannot be written is no reason to fail."""


def start(debug: bool = False) -> None:
    """Send our own records to the log file (DEBUG and up when `debug`), everyone's elsewhere: nowhere.

    Libraries' records and warnings would tear the app's screen; with `debug` they go to standard error.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler() if debug else logging.NullHandler())
    logging.captureWarnings(not debug)
    handler = _LogFile(paths.log_file(), maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name in _OURS:
        logger = logging.getLogger(name)
        for old in [h for h in logger.handlers if isinstance(h, _LogFile)]:
            logger.removeHandler(old)
            old.close()
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if debug else logging.INFO)


def failure(error: BaseException) -> str:
    """Where and as what `error` was raised, without its message: that may quote the user's text."""
    return f"{type(error).__name__} at {_places(error.__traceback__)}"


def _same(opened: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), os.stat(path))
    except FileNotFoundError:
        return False


def _places(trace: TracebackType | None) -> str:
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(places))
