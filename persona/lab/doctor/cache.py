"""How the model that talks is opened here: the type of its key-value cache, its layers on a card, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from persona import gates, machine, models
from persona.backends import fit
from persona.backends.cores import physical_cores
from persona.backends.fit import CacheType, Fit, Need, Room
from persona.backends.gguf_header import read_header
from persona.config import ModelSettings, Settings
from persona.errors import PersonaError
from persona.lab import probe
from persona.lab.doctor import quoting
from persona.lab.doctor.check import Check, guarded

_READ, _SECONDS = 1024, 3
"""Tokens read before the speed of writing is measured, or what can be read in so many seconds."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A model as it is opened here. free: bytes of memory that programs can still take, None if unknown.
    shorter: a context that would fit, 0 for none. speeds: of writing, by type of the cache."""

    name: str
    need: Need
    chosen: Fit
    room: Room
    free: int | None = None
    shorter: int = 0
    speeds: Mapping[CacheType, probe.Probed] = field(default_factory=dict)


def checks(settings: Settings) -> Iterator[Check]:
    """How a GGUF model that is here is opened, and whether prompt lookup suits it. Of one that is not here,
    the check `model` tells."""
    if (path := _file(settings.model)) is not None:
        yield guarded("cache", lambda: verdict(_opening(path, settings.model, measure=True)))
        yield from quoting.checks(path, settings.model)


def suggested(settings: Settings) -> dict[str, str | int]:
    """What `model.kv_cache` and `model.gpu_layers` come to when they are left to the program."""
    path = _file(settings.model)
    if path is None:
        return {}
    left = settings.model.model_copy(update={"kv_cache": "auto", "gpu_layers": -1})
    found = _opening(path, left)
    kept: dict[str, str | int] = {"model.kv_cache": found.chosen.kv_cache}
    if found.room.card is not None:
        kept["model.gpu_layers"] = found.chosen.layers
    return kept


def verdict(found: Opening) -> Check:
    """Whether it fits, in figures."""
    need, chosen = found.need, found.chosen
    kind = chosen.kv_cache
    detail = f"{_takes(found)}; {_why(found)}"
    if timed := [f"{one.tokens_per_second:.1f} ({k})" for k, one in found.speeds.items()]:
        read = next(iter(found.speeds.values())).read
        detail += f"; after {read:,} tokens it writes {', '.join(timed)} a second"
    figures = {
        "context": need.context,
        "weights": need.weights,
        "cache_a_token": {k: need.a_token(k) for k in need.cache_types},
        "cache": {k: need.cache(k) for k in need.cache_types},
        "buffers": need.work(kind),
        "memory": found.room.memory,
        "memory_free": found.free,
        "card_free": found.room.card if isinstance(found.room.card, int) else None,
        "kv_cache": kind,
        "gpu_layers": chosen.layers,
        "tokens_per_second": {k: one.tokens_per_second for k, one in found.speeds.items()},
    }
    remedy = _remedy(found)
    return Check("cache", "warn" if remedy else "ok", detail, remedy, figures)


def _takes(found: Opening) -> str:
    need, kind = found.need, found.chosen.kv_cache
    others = "".join(f"; as {k} {need.cache(k):,}" for k in need.cache_types if k != kind)
    cache = f"cache as {kind} {need.cache(kind):,} ({need.a_token(kind):,} a token{others})"
    parts = f"weights {need.weights:,}, {cache}, buffers about {need.work(kind):,}"
    return f"{found.name} with {need.context:,} tokens of context takes {need.total(kind):,} bytes: {parts}"


def _why(found: Opening) -> str:
    need, chosen, room = found.need, found.chosen, found.room
    kind, every = chosen.kv_cache, len(need.parts)
    if room.card is None or not chosen.layers:
        half = int(gates.MOST_MEMORY * room.memory)
        said = f"{'under' if chosen.whole else 'over'} half of the memory ({half:,}), so {kind}"
        why = "the engine was built without a card" if room.card is None else "none asked for, or none fits"
        return f"{said}; all layers on the processor: {why}"
    on_card = need.on_card(kind, min(chosen.layers, every))
    share = f"{min(chosen.layers, every)} of {every} layers on the card"
    return f"{share}, {on_card:,} of {room.card:,} bytes that it can give, so {kind}"


def _remedy(found: Opening) -> str:
    need, chosen = found.need, found.chosen
    kind = chosen.kv_cache
    packed = "`persona config set model.kv_cache q8_0`" if kind == "f16" and len(need.cache_types) > 1 else ""
    if not chosen.whole:
        shorter = f"`persona config set model.context {found.shorter}`" if found.shorter else ""
        ways = [packed, shorter, "a smaller model (`persona models list`)"]
        return "it does not fit whole: " + ", or ".join(way for way in ways if way)
    short_of = need.total(kind) - (found.free or need.total(kind))
    if chosen.layers or short_of <= 0:
        return ""
    return f"{short_of:,} bytes more than are free now: close programs" + (f", or {packed}" if packed else "")


def _opening(path: Path, settings: ModelSettings, *, measure: bool = False) -> Opening:
    from persona.backends.llama_engine import has_gpu

    header, room = read_header(path), fit.here(offloads=has_gpu())
    need, chosen = fit.opening(header, settings, room)
    return Opening(
        header.text("general.name", path.stem),
        need,
        chosen,
        room,
        machine.available_ram(),
        0 if chosen.whole else fit.longest_context(header, settings, room),
        _speeds(path, settings, need, chosen) if measure else {},
    )


def _speeds(path: Path, settings: ModelSettings, need: Need, chosen: Fit) -> dict[CacheType, probe.Probed]:
    """How fast the model itself writes with each of the two types that `auto` takes."""
    base = ["--gpu-layers", str(chosen.layers), "--threads", str(settings.threads or physical_cores())]
    read, within = min(_READ, need.context // 2), ["--within", str(_SECONDS)]
    found: dict[CacheType, probe.Probed] = {}
    for kind in need.cache_types[:2]:
        one = probe.write_with(path, "ours", [*base, "--kv", kind, "--read", str(read), *within])
        if not one.tokens_per_second:
            return {}
        # the second one reads what the first one could in time
        found[kind], read, within = one, one.read, []
    return found


def _file(settings: ModelSettings) -> Path | None:
    """The model's GGUF file; None for a server, a folder, and what is not here."""
    if models.is_server(settings.name):
        return None
    try:
        path = models.resolve(settings.name)
    except PersonaError:
        return None
    return path if path.is_file() else None
