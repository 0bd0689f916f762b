"""Models by name and path."""

from pathlib import Path

import gguf
import pytest

from persona import config, models, paths
from persona.config import ModelSettings
from persona.errors import ModelError


def test_the_catalogue_names_the_starter_then_qwen3_then_other_families() -> None:
    known = models.catalogue()
    assert next(iter(known)) == "starter"
    assert {"qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b"} < set(known)
    assert known["starter"].path == paths.starter_model()
    downloads = [entry for entry in known.values() if entry.name != "starter"]
    assert all(entry.repo.count("/") == 1 and entry.file.endswith(".gguf") for entry in downloads)
    assert all(entry.memory_gb > entry.size_gb > 0.5 for entry in downloads)
    assert len({entry.file for entry in downloads}) == len(downloads)
    qwen3 = [entry for entry in downloads if entry.family == "Qwen3"]
    others = downloads[len(qwen3) :]
    assert downloads[: len(qwen3)] == qwen3
    for entries in (qwen3, others):
        assert [entry.memory_gb for entry in entries] == sorted(entry.memory_gb for entry in entries)
    assert all(entry.about.startswith("Another family") for entry in others)
    assert all((entry.sampling == "qwen3") == (entry.family == "Qwen3") for entry in downloads)


def test_a_path_is_itself(tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert models.resolve(str(tiny_model_path)) == tiny_model_path
    monkeypatch.chdir(tiny_model_path.parent)
    assert models.resolve(tiny_model_path.name) == tiny_model_path


def test_a_known_model_that_is_not_here_says_how_to_get_it() -> None:
    with pytest.raises(ModelError, match=r"qwen3-4b") as missing:
        models.resolve("Qwen3-4B")
    assert "persona models pull qwen3-4b" in missing.value.hint
    assert "Qwen3-4B-Q4_K_M.gguf" in missing.value.hint
    assert str(paths.models_dir()) in missing.value.hint


def test_a_downloaded_model_is_found_by_name(tiny_model_path: Path) -> None:
    there = paths.models_dir() / "Qwen3-0.6B-Q8_0.gguf"
    there.parent.mkdir(parents=True)
    there.write_bytes(tiny_model_path.read_bytes())
    assert models.catalogue()["qwen3-0.6b"].available
    assert models.resolve("qwen3-0.6b") == there


@pytest.mark.parametrize("name", ["no-such-model", "/nowhere/model.gguf", "model.gguf"])
def test_an_unknown_name_or_path_lists_the_known_names(name: str) -> None:
    with pytest.raises(ModelError) as unknown:
        models.resolve(name)
    assert name in unknown.value.message
    assert "qwen3-1.7b" in unknown.value.hint


def test_info_reads_the_header_alone(tiny_model_path: Path) -> None:
    info = models.info(tiny_model_path)
    reader = gguf.GGUFReader(tiny_model_path)
    assert info.parameters == sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert (info.name, info.architecture, info.context) == ("tiny random qwen3", "qwen3", 8192)
    assert info.trained_context is None
    assert not info.is_starter
    assert info.details == {
        "quantisation": "F32",
        "context_length": "32768",
        "chat_template": "yes",
        "size_bytes": str(tiny_model_path.stat().st_size),
    }


@pytest.mark.parametrize("marked_by", ["name", "key"])
def test_the_starter_says_what_it_is(tmp_path: Path, marked_by: str) -> None:
    path = tmp_path / "starter.gguf"
    writer = gguf.GGUFWriter(str(path), "qwen3")
    writer.add_name("persona-starter 1" if marked_by == "name" else "reader")
    if marked_by == "key":
        writer.add_bool("persona.starter", True)
    writer.add_context_length(4096)
    writer.add_uint32("persona.trained_context", 2048)
    writer.add_uint32("persona.memory_tokens", 200)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    info = models.info(path)
    assert info.is_starter
    assert (info.context, info.trained_context, info.memory_tokens) == (4096, 2048, 200)
    assert info.details["quantisation"] == "F16"


def test_use_writes_the_setting(tiny_model_path: Path) -> None:
    assert models.use(str(tiny_model_path)) == tiny_model_path
    assert config.load().model.name == str(tiny_model_path)


def test_use_refuses_what_is_no_model_and_keeps_the_setting(tmp_path: Path) -> None:
    text = tmp_path / "notes.gguf"
    text.write_text("not a model")
    with pytest.raises(ModelError):
        models.use(str(text))
    assert config.load().model.name == "starter"


def test_open_backend_opens_what_the_settings_name(tiny_model_path: Path) -> None:
    backend = models.open_backend(ModelSettings(name=str(tiny_model_path), threads=1))
    assert backend.info.path == str(tiny_model_path)
    backend.close()


def test_a_header_cut_anywhere_is_an_error(tiny_model_path: Path, tmp_path: Path) -> None:
    whole = tiny_model_path.read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in (4, 10, 23, 24, 40, 300, 2000, 9000):
        cut.write_bytes(whole[:size])
        with pytest.raises(ModelError, match="not a readable GGUF"):
            models.info(cut)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        models.info(tmp_path)
