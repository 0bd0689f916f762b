"""The trainer's door for Python programs.

tuner = FineTuner(data_path="rows.jsonl")
tuner.train()
print(tuner.test_model(["Soup at ten?"]))
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from trainer import hardware, presets
from trainer import run as running
from trainer.dataset import rows as files
from trainer.dataset.rows import Row, row_id
from trainer.engines import choose
from trainer.engines.base import StepReport, TrainingError
from trainer.estimate import parameters_of
from trainer.folders import training_dir
from trainer.models import resolve
from trainer.run import Result


class FineTuner:
    """One training. data_path: a data set's folder, or one file of rows (all are trained on). model: a
    catalogue name, a GGUF or a folder; `auto` takes what suits this machine. preset: `auto` takes what suits
    the model. changes: `key=value` each.

    Raises PersonaError when the preset, the model or a row is not as it should be.
    """

    def __init__(
        self,
        data_path: str | Path,
        model: str = "auto",
        preset: str = "auto",
        *,
        changes: Sequence[str] = (),
        force_cpu: bool = False,
        max_vram_gb: float | None = None,
    ) -> None:
        choose.require_libraries()
        self._device = hardware.detect(force_cpu=force_cpu, max_vram_gb=max_vram_gb)
        self._model = resolve(hardware.suggest(self._device).model if model == "auto" else model)
        if preset == "auto":
            preset = hardware.suited(self._device, parameters_of(self._model))
        self._preset = preset
        self._recipe = presets.recipe(self._preset, changes)
        self._data = _folder(Path(data_path))
        self._result: Result | None = None

    def train(self, report: Callable[[StepReport], object] = lambda _: None) -> Result:
        """Train, or go on where a killed training stopped."""
        engine = choose.engine("auto", self._device)
        self._result = running.run(
            self._data, self._model, self._preset, self._recipe, engine, self._device, report=report
        )
        return self._result

    def test_model(self, prompts: Sequence[str]) -> list[str]:
        """What the tuned model answers to plain messages. Raises TrainingError before `train`."""
        if self._result is None:
            raise TrainingError("nothing has been trained yet", "call `train()` first")
        from trainer.evaluation.replies import answer
        from trainer.export.export import runnable

        rows = [Row(row_id(text), "style", False, (("user", text),), "") for text in prompts]
        file = runnable(self._result.folder)
        return [r.text for r in answer(file, rows, memory=True, thinking=False, tick=lambda: None)]


def _folder(path: Path) -> Path:
    """`path`, or a folder made for a single file."""
    if path.is_dir():
        return path
    rows = files.read(path)
    folder = training_dir() / "datasets" / row_id(str(path.resolve()))
    shutil.rmtree(folder, ignore_errors=True)
    files.write(folder / files.TRAIN, rows)
    return folder
