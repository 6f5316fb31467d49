"""Loggers of Weights & Biases and MLflow whose runs a resumed run continues, and that a search's trials share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import MLFlowLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from hydra_pruning_sweeper.file_lock import file_lock
from seqlab.training.tracked_runs import note_tracked, tracked

SQLITE = "sqlite:///"


class WandbRun(WandbLogger):
    """A run of Weights & Biases, kept in `save_dir`, which is the run's folder."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """W&B's run, which begins when this is read for the first time."""
        import wandb

        if self._experiment is not None:
            return self._experiment
        if wandb.run is not None:
            wandb.finish()  # of the run before in a multirun, in which Lightning would log
        run = super().experiment
        if not run.disabled:
            facts = {name: getattr(run, name) for name in ("entity", "project", "group", "name")}
            mode = "offline" if run.offline else "online"
            note_tracked(Path(str(self.save_dir)), "wandb", {"run": run.id, "mode": mode, **facts})
        return run

    @rank_zero_only
    def resume(self, step: int) -> None:
        """Lets W&B continue the interrupted run, which then has what was logged from `step` on twice."""
        if note := tracked(Path(str(self.save_dir))).get("wandb"):
            self._id = self._wandb_init["id"] = note["run"]

    @rank_zero_only
    def add_settings(self, settings: Mapping[str, Any]) -> None:
        """Shows the settings of the run as its config."""
        self.log_hyperparams(dict(settings))


class MlflowRun(MLFlowLogger):
    """A run of MLflow's, noted in the run's `folder`. Many runs share a database, and may begin at once."""

    def __init__(self, folder: str | Path, tracking_uri: str, **settings: Any) -> None:
        with _turn(tracking_uri):  # or two processes create its tables at once, and one fails
            super().__init__(tracking_uri=tracking_uri, **settings)
        self.folder = Path(folder)
        self._goes_on = False

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """MLflow's client; before it returns that for the first time, the run begins."""
        from mlflow.exceptions import MlflowException

        if not self._initialized:
            try:
                _ = super().experiment
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                _ = super().experiment  # another run has made the experiment in between
            note_tracked(self.folder, "mlflow", {"run": self._run_id, "tracking_uri": self._tracking_uri})
        return super().experiment

    @rank_zero_only
    def resume(self, step: int) -> None:
        """Continues the interrupted run, if MLflow still has it; it then has what was logged from `step` on twice."""
        from mlflow.exceptions import MlflowException

        note = tracked(self.folder).get("mlflow")
        if note is None or note["tracking_uri"] != self._tracking_uri:
            return
        with contextlib.suppress(MlflowException):
            if self._mlflow_client.get_run(note["run"]).info.lifecycle_stage == "active":
                self._mlflow_client.update_run(note["run"], status="RUNNING")
                self._run_id = note["run"]
                self._goes_on = True

    @rank_zero_only
    def add_settings(self, settings: Mapping[str, Any]) -> None:
        """Shows the settings of the run as its params, which MLflow never changes: those of a resumed run stay."""
        if not self._goes_on:
            self.log_hyperparams(dict(settings))


@contextlib.contextmanager
def _turn(tracking_uri: str) -> Iterator[None]:
    """A block that one process at a time is in, if the runs are in an SQLite database."""
    if not tracking_uri.startswith(SQLITE):
        yield
        return
    path = Path(tracking_uri.removeprefix(SQLITE))
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(path.with_name(f"{path.name}.lock")):
        yield
