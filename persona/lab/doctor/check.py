"""A finding, and how a check that breaks becomes one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from persona.errors import PersonaError

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. remedy: what to do, "" when all is well. figures: what `detail` tells, for programs."""

    name: str
    status: Status
    detail: str
    remedy: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """What `check` finds; when it breaks, that is the finding."""
    try:
        return check()
    except PersonaError as error:
        return Check(name, "fail", error.message, error.hint)
    except Exception as error:
        return Check(name, "fail", f"{type(error).__name__}: {error}", "install the program again")
