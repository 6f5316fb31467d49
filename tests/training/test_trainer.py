"""The trainer's precision by its settings and its device, and the kernels that a GPU uses."""

import pytest
import torch

from seqlab.config.component import Component
from seqlab.errors import InputError
from seqlab.training import trainer as module
from seqlab.training.callbacks import precision
from seqlab.training.callbacks.precision import FasterPrecision, HalfPrecision, choose_gpu_kernels, precision_facts
from seqlab.training.trainer import build_trainer


@pytest.fixture
def kernels(monkeypatch):
    """Has trainers believe that they are on a GPU; notes how the kernels are chosen."""
    chosen = []
    monkeypatch.setattr(module, "choose_gpu_kernels", lambda tf32: chosen.append(tf32))
    monkeypatch.setattr("lightning.pytorch.strategies.SingleDeviceStrategy.root_device", torch.device("cuda", 0))
    return chosen


def built(**settings):
    component = Component("trainer", {"_target_": "lightning.pytorch.Trainer", "accelerator": "cpu", **settings})
    return build_trainer(component, [], logger=False, enable_checkpointing=False, enable_progress_bar=False)


@pytest.mark.parametrize(
    ("typed", "has_tf32", "name", "kernels_tf32"),
    [
        ("tf32", True, "tf32", True),
        ("tf32", False, "32-true", False),
        ("32-true", True, "32-true", False),
        (None, True, "32-true", False),
        ("bf16-mixed", True, "bf16-mixed", True),
        ("auto", True, "tf32", True),  # until training starts
        ("auto", False, "32-true", False),
    ],
)
def test_on_a_gpu_single_precision_uses_tf32_unless_it_is_asked_not_to(
    kernels, monkeypatch, typed, has_tf32, name, kernels_tf32
):
    monkeypatch.setattr(precision, "has_tf32", lambda device: has_tf32 and device.type == "cuda")
    trainer = built(precision=typed)
    assert str(trainer.precision) == precision_facts(trainer)["precision"] == name
    assert kernels == [kernels_tf32]
    assert any(isinstance(callback, FasterPrecision) for callback in trainer.callbacks) == (typed == "auto")
    assert isinstance(trainer.strategy.precision_plugin, HalfPrecision) == (typed == "bf16-mixed")


@pytest.mark.parametrize("typed", ["tf32", "32-true", "auto"])
def test_a_cpu_has_no_tf32(typed):
    before = torch.backends.cuda.matmul.allow_tf32
    assert built(precision=typed).precision == "32-true"
    assert torch.backends.cuda.matmul.allow_tf32 == before


def test_another_precision_is_refused():
    with pytest.raises(InputError, match=r"trainer.*precision"):
        built(precision="tf16")


@pytest.mark.parametrize("tf32", [True, False])
def test_kernels_of_a_gpu(monkeypatch, tf32):
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        choose_gpu_kernels(tf32)
        assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (tf32, tf32)
        assert torch.get_float32_matmul_precision() == ("high" if tf32 else "highest")  # what Lightning looks at
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
        torch.backends.cuda.enable_cudnn_sdp(True)
