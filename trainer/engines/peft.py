"""Plain TRL + PEFT: LoRA, DoRA and rsLoRA on CPU, MPS and CUDA; four bits on CUDA with bitsandbytes."""

import time
import warnings
from collections.abc import Callable
from statistics import mean
from typing import TYPE_CHECKING, Any

from trainer.architectures import architecture
from trainer.engines import processes
from trainer.engines.base import Job, Outcome, StepReport
from trainer.engines.memory import peak_mb
from trainer.models import load

if TYPE_CHECKING:
    from transformers import TrainerCallback


class PeftEngine:
    """The engine that runs everywhere."""

    name = "peft"

    def train(self, job: Job, report: Callable[[StepReport], object]) -> Outcome:
        """Train to the end and save the adapter; resumes from the newest checkpoint."""
        from peft import LoraConfig

        recipe = job.recipe
        lora = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            target_modules=list(architecture(job.model).modules(recipe.modules)),
            use_rslora=recipe.rslora,
            use_dora=recipe.dora,
            task_type="CAUSAL_LM",
        )
        return fit(job, self._load(job), lora, report)

    def _load(self, job: Job) -> Any:
        import torch

        four_bit = job.recipe.four_bit and job.device.kind == "cuda"
        options: dict[str, Any] = {}
        if four_bit:
            from transformers import BitsAndBytesConfig

            options["quantization_config"] = BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=torch.bfloat16 if job.device.bf16 else torch.float16,
            )
        dtype = torch.bfloat16 if job.device.bf16 else torch.float32
        return load(job.model, dtype=dtype, **options)


def fit(job: Job, model: Any, lora: Any, report: Callable[[StepReport], object]) -> Outcome:
    """Train `model` with TRL; `lora` is None where the model has its adapter already."""
    from datasets import Dataset, disable_progress_bars
    from transformers import AutoTokenizer, PrinterCallback
    from transformers.trainer_utils import get_last_checkpoint
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    # TRL sets transformers' arguments by names that its newest version gives new ones.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    recipe, device = job.recipe, job.device
    rows = Dataset.from_list(
        [
            {
                "input_ids": list(row.ids),
                "completion_mask": [int(n >= row.prompt) for n in range(len(row.ids))],
            }
            for row in job.rows
        ]
    )
    eight_bit = recipe.optimizer.endswith("8bit") and device.kind != "cuda"
    accumulation = processes.accumulation(recipe.effective_batch, recipe.batch)
    together = accumulation * recipe.batch * processes.count()
    steps_an_epoch = -(-len(job.rows) // together)
    steps = min(recipe.max_steps or 10**9, recipe.epochs * steps_an_epoch)
    settings = SFTConfig(
        output_dir=str(job.checkpoints),
        num_train_epochs=recipe.epochs,
        max_steps=steps,
        per_device_train_batch_size=recipe.batch,
        gradient_accumulation_steps=accumulation,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=min(recipe.warmup_steps, steps // 5),
        weight_decay=recipe.weight_decay,
        optim="adamw_torch" if eight_bit else recipe.optimizer,
        max_length=recipe.sequence,
        completion_only_loss=True,
        packing=False,
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=device.kind == "cpu",
        ddp_backend="gloo" if device.kind == "cpu" and processes.count() > 1 else None,
        ddp_find_unused_parameters=False,
        bf16=device.bf16,
        fp16=device.kind in ("cuda", "rocm") and not device.bf16,
        gradient_checkpointing=device.kind != "cpu",
        dataloader_pin_memory=device.kind in ("cuda", "rocm"),
        logging_steps=1,
        save_steps=max(5, steps // 10),
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
    )
    watch = _watch(job, report)
    trainer = SFTTrainer(
        model=model,
        args=settings,
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(job.model),
        peft_config=lora,
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)
    begun = get_last_checkpoint(str(job.checkpoints)) if job.checkpoints.is_dir() else None
    trainer.train(resume_from_checkpoint=begun)
    if processes.is_main():
        trainer.model.save_pretrained(str(job.adapter))
    return outcome(trainer.state, watch)


def outcome(state: Any, watch: Any) -> Outcome:
    """What TRL's history of a finished training says."""
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    tenth = max(1, len(losses) // 10)
    return Outcome(
        steps=state.global_step,
        loss_first=round(mean(losses[:tenth]), 4),
        loss_last=round(mean(losses[-tenth:]), 4),
        tokens_per_second=round(watch.tokens_per_second, 1),
        peak_mb=peak_mb(),
    )


def _watch(job: Job, report: Callable[[StepReport], object]) -> "TrainerCallback":
    from transformers import TrainerCallback

    mean_tokens = sum(len(row.ids) for row in job.rows) / len(job.rows)

    class Watch(TrainerCallback):  # type: ignore[misc]
        """Turns TRL's log entries into step reports."""

        tokens_per_second = 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._started, self._first = time.monotonic(), state.global_step

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if not logs or "loss" not in logs or not processes.is_main():
                return
            seconds = max(1e-6, time.monotonic() - self._started)
            done = max(1, state.global_step - self._first)
            self.tokens_per_second = done * job.recipe.effective_batch * mean_tokens / seconds
            report(
                StepReport(
                    step=state.global_step,
                    steps=state.max_steps,
                    loss=logs["loss"],
                    learning_rate=logs.get("learning_rate", 0.0),
                    tokens_per_second=self.tokens_per_second,
                    memory_mb=peak_mb(),
                    seconds_left=seconds / done * (state.max_steps - state.global_step),
                )
            )

    return Watch()
