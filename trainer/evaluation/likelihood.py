"""How likely a model finds what the owner really said: negative log-likelihood per token of the reply."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trainer.dataset.rows import Row
from trainer.engines.encode import Encoded, Encoder
from trainer.models import load


def held_out(
    base: Path, adapter: Path, rows: Sequence[Row], tick: Callable[[int], object] = lambda _: None
) -> dict[str, float]:
    """Nats a token by arm: `base` and `tuned`, each without and with the rows' memory blocks."""
    import torch
    from peft import PeftModel

    device = "cuda" if torch.cuda.is_available() else "cpu"
    plain = load(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(plain, str(adapter)).to(device).eval()
    encoder = Encoder(base)
    variants = {
        "": [encoder.row(row.without_memories()) for row in rows],
        "_memory": [encoder.row(row) for row in rows],
    }
    found: dict[str, float] = {}
    done = 0
    for suffix, encoded in variants.items():
        sums = {"base": 0.0, "tuned": 0.0}
        for row in encoded:
            with model.disable_adapter():
                sums["base"] += _loss(model, row, device)
            sums["tuned"] += _loss(model, row, device)
            done += 1
            tick(done)
        tokens = sum(len(row.ids) - row.prompt for row in encoded)
        found |= {name + suffix: round(total / tokens, 4) for name, total in sums.items()}
    return found


def _loss(model: Any, row: Encoded, device: str) -> float:
    """The sum over the reply's tokens."""
    import torch

    ids = torch.tensor([row.ids], device=device)
    with torch.no_grad():
        logits = model(ids).logits[0, row.prompt - 1 : -1].float()
    loss = torch.nn.functional.cross_entropy(logits, ids[0, row.prompt :], reduction="sum")
    return float(loss)
