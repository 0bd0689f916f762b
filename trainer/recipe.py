"""All that decides a training, and what to give up, in which order, when memory runs out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
FEWER_PROJECTIONS = ("q_proj", "v_proj")
SHORTEST_SEQUENCE, LOWEST_RANK = 512, 4


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training's settings.

    epochs: passes over the data, ended early by max_steps (0: not). batch: rows at once; batch ×
    accumulation: rows between two updates. rank, alpha: of the adapter. sequence: most tokens of a row.
    rslora: scale by alpha/√rank. dora: magnitudes apart. four_bit: QLoRA, on CUDA. optimizer: as
    transformers calls it; an 8-bit one is used on CUDA only.
    """

    epochs: int = 3
    batch: int = 2
    accumulation: int = 4
    learning_rate: float = 5e-4
    rank: int = 8
    alpha: int = 16
    max_steps: int = 300
    warmup_steps: int = 5
    sequence: int = 2048
    optimizer: str = "adamw_torch"
    schedule: str = "linear"
    weight_decay: float = 0.01
    dropout: float = 0.0
    modules: tuple[str, ...] = PROJECTIONS
    rslora: bool = False
    dora: bool = False
    four_bit: bool = False
    seed: int = 3407

    @property
    def effective_batch(self) -> int:
        """Rows between two updates."""
        return self.batch * self.accumulation


@dataclass(frozen=True, slots=True)
class Step:
    """One step down the ladder. said: what changed, for people."""

    recipe: Recipe
    said: str


def ladder(recipe: Recipe) -> Iterator[Step]:
    """Ever less memory: batch (the effective one stays), sequence, rank, DoRA off, fewer modules."""
    rows = recipe.effective_batch
    while recipe.batch > 1:
        fewer = next(n for n in range(recipe.batch // 2, 0, -1) if rows % n == 0)
        recipe = replace(recipe, batch=fewer, accumulation=rows // fewer)
        kept = f"{recipe.batch} × {recipe.accumulation}, together {recipe.effective_batch} as before"
        yield Step(recipe, f"smaller batch: {kept}")
    while recipe.sequence > SHORTEST_SEQUENCE:
        recipe = replace(recipe, sequence=max(SHORTEST_SEQUENCE, recipe.sequence // 2))
        yield Step(recipe, f"rows of at most {recipe.sequence} tokens; longer ones are left out")
    while recipe.rank > LOWEST_RANK:
        rank = max(LOWEST_RANK, recipe.rank // 2)
        recipe = replace(recipe, rank=rank, alpha=max(1, recipe.alpha * rank // recipe.rank))
        yield Step(recipe, f"adapter of rank {recipe.rank}")
    if recipe.dora:
        recipe = replace(recipe, dora=False)
        yield Step(recipe, "DoRA off")
    if set(recipe.modules) - set(FEWER_PROJECTIONS):
        recipe = replace(recipe, modules=FEWER_PROJECTIONS)
        yield Step(recipe, f"adapter on {' and '.join(FEWER_PROJECTIONS)} only")
