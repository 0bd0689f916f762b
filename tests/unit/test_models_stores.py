"""Models that other programs keep here: found, used in place, left alone."""

import json
from pathlib import Path

import pytest

from persona import config, models, paths
from persona.errors import ModelError


@pytest.fixture(autouse=True)
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with nothing of any other program."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "OLLAMA_MODELS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def gguf(tiny_model_path: Path) -> bytes:
    return tiny_model_path.read_bytes()


def in_hugging_face(home: Path, repo: str, file: str, content: bytes) -> Path:
    """As huggingface_hub lays it out: a blob, and a link to it under the commit."""
    folder = home / ".cache/huggingface/hub" / f"models--{repo.replace('/', '--')}"
    blob = folder / "blobs" / "ab" / "blob"
    snapshot = folder / "snapshots" / "0123abc" / file
    for path in (blob, snapshot):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    snapshot.symlink_to(blob)
    return snapshot


def in_ollama(folder: Path, name: str, tag: str, content: bytes, digest: str = "sha256:" + "c0" * 32) -> Path:
    manifest = folder / "manifests/registry.ollama.ai/library" / name / tag
    blob = folder / "blobs" / digest.replace(":", "-")
    for path in (manifest, blob):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:" + "00" * 32, "size": 5},
        {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": len(content)},
    ]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return blob


def in_lm_studio(home: Path, publisher: str, repo: str, file: str, content: bytes) -> Path:
    path = home / ".lmstudio/models" / publisher / repo / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_models_of_three_programs_are_found_and_used_where_they_lie(user_home: Path, gguf: bytes) -> None:
    places = [
        in_hugging_face(user_home, "someone/Some-GGUF", "some-Q8_0.gguf", gguf),
        in_ollama(user_home / ".ollama/models", "qwen3", "1.7b", gguf),
        in_lm_studio(user_home, "other", "Other-GGUF", "other-Q4_K_M.gguf", gguf),
    ]
    found = models.found()
    assert [(model.name, model.store, model.path) for model in found] == [
        ("someone/Some-GGUF/some-Q8_0.gguf", "the Hugging Face cache", places[0]),
        ("qwen3:1.7b", "Ollama", places[1]),
        ("other/Other-GGUF/other-Q4_K_M.gguf", "LM Studio", places[2]),
    ]
    for model in found:
        assert models.use(model.name) == model.path
        assert config.load().model.name == str(model.path)
    assert not paths.models_dir().exists()


def test_a_known_model_of_another_program_needs_no_download(user_home: Path) -> None:
    entry = models.known("qwen3-0.6b")
    there = in_lm_studio(user_home, "lmstudio-community", "Qwen3-0.6B-GGUF", entry.file, b"GGUF")
    assert not entry.available  # another size: not this file
    with there.open("r+b") as file:
        file.truncate(entry.bytes)  # sparse
    assert models.pull("qwen3-0.6b") == models.resolve("qwen3-0.6b") == there
    assert entry.path == there
    assert models.found() == []
    with pytest.raises(ModelError, match="another program"):
        models.remove("qwen3-0.6b")
    assert there.exists()


def test_what_cannot_talk_is_not_offered(user_home: Path, gguf: bytes) -> None:
    in_lm_studio(user_home, "a", "b", "mmproj-model-f16.gguf", b"GGUF" + b"clip" * 100)
    in_lm_studio(user_home, "a", "b", "notes.gguf", b"tokenizer.chat_template in a text")
    in_lm_studio(user_home, "a", "b", "large-00002-of-00003.gguf", gguf)
    assert models.found() == []


def test_the_variables_of_the_other_programs_are_heeded(
    tmp_path: Path, gguf: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / ".cache/huggingface"))
    in_ollama(tmp_path / "elsewhere", "mine", "latest", gguf)
    in_hugging_face(tmp_path, "a/b", "c.gguf", gguf)
    assert [model.name for model in models.found()] == ["a/b/c.gguf", "mine:latest"]


@pytest.mark.parametrize(
    "manifest", ["", "[]", "{}", '{"layers": 3}', '{"layers": [{"mediaType": 1}]}', "\x00", '{"layers": [1]}']
)
def test_a_manifest_of_odd_content_is_passed_over(user_home: Path, gguf: bytes, manifest: str) -> None:
    folder = user_home / ".ollama/models"
    in_ollama(folder, "good", "latest", gguf)
    odd = folder / "manifests/registry.ollama.ai/library/odd/latest"
    odd.parent.mkdir()
    odd.write_text(manifest)
    assert [model.name for model in models.found()] == ["good:latest"]


def test_a_manifest_cannot_name_a_file_outside_the_store(user_home: Path, gguf: bytes) -> None:
    folder = user_home / ".ollama/models"
    (user_home / "secret.gguf").write_bytes(gguf)
    in_ollama(folder, "odd", "latest", gguf)
    manifest = folder / "manifests/registry.ollama.ai/library/odd/latest"
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": "../../../secret.gguf"}
    manifest.write_text(json.dumps({"layers": [layer]}))
    assert models.found() == []


def test_remove_deletes_the_download_and_what_is_unfinished_and_nothing_else(persona_home: Path) -> None:
    entry = models.known("qwen3-0.6b")
    folder = paths.models_dir()
    folder.mkdir(parents=True)
    ours = [folder / entry.file, folder / f"{entry.file}.{'0' * 16}.part"]
    for path in (*ours, folder / "twin.gguf"):
        path.write_bytes(b"GGUF")
    assert models.remove("Qwen3-0.6B") == ours
    assert [path.name for path in folder.iterdir()] == ["twin.gguf"]
    with pytest.raises(ModelError, match="no download"):
        models.remove("qwen3-0.6b")
    with pytest.raises(ModelError, match="part of the program"):
        models.remove("starter")


def test_the_model_that_talks_is_not_removed(gguf: bytes) -> None:
    there = models.known("qwen3-0.6b").own_path
    there.parent.mkdir(parents=True)
    there.write_bytes(gguf)
    models.use("qwen3-0.6b")
    with pytest.raises(ModelError, match="talks") as refused:
        models.remove("qwen3-0.6b")
    assert "use starter" in refused.value.hint
    assert there.exists()


GIB = 2**30


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (models.Machine(2 * GIB, 2), "starter"),
        (models.Machine(6 * GIB, 4), "qwen3-0.6b"),
        (models.Machine(8 * GIB, 4), "qwen3-1.7b"),
        (models.Machine(16 * GIB, 8), "qwen3-4b"),
        (models.Machine(16 * GIB, 1), "starter"),
        (models.Machine(128 * GIB, 32), "qwen3-4b"),
        (models.Machine(16 * GIB, 8, graphics=8 * GIB), "qwen3-8b"),
        (models.Machine(0, 8), "starter"),
    ],
)
def test_the_suggestion_fits_the_machine(machine: models.Machine, name: str) -> None:
    suggestion = models.suggested(machine)
    assert suggestion.name == name
    assert "GiB" in suggestion.reason


def test_this_machine_gets_a_model_it_has_the_memory_for() -> None:
    machine = models.this_machine()
    assert machine.cores > 0
    room = max(machine.memory, machine.graphics) / 1e9
    assert models.known(models.suggested().name).memory_gb < room
