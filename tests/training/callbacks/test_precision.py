"""The precision that is chosen, and that choosing it changes nothing else."""

import functools
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.precision import MixedPrecision
from torch.utils.data import DataLoader

from seqlab.data.batch import Examples
from seqlab.data.module import SequenceData
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.training_module import trainable
from seqlab.training.callbacks import precision
from seqlab.training.callbacks.precision import FasterPrecision
from seqlab.training.dry_run import WARM_UP

BATCH = Examples.of([([4, 5, 6], [7, 8]), ([4], [5, 6, 7, 8])]).batch(np.arange(2))


@pytest.fixture(autouse=True)
def _typical(monkeypatch):
    monkeypatch.setattr(precision, "data_of", lambda trainer: mock.Mock(spec=SequenceData, most_shapes=None))
    monkeypatch.setattr(precision, "typical_batch", lambda data, device: BATCH)
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)


@pytest.fixture
def steps(monkeypatch):
    """Has steps take the seconds that are given, in float32 and in bf16; the first of each takes much longer."""

    def set_seconds(single, half):
        taken = []

        def timed_step(pl_module, batch, steps):
            taken.append(torch.is_autocast_enabled("cpu"))
            own = half if taken[-1] else single
            return own if taken.count(taken[-1]) > 1 else 100 * own

        monkeypatch.setattr(precision, "timed_step", timed_step)
        return taken

    return set_seconds


def fitted(callback):
    """A trainer of two steps, and its model."""
    torch.manual_seed(3)
    model = trainable(FixedVector)(11, 13, width=7, embedding=5, dropout=0.3)
    model.configure_training(functools.partial(torch.optim.SGD, lr=0.5))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(max_steps=2, callbacks=[callback], enable_model_summary=False, **quiet)
    trainer.fit(model, DataLoader([BATCH, BATCH], batch_size=None))
    return trainer, model


@pytest.mark.parametrize(
    ("single", "half", "chosen"), [(3.0, 2.0, "bf16-mixed"), (2.0, 1.9, "32-true"), (2.0, 3.0, "32-true")]
)
def test_half_precision_is_taken_where_it_is_clearly_faster(steps, capsys, single, half, chosen):
    taken = steps(single, half)
    trainer, _ = fitted(callback := FasterPrecision())
    assert trainer.precision == callback.chosen == chosen
    assert callback.seconds == {"32-true": single, "bf16-mixed": half}
    assert taken[:4] == [False, True, False, True]  # in turn
    assert capsys.readouterr().out.startswith(f"precision   {chosen} ({1000 * single:.1f} ms per step in 32-true")


def test_a_device_without_bf16_is_not_asked(steps, capsys, monkeypatch):
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    steps(3.0, 2.0)
    trainer, _ = fitted(callback := FasterPrecision())
    assert trainer.precision == "32-true"
    assert callback.seconds == {"32-true": 3.0}
    assert "cpu has no bf16" in capsys.readouterr().out


def test_single_precision_is_tf32_where_the_device_has_it(steps, capsys, monkeypatch):
    monkeypatch.setattr(precision, "has_tf32", lambda device: True)
    steps(2.0, 3.0)
    trainer, _ = fitted(callback := FasterPrecision())
    assert trainer.precision == callback.chosen == "tf32"
    assert callback.seconds == {"tf32": 2.0, "bf16-mixed": 3.0}
    assert capsys.readouterr().out.startswith("precision   tf32 (2000.0 ms per step in tf32, 3000.0 ms")


def test_a_run_that_chose_tf32_goes_on_without_it_on_a_machine_that_has_none(steps, capsys):
    steps(2.0, 3.0)
    callback = FasterPrecision()
    callback.load_state_dict({"chosen": "tf32", "seconds": {"tf32": 2.0}})
    trainer, _ = fitted(callback)
    assert trainer.precision == "32-true"
    assert capsys.readouterr().out.startswith("precision   32-true (2000.0 ms per step in tf32")


def test_steps_are_then_in_that_precision(steps, monkeypatch):
    steps(3.0, 2.0)
    dtypes, decode = [], FixedVector.decode

    def noting(self, *arguments):
        logits, state = decode(self, *arguments)
        dtypes.append(logits.dtype)
        return logits, state

    monkeypatch.setattr(FixedVector, "decode", noting)
    fitted(FasterPrecision())
    assert dtypes == [torch.bfloat16] * 2


def test_measuring_leaves_no_trace():
    """Weights after two steps with dropout are those of a run in the same precision that measured nothing."""
    with mock.patch.object(precision, "MIN_SPEEDUP", torch.inf):
        _, model = fitted(FasterPrecision())
    known = FasterPrecision()
    known.load_state_dict({"chosen": "32-true", "seconds": {}})
    _, other = fitted(known)
    for (name, own), theirs in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(own, theirs), name


def test_what_was_chosen_before_is_kept(steps):
    taken = steps(2.0, 3.0)
    callback = FasterPrecision()
    callback.load_state_dict({"chosen": "bf16-mixed", "seconds": {"32-true": 3.0, "bf16-mixed": 2.0}})
    trainer, _ = fitted(callback)
    assert trainer.precision == "bf16-mixed"
    assert taken == []
    assert callback.state_dict() == {"chosen": "bf16-mixed", "seconds": {"32-true": 3.0, "bf16-mixed": 2.0}}


def test_the_first_process_decides(steps):
    steps(2.0, 3.0)
    first = {"32-true": 3.0, "bf16-mixed": 2.0}
    strategy = SimpleNamespace(
        broadcast=lambda own: first if isinstance(own, dict) else own, root_device=torch.device("cpu")
    )
    model = trainable(FixedVector)(11, 13, width=7, embedding=5)
    trainer = mock.Mock(spec=Trainer, strategy=strategy, is_global_zero=False)
    (callback := FasterPrecision()).on_train_start(trainer, model)
    assert callback.chosen == "bf16-mixed"
    assert isinstance(strategy.precision_plugin, MixedPrecision)


def test_where_steps_are_captured_captured_steps_decide(monkeypatch):
    """Each precision has graphs of its own."""
    monkeypatch.setattr(precision, "data_of", lambda trainer: mock.Mock(spec=SequenceData, most_shapes=30))
    timed, done = precision.timed_step, []

    def noting(pl_module, batch, steps):
        done.append((torch.is_autocast_enabled("cpu"), steps))
        return timed(pl_module, batch, steps)

    monkeypatch.setattr(precision, "timed_step", noting)
    fitted(FasterPrecision())
    single, half = ({steps for is_half, steps in done if is_half is wanted} for wanted in (False, True))
    assert (len(single), len(half), single & half) == (1, 1, set())
    rounds = WARM_UP + FasterPrecision.ROUNDS
    for steps in single | half:
        assert (steps.steps, steps.replayed, steps.pool.captured) == (rounds, rounds - 2, 1)


def test_captured_trials_leave_nothing_behind(monkeypatch):
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    _, plain = fitted(FasterPrecision())
    monkeypatch.setattr(precision, "data_of", lambda trainer: mock.Mock(spec=SequenceData, most_shapes=30))
    _, after_captured = fitted(FasterPrecision())
    for one, other in zip(plain.parameters(), after_captured.parameters(), strict=True):
        assert torch.equal(one, other)
