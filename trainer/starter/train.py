"""Training of the starter model: a curriculum of ever more memory lines, on fresh lessons only.

Loss: the reply's tokens, plus a fifth of the loss over a sample of the others (learning to predict the
lines is what grows the copying heads). Muon on the matrices, AdamW on embeddings and norms; constant
rate, then linear to zero over the last part of each leg. No lesson is seen twice, so what is measured on the
training batches is held out by nature: `exact` is the share of replies whose every token came first.
"""

import json
import random
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM

from persona.backends.template import ChatTemplate
from trainer.starter import rows
from trainer.starter.bank import load
from trainer.starter.muon import Muon
from trainer.starter.tokenizer import VOCABULARY

LEVELS = (1, 2, 3, 4, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a run. legs: tokens, padding included, at which the rate has come down to zero;
    the model is the mean of what was learned by the end of each, and shares says how much each counts.
    compiled: fused by torch.compile, its products in bfloat16: two minutes to begin, then quicker where the
    processor multiplies bfloat16 (docs/LOG.md).
    """

    legs: tuple[int, ...] = (
        31_200_000, 43_000_000, 49_500_000, 51_200_000, 56_000_000, 58_800_000, 62_000_000,
        65_200_000, 67_300_000, 76_300_000, 80_500_000, 83_900_000,
    )  # fmt: skip
    shares: tuple[int, ...] = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    batch_tokens: int = 6_000
    longest: int = 2_048
    matrix_rate: float = 0.01
    vector_rate: float = 2e-3
    decay_share: float = 0.32
    advance_at: float = 0.3
    other_weight: float = 0.2
    other_share: float = 0.25
    seed: int = 0
    compiled: bool = False


def config() -> Qwen3Config:
    """The shape: 3.8 million parameters, of which 1.0 in the embedding that doubles as the head."""
    return Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=640,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=32,
        max_position_embeddings=4096,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
        use_cache=False,
    )


@dataclass(slots=True)
class Batch:
    """Rows, right-padded: ids, position, branch and said (true where the token is to be said) are
    [rows, longest]. kinds: of every branch of every row, in order.
    """

    ids: Tensor
    position: Tensor
    branch: Tensor
    said: Tensor
    kinds: list[list[str]]

    def sees(self) -> Tensor:
        """[rows, 1, longest, longest]: whether a token attends to another; a branch not to its siblings."""
        own, other = self.branch[:, :, None], self.branch[:, None, :]
        longest = self.ids.shape[1]
        causal = torch.ones(longest, longest, dtype=torch.bool).tril()
        return (((other == 0) | (own == other)) & causal)[:, None]


class Run:
    """One training run: model, optimisers, curriculum, and where it writes."""

    def __init__(self, recipe: Recipe, tokenizer: Path, template: ChatTemplate, out: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.out = out
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.template = template
        self.bank = load()
        self.pad = self.tokenizer.encode("<|endoftext|>").ids[0]
        self.model = Qwen3ForCausalLM(config())
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in n]
        vectors = [p for n, p in self.model.named_parameters() if p.ndim != 2 or "embed" in n]
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=recipe.matrix_rate, weight_decay=0.05),
            torch.optim.AdamW(vectors, lr=recipe.vector_rate, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        self.rates = [recipe.matrix_rate, recipe.vector_rate]
        self.body = torch.compile(self.model.model, dynamic=True) if recipe.compiled else self.model.model
        self.seen = 0
        self.steps = 0
        self.level = 0
        self.recent: deque[tuple[str, bool]] = deque(maxlen=3000)

    def begin_with(self, model: Path) -> None:
        """Take the weights of a finished model, in Hugging Face form, for the end of the first leg. They come
        with no state of the optimisers, which find one again within the first steps."""
        self.model.load_state_dict(Qwen3ForCausalLM.from_pretrained(model).state_dict())
        self.seen, self.level = self.recipe.legs[0], len(LEVELS) - 1
        self.out.mkdir(parents=True, exist_ok=True)
        torch.save(self.model.state_dict(), self._leg(0))
        self.save()

    def train(self) -> None:
        """Run to the end of the recipe, saving every few minutes; continues where `out` left off."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.resume()
        saved = started = time.monotonic()
        first = self.seen
        for batch in self._batches():
            loss = self._step(batch)
            if self.steps % 50 == 0:
                speed = (self.seen - first) / (time.monotonic() - started)
                self._log(loss, speed)
            if time.monotonic() - saved > 180:
                self.save()
                saved = time.monotonic()
            for number, end in enumerate(self.recipe.legs):
                if self.seen >= end and not self._leg(number).exists():
                    torch.save(self.model.state_dict(), self._leg(number))
            if self.seen >= self.recipe.legs[-1]:
                break
        self.save()

    def result(self) -> dict[str, Tensor]:
        """The weighted mean of the legs' ends: it answers better than any, for the price of one."""
        whole = sum(self.recipe.shares)
        mean: dict[str, Tensor] = {}
        for number, share in enumerate(self.recipe.shares):
            for name, end in torch.load(self._leg(number), weights_only=True).items():
                mean[name] = mean.get(name, 0) + end * (share / whole)
        return mean

    def _leg(self, number: int) -> Path:
        return self.out / f"leg-{number}.pt"

    def save(self) -> None:
        """Write model and state, replacing the earlier ones in one move."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "seen": self.seen,
            "steps": self.steps,
            "level": self.level,
            "recipe": asdict(self.recipe),
        }
        torch.save(state, self.out / "state.tmp")
        (self.out / "state.tmp").replace(self.out / "state.pt")

    def resume(self) -> None:
        """Take up the last checkpoint, if there is one."""
        file = self.out / "state.pt"
        if not file.exists():
            return
        state: dict[str, Any] = torch.load(file, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.seen, self.steps, self.level = state["seen"], state["steps"], state["level"]

    def _rows(self) -> Iterator[rows.Row]:
        """Rows at the current level, with a share of easier ones so that nothing is unlearned."""
        rng = random.Random(self.recipe.seed * 1_000_003 + self.steps)
        streams = {
            n: rows.stream(rng.getrandbits(48), n, self.bank, self.tokenizer, self.template) for n in LEVELS
        }
        while True:
            level = self.level if rng.random() < 0.7 else rng.randint(0, self.level)
            row = next(streams[LEVELS[level]])
            if len(row.ids) <= self.recipe.longest:
                yield row

    def _batches(self) -> Iterator[Batch]:
        """Batches of rows of like length, drawn from a pool, in random order."""
        source = self._rows()
        rng = random.Random(self.recipe.seed + 7)
        while True:
            pool = sorted((next(source) for _ in range(192)), key=lambda r: len(r.ids))
            groups: list[list[rows.Row]] = [[]]
            for row in pool:
                if groups[-1] and len(row.ids) * (len(groups[-1]) + 1) > self.recipe.batch_tokens:
                    groups.append([])
                groups[-1].append(row)
            rng.shuffle(groups)
            yield from (self._batch(g) for g in groups)

    def _batch(self, group: list[rows.Row]) -> Batch:
        shape = (len(group), max(len(r.ids) for r in group))
        batch = Batch(
            ids=torch.full(shape, self.pad),
            position=torch.zeros(shape, dtype=torch.long),
            branch=torch.zeros(shape, dtype=torch.long),
            said=torch.zeros(shape, dtype=torch.bool),
            kinds=[row.kinds for row in group],
        )
        for i, row in enumerate(group):
            width = len(row.ids)
            batch.ids[i, :width] = torch.tensor(row.ids)
            batch.position[i, :width] = torch.tensor(row.position)
            batch.branch[i, :width] = torch.tensor(row.branch)
            batch.said[i, :width] = torch.tensor(row.said)
        return batch

    def _step(self, batch: Batch) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.compiled):
            loss, reply_loss, right = self._losses(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * self._schedule()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.seen += batch.ids.numel()
        self.steps += 1
        self._judge(batch, batch.said[:, 1:], right)
        return float(reply_loss.detach())

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, the replies' part of it, and whether each token that is to be said came first."""
        known = self.body(
            input_ids=batch.ids, position_ids=batch.position, attention_mask=batch.sees()
        ).last_hidden_state[:, :-1]
        target = batch.ids[:, 1:]
        said = batch.said[:, 1:]
        follows = batch.branch[:, 1:] == batch.branch[:, :-1]
        sampled = torch.rand(target.shape) < self.recipe.other_share
        others = ~said & follows & (target != self.pad) & sampled
        logits = self.model.lm_head(known[said])
        reply_loss = torch.nn.functional.cross_entropy(logits, target[said])
        other_loss = torch.nn.functional.cross_entropy(self.model.lm_head(known[others]), target[others])
        loss = reply_loss + self.recipe.other_weight * other_loss
        return loss, reply_loss, logits.argmax(-1) == target[said]

    def _schedule(self) -> float:
        end = next((end for end in self.recipe.legs if end > self.seen), self.recipe.legs[-1])
        left = 1 - self.seen / end
        return min(1.0, self.steps / 50 + 0.02, max(left, 0.0) / self.recipe.decay_share)

    def _judge(self, batch: Batch, said: Tensor, right: Tensor) -> None:
        """Note which replies were right to the last token; go up a level when most are."""
        widest = int(batch.branch.max()) + 1
        row = said.nonzero()[:, 0]
        reply = row * widest + batch.branch[:, 1:][said]
        wrong = torch.zeros(len(batch.kinds) * widest, dtype=torch.long).index_add_(0, reply, (~right).long())
        for i, kinds in enumerate(batch.kinds):
            self.recent.extend((kind, not wrong[i * widest + n]) for n, kind in enumerate(kinds, 1))
        reads = [ok for kind, ok in self.recent if kind == "read"]
        if (
            len(reads) > 1000
            and self.level < len(LEVELS) - 1
            and sum(reads) / len(reads) >= self.recipe.advance_at
        ):
            self.level += 1
            self.recent.clear()

    def _log(self, loss: float, speed: float) -> None:
        kinds: dict[str, list[bool]] = {}
        for kind, ok in self.recent:
            kinds.setdefault(kind, []).append(ok)
        exact = {kind: round(sum(v) / len(v), 3) for kind, v in sorted(kinds.items())}
        line = {"steps": self.steps, "tokens": self.seen, "level": LEVELS[self.level], "loss": round(loss, 3)}
        entry = json.dumps({**line, "tokens_per_second": round(speed), "exact": exact})
        print(entry, flush=True)
        with (self.out / "metrics.jsonl").open("a") as log:
            log.write(entry + "\n")
