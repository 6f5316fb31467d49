"""Training steps that are captured as CUDA graphs: forward, loss and backward of each shape of batch.

Shapes: N all values of a batch in one row.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqlab.cuda_graphs import ByShape, CapturedWork, CaptureError, GraphPool
from seqlab.data.batch import Batch
from seqlab.models.training_module import StepLosses, TrainingModule
from seqlab.private_parts import add_all, copy_all


class CapturedSteps:
    """Replays the steps of a model: each shape is done eagerly once, captured at its next batch, then replayed.

    Gradients are written to tensors that stay where they are, and given to the parameters by `backward`, so that
    zeroing, accumulation, clipping and the optimizer remain Lightning's. A weight that is used several times has its
    gradients added up in single precision, in half precision, too, where an eager step adds them in half: autocast
    cannot keep its copies of weights in a graph.

    Args:
        model: lies on the device on which it is trained.
        accumulated: returns the number of batches whose gradients are added up.
        on_failure: called with the reason in one line if the steps of this model cannot be captured. They are then done
            eagerly.

    Attributes:
        steps, replayed: how many steps there were, and how many of them replayed a graph.
        pool: knows how many graphs were captured, and the seconds that took.
    """

    def __init__(
        self, model: TrainingModule, accumulated: Callable[[], int], on_failure: Callable[[str], None] = print
    ) -> None:
        self._model, self._accumulated, self._on_failure = model, accumulated, on_failure
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._gradients = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._scale = torch.ones((), device=model.device)  # of the objective: 1 / accumulated batches
        self._batches = 1
        self._shapes: ByShape[_Shape] = ByShape()
        self._used: list[tuple[nn.Parameter, Tensor]] = []  # parameters of the last batch, with their gradients
        self._fails = False
        self.pool = GraphPool(model.device)
        self.steps = self.replayed = 0

    def losses(self, batch: Batch) -> StepLosses:
        """The losses of a batch; its gradients are computed, too. The tensors hold until the next call."""
        if (count := self._accumulated()) != self._batches:
            self._batches = count
            self._scale.copy_(torch.ones_like(self._scale) / count)  # as the loss is divided, to the last bit
        shape = self._shapes.get(tuple(field.shape for field in batch), lambda: _Shape(self, batch))
        shape.read(batch)
        self.steps += 1
        losses = self._done(shape)
        self._used = shape.used
        return losses

    def _done(self, shape: _Shape) -> StepLosses:
        if self._fails:
            return StepLosses(*shape.step())
        try:
            losses = StepLosses(*shape.work())
        except CaptureError as error:
            self._fails = True
            self._on_failure(str(error))
            return StepLosses(*shape.step())
        self.replayed += shape.work.captured
        return losses

    def backward(self) -> None:
        """Gives the gradients of the last batch to the parameters, added to those that are there."""
        sums: list[Tensor] = []
        added: list[Tensor] = []
        for parameter, gradient in self._used:
            if parameter.grad is None:
                # The next batch overwrites `gradient`: while batches are accumulated, parameters need their own.
                parameter.grad = gradient if self._batches == 1 else gradient.clone()
            else:
                sums.append(parameter.grad)
                added.append(gradient)
        if added:
            add_all(sums, added)

    def release(self) -> None:
        """Forgets all graphs and gradients, and so gives their memory back."""
        self._shapes, self._used, self._gradients = ByShape(), [], []

    def gradients_of(self, batch: Batch) -> tuple[StepLosses, list[tuple[nn.Parameter, Tensor]]]:
        """One step, eagerly: losses, and the parameters that the objective depends on with their gradients."""
        kind = batch.source.device.type
        half = torch.is_autocast_enabled(kind)
        with torch.autocast(kind, torch.get_autocast_dtype(kind), enabled=half, cache_enabled=False):
            losses = self._model.losses(batch)
        with torch.autocast(kind, enabled=False):  # backward follows the types of forward
            computed = torch.autograd.grad(losses.objective, self._parameters, self._scale, allow_unused=True)
        used = [one for one in zip(self._parameters, self._gradients, computed, strict=True) if one[2] is not None]
        copy_all([kept for _, kept, _ in used], [new for *_, new in used])
        return losses._replace(objective=losses.objective.detach()), [(parameter, kept) for parameter, kept, _ in used]


class _Shape:
    """The step of one shape of batch, which it reads from a buffer of its own."""

    def __init__(self, steps: CapturedSteps, batch: Batch) -> None:
        self._steps = steps
        self._buffer = batch.packed()
        self._batch = batch.unpacked(self._buffer)
        self.used: list[tuple[nn.Parameter, Tensor]] = []
        self.work = CapturedWork(self.step, steps.pool, check=not steps.steps)

    def read(self, batch: Batch) -> None:
        """Copies a batch into the buffer."""
        torch.cat([field.flatten() for field in batch], out=self._buffer)

    def step(self) -> StepLosses:
        """Does the step eagerly."""
        losses, self.used = self._steps.gradients_of(self._batch)
        return losses
