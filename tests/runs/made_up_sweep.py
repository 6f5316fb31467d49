"""A sweep's folder, as a finished sweep leaves it."""

import optuna

from hydra_pruning_sweeper.study.journal import journal_storage
from hydra_pruning_sweeper.study.record import SweepRecord


def write_sweep(folder):
    """A folder with a record and, in the journal there, a study of three trials."""
    folder.mkdir(parents=True)
    SweepRecord("made_up", str(folder / "journal.log"), "minimize", 3, program="seqlab-train").write(folder)
    study = optuna.create_study(study_name="made_up", storage=journal_storage(folder / "journal.log"))
    study.optimize(lambda trial: trial.suggest_float("x", 1, 2), n_trials=3)
    return folder
