"""`persona doctor`: what is well here, what is not, and what to do about it."""

from persona import config, models
from persona.errors import PersonaError
from persona.lab import machine
from persona.lab.doctor import chat, hardware, home, traps
from persona.lab.doctor.check import Check, guarded
from persona.lab.machine import GIB

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
    return [*checks, *chat.checks(settings, models.suggested().name, str(suggest()["preset"]))]


def suggest() -> dict[str, str]:
    """The largest model that runs well here, and a training preset for this machine."""
    graphics = sum(gpu.memory for gpu in machine.gpus())
    preset = next(name for needed, name in _PRESETS if graphics >= needed)
    return {"model": models.suggested().name, "preset": preset}


__all__ = ["Check", "examine", "suggest"]
