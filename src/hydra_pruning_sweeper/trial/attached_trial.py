"""A trial in the storage, as the process that runs it sees it: reports values, and asks the pruner."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.study.pausing import PauseAndPromote, promoted_after

NOTE = "note:"  # begins the names of attributes that the user gave


class AttachedTrial:
    """A running trial of a study that another process has started.

    Raises:
        ValueError: the trial is not running.
    """

    def __init__(self, study: str, number: int, storage: BaseStorage, pruner: BasePruner) -> None:
        self.study, self.number, self.storage, self.pruner = study, number, storage, pruner
        self._study_id = storage.get_study_id_from_name(study)
        self._trial_id = storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        if (state := self.trial().state) != TrialState.RUNNING:
            raise ValueError(f"trial {number} of {study} is not running, but {state.name}")

    @property
    def pauses(self) -> bool:
        """Whether the pruner pauses trials, instead of ending them."""
        return isinstance(self.pruner, PauseAndPromote)

    @property
    def promoted(self) -> tuple[int, ...]:
        """The steps after which the trial was paused and then promoted."""
        return promoted_after(self.trial())

    def trial(self) -> FrozenTrial:
        """The trial's present state in the storage."""
        return self.storage.get_trial(self._trial_id)

    def report(self, value: float, step: int) -> None:
        """Reports a value, unless the step has one already."""
        if step not in self.trial().intermediate_values:
            self.storage.set_trial_intermediate_value(self._trial_id, step, value)

    def decide(self, step: int) -> tuple[bool, dict[str, Any]]:
        """Whether the pruner would stop, or pause, the trial after `step`, and the attributes that it would set.

        Pruners write attributes (the rung that was reached) into the storage before they answer. They get a view that
        intercepts these, so that answer and attributes are recorded together or not at all.
        """
        if isinstance(self.pruner, NopPruner):
            return False, {}
        view = _View(self.storage, self._trial_id, step)
        study = optuna.Study(self.study, cast(BaseStorage, view), pruner=self.pruner)
        return bool(self.pruner.prune(study, view.get_trial(self._trial_id))), view.notes  # some return numpy.bool

    def note(self, notes: dict[str, Any]) -> None:
        """Writes the attributes that the pruner set. May be repeated."""
        known = self.trial().system_attrs
        for name, value in notes.items():
            if known.get(name) != value:
                self.storage.set_trial_system_attr(self._trial_id, name, value)

    def keep_note(self, name: str, value: Any) -> None:
        """Writes an attribute of the trial that the user gave."""
        self.storage.set_trial_user_attr(self._trial_id, f"{NOTE}{name}", value)

    def keep_file(self, path: Path, store: Path) -> None:
        """Copies a file into the artifact store in the folder `store`, as an artifact of the trial."""
        from optuna.artifacts import FileSystemArtifactStore, upload_artifact  # takes a quarter of a second

        store.mkdir(exist_ok=True)
        artifacts = FileSystemArtifactStore(store)
        upload_artifact(
            artifact_store=artifacts, file_path=str(path), study_or_trial=self.trial(), storage=self.storage
        )


class _View:
    """A storage as it was when a trial had reached a step; attributes that are set on the trial stay in the view."""

    def __init__(self, storage: BaseStorage, trial_id: int, step: int) -> None:
        self._storage, self._trial_id, self._step = storage, trial_id, step
        self.notes: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keeps the attribute in the view."""
        assert trial_id == self._trial_id
        self.notes[key] = value

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial, as the view shows it."""
        return self._as_of_step(self._storage.get_trial(trial_id))

    def get_all_trials(self, study_id: int, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
        """All trials, as the view shows them; not to be changed."""
        return [self._as_of_step(one) for one in self._storage.get_all_trials(study_id, deepcopy=False, states=states)]

    def _as_of_step(self, trial: FrozenTrial) -> FrozenTrial:
        if trial._trial_id != self._trial_id:
            return trial
        seen = copy.copy(trial)
        seen.intermediate_values = {at: value for at, value in trial.intermediate_values.items() if at <= self._step}
        seen.system_attrs = {**trial.system_attrs, **self.notes}
        return seen
