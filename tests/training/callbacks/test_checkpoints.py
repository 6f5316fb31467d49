"""Checkpoints hold data, not code; the stop of a finished run stays."""

import os
import pickle

import pytest
import torch
from lightning.pytorch import Trainer

from seqlab.errors import InputError
from seqlab.models.fixed_vector import FixedVector
from seqlab.training.callbacks.checkpoints import EarlyStopping, read_checkpoint


class Hostile:
    """Unpickled, this would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_a_checkpoint_that_carries_code_is_refused_and_not_run(tmp_path, save):
    save({"state_dict": Hostile(tmp_path / "made")}, tmp_path / "last.ckpt")
    with pytest.raises(InputError, match=r"last\.ckpt: refused, it holds more than tensors and plain data"):
        read_checkpoint(tmp_path / "last.ckpt")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x80\x02not a pickle"])
def test_a_broken_checkpoint_is_named(tmp_path, content):
    (tmp_path / "last.ckpt").write_bytes(content)
    with pytest.raises(InputError, match=r"last\.ckpt: "):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        read_checkpoint(tmp_path / "last.ckpt")


@pytest.mark.parametrize(("waited", "stops"), [(2, False), (3, True)])
def test_a_run_that_early_stopping_ended_stays_ended(waited, stops):
    callback = EarlyStopping("val/loss", patience=3)
    callback.wait_count = waited
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    callback.on_train_start(trainer, FixedVector(5, 5, width=3))
    assert trainer.should_stop is stops
