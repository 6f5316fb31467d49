"""metrics.csv: columns as they come, rows that survive a resume; TensorBoard's events, which survive it, too."""

import csv

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqlab.inference.attention_maps import AttentionMaps
from seqlab.training.loggers import CELL, Events, MetricsFile


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def written(tmp_path):
    log = MetricsFile(tmp_path)
    log.log_metrics({"loss": 1.5}, step=0)
    log.log_metrics({"loss": 1.25, "norm": 3.0}, step=1)
    log.log_metrics({"norm": 2.0}, step=2)
    return tmp_path / "metrics.csv"


def test_a_row_each_time_and_columns_as_they_come(written):
    assert rows(written) == [
        {"step": "0", "epoch": "", "loss": "1.5", "norm": ""},
        {"step": "1", "epoch": "", "loss": "1.25", "norm": "3.0"},
        {"step": "2", "epoch": "", "loss": "", "norm": "2.0"},
    ]


def test_a_resumed_log_drops_what_will_be_written_again(written):
    log = MetricsFile(written.parent)
    log.resume(1)
    log.log_metrics({"loss": 9.0, "new": 7.0}, step=1)
    assert [(row["step"], row["loss"], row["new"]) for row in rows(written)] == [("0", "1.5", ""), ("1", "9.0", "7.0")]


def test_no_temporary_file_stays(written):
    assert [path.name for path in written.parent.iterdir()] == ["metrics.csv"]


def test_resumed_events_drop_what_is_written_again(tmp_path):
    def log(steps, loss):
        for step in steps:
            events.log_metrics({"loss": loss}, step=step)
        events.finalize("success")

    events = Events(tmp_path, name="", version="tensorboard")
    log(range(5), 1.5)
    events = Events(tmp_path, name="", version="tensorboard")
    events.resume(3)
    log(range(3, 6), 9.0)
    found = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("loss")
    expected = [(0, 1.5), (1, 1.5), (2, 1.5), (3, 9.0), (4, 9.0), (5, 9.0)]
    assert [(one.step, one.value) for one in found] == expected


def test_tensorboard_shows_settings_and_attention(tmp_path):
    events = Events(tmp_path, name="", version="tensorboard")
    events.add_settings({"model": {"width": 7}, "seed": 3})
    events.finalize("success")  # as evaluating does
    weights = torch.tensor([[[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]]])
    events.add_attention(AttentionMaps(["a", "b"], ["x", "y", "<eos>"], {"attention": weights}), step=5)
    shown = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (settings,) = shown.Tensors("settings/text_summary")
    assert settings.tensor_proto.string_val == [b"    model:\n      width: 7\n    seed: 3\n"]
    (picture,) = shown.Images("attention/attention")
    assert (picture.step, picture.height, picture.width) == (5, 3 * CELL, 2 * CELL)
    (tokens,) = shown.Tensors("attention/text_summary")
    assert b"columns: a b\n\nrows: x y <eos>" in tokens.tensor_proto.string_val[0]
