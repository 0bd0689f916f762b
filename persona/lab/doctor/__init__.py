"""`persona doctor`: what is well here, what is not, and what to do about it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from persona import config, machine, models
from persona.errors import PersonaError
from persona.lab.doctor import cache, chat, hardware, home, quoting, traps
from persona.lab.doctor.check import Check, guarded


def examine() -> list[Check]:
    """Every check; one that breaks is a finding too, never an error. Takes some seconds."""
    checks = [guarded(name, check) for name, check in (hardware.CHECKS | traps.CHECKS).items()]
    try:
        settings = config.load()
    except PersonaError as error:
        return [*checks, Check("settings", "fail", error.message, error.hint)]
    checks += home.checks(settings)
    checks += cache.checks(settings)
    return [*checks, *chat.checks(settings, models.suggested().name, _training())]


def suggest(found: Sequence[Check] = ()) -> dict[str, Any]:
    """The largest model that runs well here, which model to train and with which preset, and `settings`: how
    the model that talks is best opened, as it could be written down. found: what `examine` measured."""
    settings: dict[str, str | int] = {}
    with suppress(PersonaError):  # a check tells of it
        settings = cache.suggested(config.load()) | quoting.suggested(found)
    training = _training()
    return {
        "model": models.suggested().name,
        "training_model": training.model,
        "preset": training.preset,
        "settings": settings,
    }


def _training() -> models.TrainingSuggestion:
    return models.training_suggested(max((gpu.memory for gpu in machine.gpus()), default=0))


__all__ = ["Check", "examine", "suggest"]
