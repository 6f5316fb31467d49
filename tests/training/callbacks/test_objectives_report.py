"""What a run reports to a search of several objectives is that of its best checkpoint."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader

from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE, TrialContext
from seqlab.errors import InputError
from seqlab.training.callbacks.checkpoints import Saver, read_checkpoint
from seqlab.training.callbacks.objectives_report import FACTS, ObjectivesReport, objectives_of_search

THROUGHPUT = SimpleNamespace(result=lambda: {"tokens": 9, "seconds": 2.0, "flops": 8e6, "tokens_per_second": 4.5})


class Falling(LightningModule):
    """Its loss is lowest after the second epoch; three of its five parameters are trained."""

    def __init__(self):
        super().__init__()
        self.weight, self.fixed = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2), requires_grad=False)

    def training_step(self, batch):
        return self.weight.sum()

    def validation_step(self, batch):
        self.log_dict({"val/loss": [3.0, 1.0, 2.0][self.current_epoch], "val/accuracy": float(self.current_epoch)})

    def configure_optimizers(self):
        return torch.optim.SGD([self.weight], lr=0.1)


def fitted(folder, *names):
    saver = Saver(folder, "val/loss")
    report = ObjectivesReport(names, saver, THROUGHPUT)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    model, data = Falling(), DataLoader(torch.zeros(1))
    Trainer(accelerator="cpu", max_epochs=3, callbacks=[saver, report], **quiet).fit(model, data, data)
    return report, model


def test_metrics_are_those_of_the_best_checkpoint(tmp_path):
    report, model = fitted(tmp_path, "val/accuracy", "parameters")
    assert report.values(model) == {
        **{"val/loss": 1.0, "val/accuracy": 1.0, "parameters": 5, "trained_parameters": 3},
        **{"seconds": 2.0, "flops": 8e6, "tokens_per_second": 4.5},
    }


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_run_that_goes_on_from_a_checkpoint_knows_them(tmp_path, name):
    report, _ = fitted(tmp_path, "val/accuracy", "parameters")
    resumed = ObjectivesReport(report.names, report.saver, THROUGHPUT)
    resumed.load_state_dict(read_checkpoint(tmp_path / f"{name}.ckpt")["callbacks"][report.state_key])
    assert resumed.metrics == {"val/loss": 1.0, "val/accuracy": 1.0}


def test_an_objective_that_no_run_has_ends_it_after_the_first_validation(tmp_path):
    there = ", ".join(("val/accuracy", "val/loss", *FACTS))
    with pytest.raises(InputError, match=f"a run has no 'val/acuracy' to be an objective; there are {there} "):
        fitted(tmp_path, "val/acuracy", "parameters")


@pytest.mark.parametrize(
    ("direction", "names"),
    [("maximize", []), ({"val/loss": "minimize", "seconds": "minimize"}, ["val/loss", "seconds"])],
)
def test_the_search_says_what_its_objectives_are(tmp_path, monkeypatch, direction, names):
    assert objectives_of_search() == []
    file = TrialContext("study", "journal", 0, str(tmp_path), direction=direction).write()
    monkeypatch.setenv(TRIAL_VARIABLE, str(file))
    assert objectives_of_search() == names
