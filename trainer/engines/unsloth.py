"""Unsloth on CUDA: QLoRA in four bits with its own checkpointing. Unverified: written to its documentation
and never run on a GPU by this project.

Recipe: https://docs.unsloth.ai (Qwen3: all seven projections, dropout 0, its gradient checkpointing).
"""

from collections.abc import Callable

from trainer.architectures import architecture
from trainer.engines.base import Job, Outcome, StepReport, TrainingError
from trainer.engines.peft import fit


class UnslothEngine:
    """The fast engine for one NVIDIA card."""

    name = "unsloth"

    def train(self, job: Job, report: Callable[[StepReport], object]) -> Outcome:
        """Train to the end and save the adapter; resumes from the newest checkpoint."""
        import torch

        if not torch.cuda.is_available():
            raise TrainingError("Unsloth needs an NVIDIA card", "leave `--engine` out")
        # Unsloth patches transformers and TRL as it is imported, so it must come before them.
        from unsloth import FastLanguageModel

        recipe = job.recipe
        model, _ = FastLanguageModel.from_pretrained(
            model_name=str(job.model),
            max_seq_length=recipe.sequence,
            load_in_4bit=recipe.four_bit,
            dtype=None,
        )
        model = FastLanguageModel.get_peft_model(
            model,
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            target_modules=list(architecture(job.model).modules(recipe.modules)),
            bias="none",
            use_gradient_checkpointing="unsloth",
            use_rslora=recipe.rslora,
            use_dora=recipe.dora,
            random_state=recipe.seed,
        )
        return fit(job, model, None, report)
