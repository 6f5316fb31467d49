"""A trial in a foreign Lightning application: whatever diverges is pruned, what was pruned stays stopped."""

import math
import time

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from sweeper_support.simulation import PAUSING
from torch.utils.data import DataLoader

from hydra_pruning_sweeper.errors import DivergenceError, InterruptionError, UsageError
from hydra_pruning_sweeper.execution.outcome import settled_outcome
from hydra_pruning_sweeper.study.pausing import PAUSES, with_promotion
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial import lightning_callback
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE, TrialContext
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.trial.lightning_callback import PaceReport, TrialReport
from hydra_pruning_sweeper.trial.pace import PACE_VARIABLE, Pace


class Foreign(LightningModule):
    """One weight, driven to infinity by its rate."""

    def __init__(self, rate, broken=""):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.rate, self.broken = rate, broken

    def training_step(self, batch, index):
        loss = (self.weight * batch).square().sum()
        if self.broken == "step" and not torch.isfinite(loss):
            raise ValueError("my own check")
        return loss

    def validation_step(self, batch, index):
        loss = (self.weight * batch).square().sum()
        if self.broken == "validation":
            raise ValueError("cannot be measured")
        self.log("val/loss", torch.ones(()) if self.broken == "metric" else loss)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate)


class Watch(Callback):
    """Raises over a loss that is not finite, or whatever it is given."""

    def __init__(self, error=None):
        self.error = error

    def on_before_backward(self, trainer, pl_module, loss):
        if self.error is not None or not torch.isfinite(loss):
            raise self.error or ValueError("the loss is no number")


@pytest.fixture
def trial(tmp_path, monkeypatch):
    """Trains a trial of a study and gives what became of it, by its own account."""

    def run(rate, *callbacks, direction="minimize", broken="", pruner=None, **options):
        store = StudyStorage(str(tmp_path / "journal.log"))
        run.study = SharedStudy(store, "s", direction, Space([parameter("x", "interval(0,1)")]), Rules(1))
        run.study.take()
        given = TrialContext("s", store.url, 0, str(tmp_path / "0"), direction=direction, pruner=pruner)
        monkeypatch.setenv(TRIAL_VARIABLE, str(given.write()))
        trainer = Trainer(
            callbacks=list(callbacks),
            max_epochs=2,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **options,
        )
        data = DataLoader(torch.ones(3))
        try:
            trainer.fit(Foreign(rate, broken), data, data)
        finally:
            run.progress = TrialEvents(tmp_path / "0").read()
        return trainer

    return run


def test_what_is_validated_outside_of_training_is_no_report(trial, tmp_path):
    report = TrialReport("val/loss")
    trainer = trial(0.1, report)
    assert report.steps == 2
    trainer.validate(trainer.lightning_module, DataLoader(torch.ones(3)), verbose=False)
    assert report.steps == 2


@pytest.mark.parametrize("first", [True, False])
def test_a_loss_that_diverges_is_seen_before_whoever_raises_over_it(trial, first):
    callbacks = [TrialReport("val/loss"), Watch()]
    with pytest.raises(ValueError, match="no number"):
        trial(1e30, *(callbacks if first else callbacks[::-1]))
    assert (settled_outcome(trial.progress).state.name, settled_outcome(trial.progress).error) == ("PRUNED", "diverged")


@pytest.mark.parametrize("hook", ["on_validation_epoch_end", "on_validation_end"])
@pytest.mark.parametrize("monitor", ["val/loss", "accuracy"])
def test_an_error_over_a_validation_s_loss_is_a_divergence(trial, monkeypatch, hook, monitor):
    """The weights and the last loss of training are still finite then."""
    monkeypatch.setattr(Watch, hook, lambda self, trainer, module: module.missing, raising=False)
    with pytest.raises(AttributeError, match="missing"):
        trial(1e30, Watch(), TrialReport(monitor), limit_train_batches=1)
    assert trial.progress.diverged


def test_an_error_of_its_own_over_a_loss_is_a_divergence_if_it_says_so_or_the_weights_do(trial):
    with pytest.raises(DivergenceError):
        trial(0.1, TrialReport("val/loss"), Watch(DivergenceError("far off")))
    assert trial.progress.diverged


def test_weights_that_are_no_numbers_are_a_divergence_though_the_metric_is_one(trial):
    trainer = trial(1e30, TrialReport("val/loss"), broken="metric")
    assert trainer.current_epoch == 1  # stopped after its first epoch
    assert trial.progress.diverged


@pytest.mark.parametrize("broken", ["step", "validation"])
def test_an_error_in_training_or_validation_is_a_divergence_if_the_weights_are_no_numbers(trial, broken):
    with pytest.raises(ValueError, match=r"my own check|cannot be measured"):
        trial(math.inf if broken == "step" else 1e30, TrialReport("val/loss"), broken=broken)
    assert trial.progress.diverged


