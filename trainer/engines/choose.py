"""Which engine trains here."""

from importlib.util import find_spec

from trainer.engines.base import Engine, TrainingError
from trainer.hardware import Device

_NEEDED = ("transformers", "trl", "peft", "accelerate", "datasets", "gguf")


def require_libraries() -> None:
    """Raises TrainingError when the training extra is not installed."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise TrainingError(
            f"training needs libraries that are not installed: {', '.join(missing)}",
            "install them with `pip install 'persona-twin[train]'`",
        )


def engine(name: str, device: Device) -> Engine:
    """The engine of that name; `auto` takes Unsloth on CUDA where it is installed, else TRL + PEFT.

    Raises TrainingError when it cannot run here.
    """
    from trainer.engines.peft import PeftEngine
    from trainer.engines.unsloth import UnslothEngine

    installed = find_spec("unsloth") is not None
    if name == "unsloth":
        # Tested before its import: without CUDA Unsloth takes a road of its own.
        if device.kind != "cuda" or not installed:
            raise TrainingError(
                "Unsloth needs an NVIDIA card and `pip install 'persona-twin[unsloth]'`",
                "leave `--engine` out: TRL + PEFT run everywhere",
            )
        return UnslothEngine()
    return UnslothEngine() if name == "auto" and device.kind == "cuda" and installed else PeftEngine()
