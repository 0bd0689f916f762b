"""Models that other programs keep on this machine: used where they lie, never copied, never changed."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_OLLAMA_DEFAULT = ("registry.ollama.ai", "library")
_OLLAMA_MODEL = "application/vnd.ollama.image.model"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")
# A header with a vocabulary of 260,000 words takes about 16 MB; the template is one of its values.
_HEADER_AT_MOST = 32 * 2**20


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model file of another program. name: as that program calls it. size_bytes: of its first file."""

    name: str
    path: Path
    store: str
    size_bytes: int


def installed() -> Iterator[FoundModel]:
    """Every model file in the stores of other programs."""
    yield from _hugging_face()
    yield from _ollama()
    yield from _lm_studio()


def holding(file: str, size_bytes: int) -> Path | None:
    """Where another program keeps this very file, by its name and exact size."""
    for model in installed():
        if (model.path.name, model.size_bytes) == (file, size_bytes):
            return model.path
    return None


def can_talk(path: Path) -> bool:
    """Whether it is a GGUF with a chat template of its own: image and embedding models mostly have none."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_AT_MOST)
    except OSError:
        return False
    return head.startswith(b"GGUF") and b"tokenizer.chat_template" in head


def hugging_face_folder() -> Path:
    """The hub's cache, by the rules of huggingface_hub, whose import would take longer than the look."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(os.environ.get("HF_HOME") or base).expanduser() / "hub"


def ollama_folders() -> list[Path]:
    """Where Ollama keeps its models: the user's own, and the service's on Linux."""
    if os.environ.get("OLLAMA_MODELS"):
        return [Path(os.environ["OLLAMA_MODELS"]).expanduser()]
    return [Path.home() / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models")]


def lm_studio_folders() -> list[Path]:
    """Where LM Studio keeps its models, today's place and the one before it."""
    return [Path.home() / ".lmstudio" / "models", Path.home() / ".cache" / "lm-studio" / "models"]


def _hugging_face() -> Iterator[FoundModel]:
    seen: set[tuple[str, str]] = set()
    for path in _files(hugging_face_folder(), "models--*/snapshots/*/*.gguf"):
        repo = path.parents[2].name.removeprefix("models--").replace("--", "/")
        if (repo, path.name) not in seen:  # the same file under several commits
            seen.add((repo, path.name))
            yield from _model(f"{repo}/{path.name}", path, "the Hugging Face cache")


def _lm_studio() -> Iterator[FoundModel]:
    for folder in lm_studio_folders():
        for path in _files(folder, "*/*/*.gguf"):
            yield from _model(path.relative_to(folder).as_posix(), path, "LM Studio")


def _ollama() -> Iterator[FoundModel]:
    for folder in ollama_folders():
        for manifest in _files(folder / "manifests", "*/*/*/*"):
            host, owner, model, tag = manifest.parts[-4:]
            where = "" if (host, owner) == _OLLAMA_DEFAULT else f"{host}/{owner}/"
            blob = _ollama_blob(folder, manifest)
            if blob is not None:
                yield from _model(f"{where}{model}:{tag}", blob, "Ollama")


def _ollama_blob(folder: Path, manifest: Path) -> Path | None:
    """The weights a manifest names; None where it names none, or is not what we know."""
    try:
        layers = json.loads(manifest.read_text(encoding="utf-8"))["layers"]
        digest = next(layer["digest"] for layer in layers if layer["mediaType"] == _OLLAMA_MODEL)
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        return None
    return folder / "blobs" / digest.replace(":", "-")


def _files(folder: Path, pattern: str) -> list[Path]:
    """Matching files in a steady order, first parts of models in several; none where not allowed to look."""
    try:
        return sorted(path for path in folder.glob(pattern) if not _LATER_PART.search(path.name))
    except OSError:
        return []


def _model(name: str, path: Path, store: str) -> Iterator[FoundModel]:
    try:
        if path.is_file():
            yield FoundModel(name, path, store, path.stat().st_size)
    except OSError:
        return
