"""The learning rate that a curve suggests, and the rates and losses of a test on a problem solved by hand."""

import math

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from seqlab.training.lr_finder import HALF_WINDOW, RATES, STEPS, RangeTest, suggestion


def curve(rate):
    """Flat at 3, falls along a logistic curve around `rate`, and diverges a hundredfold later."""
    x = np.log10(RATES / rate)
    return list(3 - 2 / (1 + np.exp(-6 * x)) + np.exp(4 * (x - 2)))


@pytest.mark.parametrize("rate", [1e-4, 3e-3, 0.05])
def test_the_steepest_fall_is_suggested(rate):
    assert math.log10(suggestion(curve(rate)) / rate) == pytest.approx(0, abs=0.05)


def test_the_luck_of_a_batch_decides_nothing():
    losses = curve(0.01)
    for step, luck in ((20, -1.5), (60, 1.5), (61, -1.0)):
        losses[step] += luck
    assert math.log10(suggestion(losses) / 0.01) == pytest.approx(0, abs=0.15)


def test_a_fall_after_diverging_is_not_meant():
    losses = [*curve(0.003)[:150], 30.0, 25.0, 18.0, 9.0, float("nan")]
    assert math.log10(suggestion(losses) / 0.003) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("losses", [[], [1.0] * STEPS, list(np.linspace(1, 2, STEPS)), [float("nan")] * STEPS])
def test_a_curve_that_never_falls_suggests_nothing(losses):
    assert suggestion(losses) is None


def test_of_too_few_steps_nothing_is_suggested():
    assert suggestion(list(np.linspace(2, 1, 2 * HALF_WINDOW))) is None
    assert suggestion(list(np.linspace(2, 1, 2 * HALF_WINDOW + 1))) is not None


class Parabola(LightningModule):
    """w² / 2 + 1 from w = 1: a step with rate r makes w (1 − r) of w."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(()))

    def training_step(self, batch, index):
        return self.w**2 / 2 + 1

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=123.0)


@pytest.mark.parametrize("accumulated", [1, 3])
def test_each_step_has_its_rate_and_its_loss(accumulated):
    test = RangeTest()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(
        max_epochs=-1,
        max_steps=STEPS,
        callbacks=[test],
        accumulate_grad_batches=accumulated,
        **quiet,
        enable_model_summary=False,
    )
    trainer.fit(Parabola(), DataLoader(range(12)))
    w, expected = 1.0, []
    for rate in RATES:
        expected.append(w**2 / 2 + 1)
        w *= 1 - rate
    assert test.losses == pytest.approx(expected, rel=1e-3)
    assert max(expected) < 4 * min(expected)  # it never diverges


def test_it_stops_when_there_is_no_more_to_learn():
    class Exploding(Parabola):
        def training_step(self, batch, index):
            return self.w * 0 + (5.0 if self.trainer.global_step == 7 else 1.0)

    test = RangeTest()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    Trainer(max_epochs=-1, max_steps=STEPS, callbacks=[test], enable_model_summary=False, **quiet).fit(
        Exploding(), DataLoader(range(3))
    )
    assert test.losses == [1.0] * 7 + [5.0]