def test_other_errors_are_failures(trial):
    with pytest.raises(KeyError):
        trial(0.1, TrialReport("val/loss"), Watch(KeyError("x")))
    assert not trial.progress.diverged


def test_a_search_in_the_other_direction_is_refused(trial):
    with pytest.raises(UsageError, match=r"TrialReport.mode is min, but hydra.sweeper.direction is maximize"):
        trial(0.1, TrialReport("val/loss"), direction="maximize")


@pytest.mark.parametrize(("objective", "refused"), [("val/loss", True), ("other", False)])
def test_of_several_objectives_the_one_that_is_monitored_decides(trial, objective, refused):
    goal = {objective: "maximize", "size": "minimize"}
    if refused:
        with pytest.raises(UsageError, match=r"TrialReport.mode is min, but hydra.sweeper.direction is maximize"):
            trial(0.1, TrialReport("val/loss"), direction=goal)
    else:
        trial(0.1, TrialReport("val/loss"), direction=goal)
        assert len(trial.progress.reported) == 2


def test_what_was_pruned_stays_stopped_when_it_is_resumed(trial):
    resumed = TrialReport("val/loss")
    resumed.load_state_dict({"steps": 1, "stopped": True})
    assert trial(0.1, resumed, limit_train_batches=1).current_epoch < 2


def trained(folder, *callbacks):
    """Three epochs of four steps, each with a validation."""
    loader = DataLoader(torch.ones(4, 1))
    trainer = Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=list(callbacks),
    )
    trainer.fit(Foreign(1e-3), loader, loader)


class Slow(Callback):
    """Takes its time over each step, and far more over a validation."""

    def on_before_backward(self, trainer, pl_module, loss):
        time.sleep(0.01)

    def on_validation_epoch_start(self, trainer, pl_module):
        time.sleep(0.3)


def test_the_pace_of_training_leaves_validation_out(tmp_path, monkeypatch):
    path = tmp_path / "pace.json"
    monkeypatch.setenv(PACE_VARIABLE, str(path))
    monkeypatch.setattr(lightning_callback, "PACE_SECONDS", 0.0)
    seen = []

    class Reader(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen.append(Pace.read(path).steps)

    begun = time.monotonic()
    trained(tmp_path, PaceReport(), Slow(), Reader())
    seconds = time.monotonic() - begun
    assert seen == list(range(12))
    pace = Pace.read(path)
    assert (pace.steps, pace.device) == (12, None)
    assert 0.12 <= pace.seconds <= seconds - 3 * 0.3


def test_nobody_reads_the_pace(tmp_path, monkeypatch):
    monkeypatch.delenv(PACE_VARIABLE, raising=False)
    trained(tmp_path, PaceReport())
    assert list(tmp_path.iterdir()) == []


def test_a_trial_reports_its_pace_where_somebody_reads_it(trial, tmp_path, monkeypatch):
    monkeypatch.setenv(PACE_VARIABLE, str(tmp_path / "pace.json"))
    trial(1e-3, TrialReport("val/loss"))
    assert Pace.read(tmp_path / "pace.json").steps > 0


def test_a_paused_trial_stops_after_its_epoch_and_goes_on_when_it_is_promoted(trial):
    report = TrialReport("val/loss")
    assert trial(0.1, report, pruner=PAUSING).current_epoch == 1
    assert report.state_dict() == {"steps": 1, "stopped": False}
    assert settled_outcome(trial.progress).paused_after == 1
    promote(trial)
    resumed = TrialReport("val/loss")
    resumed.load_state_dict(report.state_dict())
    assert trial(0.1, resumed, pruner=PAUSING).current_epoch == 2
    assert (resumed.steps, resumed.stopped) == (3, False)


def test_a_promoted_trial_that_begins_again_is_not_paused_where_it_was(trial):
    trial(0.1, TrialReport("val/loss"), pruner=PAUSING)
    promote(trial)
    report = TrialReport("val/loss")
    assert trial(0.1, report, pruner=PAUSING).current_epoch == 2
    assert report.steps == 2


def test_within_an_epoch_a_trial_is_paused_as_by_a_kill(trial):
    """Lightning would end the epoch there, and the checkpoint that follows would skip the rest of it."""
    report = TrialReport("val/loss")
    with pytest.raises(InterruptionError, match="paused after validation 1, until it is promoted"):
        trial(0.1, report, pruner=PAUSING, val_check_interval=1)
    assert report.state_dict() == {"steps": 1, "stopped": False}
    assert settled_outcome(trial.progress).paused_after == 1


def promote(trial):
    """Pauses the trial after its first step, as its controller does, and promotes it."""
    study = trial.study
    assert study.pause(0, 1)
    study.storage.set_trial_user_attr(study._id(0), PAUSES, with_promotion(study.trials()[0]))
