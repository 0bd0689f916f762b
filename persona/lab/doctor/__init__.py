"""`persona doctor`: what is well here, what is not, and what to do about it."""

from typing import Any

from persona import config, machine, models
from persona.errors import PersonaError
from persona.lab.doctor import cache, chat, hardware, home, traps
from persona.lab.doctor.check import Check, guarded
from persona.machine import GIB

# Training preset from this much graphics memory on.
_PRESETS = ((24 * GIB, "bestaccuracy"), (12 * GIB, "quality"), (0, "highspeed"))


def examine() -> list[Check]:
    """Every check; one that breaks is a finding too, never an error. Takes some seconds."""
    checks = [guarded(name, check) for name, check in (hardware.CHECKS | traps.CHECKS).items()]
    try:
        settings = config.load()
    except PersonaError as error:
        return [*checks, Check("settings", "fail", error.message, error.hint)]
    checks += home.checks(settings)
    checks += cache.checks(settings)
    return [*checks, *chat.checks(settings, models.suggested().name, _preset())]


def suggest() -> dict[str, Any]:
    """The largest model that runs well here, a training preset for this machine, and `settings`: those of the
    model that talks which the program chooses itself, as they could be written down."""
    try:
        settings = cache.suggested(config.load())
    except PersonaError:  # a check tells of it
        settings = {}
    return {"model": models.suggested().name, "preset": _preset(), "settings": settings}


def _preset() -> str:
    graphics = sum(gpu.memory for gpu in machine.gpus())
    return next(name for needed, name in _PRESETS if graphics >= needed)


__all__ = ["Check", "examine", "suggest"]
