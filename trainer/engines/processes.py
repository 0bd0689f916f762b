"""Several processes that train one adapter: how `torchrun` and `accelerate launch` tell each what it is."""

import os


def count() -> int:
    """How many train together; 1 where nobody launched more."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this is the one that writes and speaks."""
    return int(os.environ.get("RANK", "0")) == 0


def accumulation(rows: int, batch: int) -> int:
    """Batches that each process takes between two updates, so that all together see `rows` or a few more."""
    return max(1, -(-rows // (batch * count())))
