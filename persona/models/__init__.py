"""Models: which are known, which are here, which fits this machine, and how one gets here."""

from persona.models.catalogue import STARTER, CatalogueEntry, catalogue, found
from persona.models.download import PullStopped, pull
from persona.models.lookup import adapter, info, is_server, known, open_backend, remove, resolve, use
from persona.models.stores import FoundModel
from persona.models.suggestion import Machine, Suggestion, suggested, this_machine
from persona.models.training import TrainingSuggestion, training_preset, training_suggested

__all__ = [
    "STARTER",
    "CatalogueEntry",
    "FoundModel",
    "Machine",
    "PullStopped",
    "Suggestion",
    "TrainingSuggestion",
    "adapter",
    "catalogue",
    "found",
    "info",
    "is_server",
    "known",
    "open_backend",
    "pull",
    "remove",
    "resolve",
    "suggested",
    "this_machine",
    "training_preset",
    "training_suggested",
    "use",
]
