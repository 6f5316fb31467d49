"""What watches a run, without training."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqlab.data.batch import Examples
from seqlab.errors import DivergedError
from seqlab.training.callbacks.monitors import GradientWatch, shorter

EXAMPLES = Examples.of([([4], [5])] * 5)
GOOD, BAD = torch.tensor(1.5), torch.tensor(torch.nan)


@pytest.fixture
def watch():
    """Gives a watch on a device, and what tells it the loss of a step on these examples."""

    def make(device):
        watch = GradientWatch()
        module = SimpleNamespace(device=torch.device(device), parameters=list)
        watch.on_train_start(None, module)

        def step(number, loss, rows):
            trainer = SimpleNamespace(global_step=number, current_epoch=number // 10)
            watch.on_train_batch_start(trainer, module, EXAMPLES.batch(np.array(rows)), 0)
            watch.on_before_backward(trainer, module, loss)

        return watch, step

    return make


def test_on_a_cpu_a_loss_that_is_not_finite_stops_before_the_weights_change(watch):
    _, step = watch("cpu")
    step(10, GOOD, [0])
    with pytest.raises(DivergedError, match=r"loss is nan at step 11 \(epoch 1\), on training examples 3, 4;"):
        step(11, BAD, [3, 4])


def test_on_a_gpu_it_stops_a_step_later_and_names_the_step(watch):
    _, step = watch("cuda")
    step(10, GOOD, [0])
    step(11, torch.tensor(torch.inf), [3, 4])
    with pytest.raises(DivergedError, match=r"loss is inf at step 11 \(epoch 1\), on training examples 3, 4;"):
        step(12, GOOD, [1])


@pytest.mark.parametrize("hook", ["on_validation_start", "on_train_end", "on_save_checkpoint"])
def test_on_a_gpu_it_stops_before_anything_is_validated_saved_or_evaluated(watch, hook):
    watcher, step = watch("cuda")
    step(10, GOOD, [0])
    more = ({},) if hook == "on_save_checkpoint" else ()
    getattr(watcher, hook)(None, None, *more)
    step(11, BAD, [3, 4])
    with pytest.raises(DivergedError, match="at step 11 "):
        getattr(watcher, hook)(None, None, *more)


def test_on_a_gpu_the_loss_is_kept_when_its_tensor_is_overwritten(watch):
    """As the replay of a graph does."""
    _, step = watch("cuda")
    loss = torch.tensor(torch.nan)
    step(1, loss, [2])
    loss.fill_(1.0)
    with pytest.raises(DivergedError, match="at step 1 "):
        step(2, loss, [0])


def test_a_long_run_is_told_how_to_be_shorter():
    assert shorter(2.0, 0, epochs=20) == (
        "model_size=small for a small model, trainer.max_epochs=… for fewer epochs than 20, trainer.max_steps=300 for"
        " ten minutes"
    )
    assert "max_epochs" not in shorter(2.0, 0, epochs=-1)
    assert "trainer.max_steps=1300 " in shorter(2.0, 1000, epochs=None)
