"""Whether steps are captured, and what is said of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqlab.cuda_graphs import CaptureError
from seqlab.data.batch import Examples
from seqlab.data.toy import IntegerPairs
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.training_module import trainable
from seqlab.training.callbacks.capture_policy import SHAPES, CapturePolicy


class Lengths(IntegerPairs):
    """Pairs of lengths 1 to `longest`, one in each batch."""

    def __init__(self, longest):
        super().__init__([["1", "2"]], batch_size=1)
        self.examples = {"train": Examples.of([([4] * n, [5] * n) for n in range(1, longest + 1)])}


def decided(use, device="cuda", longest=5, processes=1, scaler=None):
    data = Lengths(longest)
    trainer = SimpleNamespace(
        datamodule=data,
        world_size=processes,
        is_global_zero=True,
        precision="16-mixed",
        precision_plugin=SimpleNamespace(scaler=scaler),
        strategy=SimpleNamespace(root_device=torch.device(device)),
        accumulate_grad_batches=1,
    )
    graphs = CapturePolicy(use)
    graphs.setup(trainer, None, "fit")
    return graphs, trainer, data


@pytest.mark.parametrize(
    ("use", "device", "longest", "shapes"),
    [
        ("auto", "cpu", 5, None),
        (False, "cpu", 5, None),
        (False, "cuda", 5, None),
        ("auto", "cuda", 5, SHAPES),
        ("auto", "cuda", 7 * SHAPES, SHAPES),
        (True, "cuda", 5, SHAPES),
        (True, "cuda", 16 * SHAPES + 1, SHAPES),
    ],
)
def test_what_can_be_captured_is_without_a_word(use, device, longest, shapes, capsys):
    _, _, data = decided(use, device, longest)
    assert data.most_shapes == shapes
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"use": "auto", "longest": 16 * SHAPES + 1}, "more than 30 shapes"),
        ({"use": "auto", "processes": 2}, "2 processes exchange gradients"),
        ({"use": True, "processes": 2}, "2 processes exchange gradients"),
        ({"use": True, "scaler": "a scaler"}, "16-mixed scales its losses"),
    ],
)
def test_what_cannot_be_captured_is_said_in_one_line_and_kept(setting, reason, capsys):
    graphs, _, data = decided(**setting)
    assert data.most_shapes is None
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("graphs      steps are not captured: ")
    assert reason in line
    assert reason in graphs.facts()["not_captured"]


def test_without_a_gpu_it_says_what_it_does_instead(capsys):
    decided(True, "cpu")
    assert "no GPU" in capsys.readouterr().out


def test_steps_that_turn_out_impossible_to_capture_are_said_and_kept(capsys):
    graphs, trainer, data = decided(True, "cpu")
    capsys.readouterr()
    model = trainable(FixedVector)(11, 13, width=7, embedding=5)
    graphs.on_train_start(trainer, model)

    def refuse(work):
        raise CaptureError("operation not permitted when stream is capturing")

    model.step_maker.pool.capture = refuse
    batch = data.examples["train"].batch(np.array([2]))
    for _ in range(3):
        model.step_maker.losses(batch)
    reason = "operation not permitted when stream is capturing"
    assert capsys.readouterr().out == f"graphs      steps are not captured: {reason}\n"
    graphs.on_train_end(trainer, model)
    assert model.step_maker is None
    assert graphs.facts() == {"not_captured": reason}


def test_what_was_captured_is_kept():
    graphs, trainer, data = decided(True, "cpu")
    model = trainable(FixedVector)(11, 13, width=7, embedding=5)
    graphs.on_train_start(trainer, model)
    for row in (0, 1, 0, 1, 1, 2, 0):
        model.step_maker.losses(data.examples["train"].batch(np.array([row])))
    graphs.on_train_end(trainer, model)
    seconds = graphs.facts().pop("seconds")
    assert seconds == 0  # no GPU
    assert {name: v for name, v in graphs.facts().items() if name != "seconds"} == {
        "steps": 7,
        "replayed": 3,
        "graphs": 2,
        "lengths_rounded_to": 1,
    }
