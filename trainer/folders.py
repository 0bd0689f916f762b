"""Where the trainer writes: under the home's data folder, one folder for data sets, one for each run."""

from pathlib import Path

from persona import paths


def training_dir() -> Path:
    """Everything the trainer writes."""
    return paths.data_dir() / "training"


def dataset_dir() -> Path:
    """The data set that `prepare` writes and the other commands take unless told otherwise."""
    return training_dir() / "dataset"


def runs_dir() -> Path:
    """One folder for each run: adapter, checkpoints, configuration, metrics."""
    return training_dir() / "runs"


def run_dir(name: str) -> Path:
    """The folder of one run."""
    return runs_dir() / name


def bases_dir() -> Path:
    """Models in Hugging Face form, made from GGUFs; can be deleted at any time."""
    return training_dir() / "bases"
