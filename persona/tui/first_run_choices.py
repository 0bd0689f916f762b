"""Which models the first run offers, likeliest first. Knows nothing of Textual."""

from dataclasses import dataclass

from persona import models


@dataclass(frozen=True, slots=True)
class Choice:
    """A model to choose. name: for `models use` and `pull`. here: whether it needs no download."""

    name: str
    about: str
    here: bool


def choices() -> list[Choice]:
    """The one that fits this machine with the reason, the starter, those found on disk, then the rest."""
    known = models.catalogue()
    fitting = models.suggested()
    reason = {fitting.name: f"suggested: {fitting.reason}"}
    first = dict.fromkeys([fitting.name, models.STARTER])
    found = [Choice(model.name, f"found in {model.store}", True) for model in models.found()]
    listed = [_choice(known[name], reason) for name in first]
    rest = [_choice(entry, reason) for name, entry in known.items() if name not in first]
    return [*listed, *found, *rest]


def _choice(entry: models.CatalogueEntry, reason: dict[str, str]) -> Choice:
    size = "" if entry.available else f"; downloads {entry.size_gb:g} GB"
    return Choice(entry.name, reason.get(entry.name, entry.about) + size, entry.available)
