"""Decides whether training steps are captured as CUDA graphs."""

from __future__ import annotations

from typing import Any, Literal, cast

from lightning.pytorch import Callback, LightningModule, Trainer

from seqlab.data.module import data_of
from seqlab.models.training_module import TrainingModule
from seqlab.training.callbacks.printing import print_line
from seqlab.training.captured_steps import CapturedSteps

SHAPES = 30
"""Shapes of batches that an epoch has at most: each is done eagerly once and captured once."""


class CapturePolicy(Callback):
    """Captures the training steps of each shape of batch, and pads batches so that there are few shapes.

    Args:
        use: "auto" captures on a GPU if padding leaves an epoch few shapes; True captures however many there are, and
            without a GPU does the same steps eagerly on the same buffers; False does not capture.
    """

    def __init__(self, use: bool | Literal["auto"] = "auto") -> None:
        self.use = use
        self._steps: CapturedSteps | None = None
        self._multiple = 1
        self._reason: str | None = None  # why steps are not captured after all

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Decides, before Lightning asks for the training batches, whether they are padded further."""
        if stage != "fit" or self.use is False:
            return
        on_gpu = trainer.strategy.root_device.type == "cuda"
        if self.use == "auto" and not on_gpu:
            return
        self._multiple, shapes = data_of(trainer).training_batches().round_lengths(SHAPES)
        self._reason = self._obstacle(trainer, shapes)
        if self._reason is None:
            data_of(trainer).most_shapes = SHAPES
            if not on_gpu:
                print_line("graphs      there is no GPU: steps run eagerly on the buffers that graphs would have")
        elif trainer.is_global_zero:
            self._print_reason(self._reason)

    def _obstacle(self, trainer: Trainer, shapes: int) -> str | None:
        if trainer.world_size > 1:
            return f"{trainer.world_size} processes exchange gradients during the backward pass"
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            return f"{trainer.precision} scales its losses by a number that changes"
        if self.use == "auto" and shapes > SHAPES:
            return f"batches of an epoch have more than {SHAPES} shapes (cuda_graphs=true captures them all the same)"
        return None

    def _print_reason(self, reason: str) -> None:
        print_line(f"graphs      steps are not captured: {reason}")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lets captured steps do the training."""
        module = cast(TrainingModule, pl_module)
        if data_of(trainer).most_shapes is not None:
            self._steps = CapturedSteps(module, lambda: trainer.accumulate_grad_batches, self._give_up)
            module.step_maker = self._steps

    def _give_up(self, reason: str) -> None:
        self._reason = reason
        self._print_reason(reason)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gives the memory of the graphs back."""
        self._release(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Gives the memory of the graphs back."""
        self._release(pl_module)

    def _release(self, pl_module: LightningModule) -> None:
        cast(TrainingModule, pl_module).step_maker = None
        if self._steps is not None:
            self._steps.release()

    def facts(self) -> dict[str, Any] | None:
        """For `result.json`, of this part of the run: steps, how many of them replayed a graph, how many graphs were
        captured and in how many seconds, and to multiples of which number lengths were rounded up. With an obstacle,
        its reason alone; None if nothing was to be captured.
        """
        if self._reason is not None:
            return {"not_captured": self._reason}
        if self._steps is None:
            return None
        steps = self._steps
        return {
            "steps": steps.steps,
            "replayed": steps.replayed,
            "graphs": steps.pool.captured,
            "seconds": steps.pool.seconds,
            "lengths_rounded_to": self._multiple,
        }
