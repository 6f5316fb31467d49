"""What a step of several batches does."""

import functools
from unittest import mock

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from seqlab.data.batch import Examples
from seqlab.metrics.teacher_forced import token_loss
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.training_module import trainable
from seqlab.special_tokens import PAD
from seqlab.training.callbacks import monitors
from seqlab.training.callbacks.monitors import RunSummary


@pytest.mark.parametrize("batches", [2, 1])
def test_a_step_takes_the_mean_of_the_batches_gradients(batches):
    """Each is a mean over its own tokens, however many these are. Of fewer batches, at the end of an epoch, the sum is
    divided by the same number.
    """
    torch.manual_seed(3)
    model = trainable(FixedVector)(11, 13, width=7, embedding=5)
    short, long = (Examples.of([([4, 5], [6] * n)] * 2).batch(np.arange(2)) for n in (1, 9))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    expected = {name: torch.zeros_like(p) for name, p in before.items()}
    taken = (short, long)[:batches]
    for batch in taken:
        target = batch.target[:, 1:]
        loss = token_loss(model(batch.source, batch.source_lengths, batch.target[:, :-1]), target)
        gradients = torch.autograd.grad(loss / (target != PAD).sum(), list(model.parameters()))
        for name, gradient in zip(expected, gradients, strict=True):
            expected[name] += gradient / 2

    model.configure_training(functools.partial(torch.optim.SGD, lr=0.5))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(max_epochs=1, accumulate_grad_batches=2, enable_model_summary=False, **quiet)
    trainer.fit(model, DataLoader(taken, batch_size=None))
    assert trainer.global_step == 1
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name] - 0.5 * expected[name], rtol=0, atol=1e-6)


def test_the_time_ahead_counts_all_batches_of_a_step(monkeypatch, capsys):
    data = mock.Mock(splits=[], source_size=5, target_size=5, reading_remarks=["column: 'text' (guessed)"])
    settings = {"is_global_zero": True, "global_step": 0}
    trainer = mock.Mock(spec=Trainer, accumulate_grad_batches=4, **settings)
    monkeypatch.setattr(monitors, "data_of", lambda trainer: data)
    monkeypatch.setattr(monitors, "leakage_of", lambda data: {})
    monkeypatch.setattr(monitors, "token_lines", lambda data: [])
    monkeypatch.setattr(RunSummary, "_probe", lambda *_: 0.5)
    module = LightningModule()
    module.total_steps = lambda: 10
    RunSummary().on_train_start(trainer, module)
    printed = capsys.readouterr().out
    assert "time        about 20 s of training" in printed
    assert "column      'text' (guessed)" in printed
