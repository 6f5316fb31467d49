"""The trial as the storage knows it: attached to from another process, reported to, judged by the pruner."""

from __future__ import annotations

import copy
from typing import Any, Literal, cast

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

Direction = Literal["minimize", "maximize"]


class AttachedTrial:
    """A running trial of a study that another process has started.

    Raises:
        ValueError: the trial is not running.
    """

    def __init__(self, study: str, number: int, storage: BaseStorage, pruner: BasePruner, direction: Direction) -> None:
        self.study, self.number, self.storage, self.pruner, self.direction = study, number, storage, pruner, direction
        self._study_id = storage.get_study_id_from_name(study)
        self._trial_id = storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        if (state := self.trial().state) != TrialState.RUNNING:
            raise ValueError(f"trial {number} of {study} is not running, but {state.name}")

    def trial(self) -> FrozenTrial:
        """As it stands in the storage."""
        return self.storage.get_trial(self._trial_id)

    def report(self, value: float, step: int) -> None:
        """Reports a value, unless the step has one."""
        if step not in self.trial().intermediate_values:
            self.storage.set_trial_intermediate_value(self._trial_id, step, value)

    def decide(self, step: int) -> tuple[bool, dict[str, Any]]:
        """Whether the pruner would stop the trial after `step`, and what it wants noted about it.

        Pruners write their notes (the rung that was reached) into the storage before they answer. They are shown a
        view that keeps what they write, so that an answer and its notes count together or not at all.
        """
        if isinstance(self.pruner, NopPruner):
            return False, {}
        view = _View(self.storage, self._trial_id, step)
        study = optuna.Study(self.study, cast(BaseStorage, view), pruner=self.pruner)
        return bool(self.pruner.prune(study, view.get_trial(self._trial_id))), view.notes  # some say numpy.bool

    def note(self, notes: dict[str, Any]) -> None:
        """Writes what the pruner wanted noted, as often as one likes."""
        known = self.trial().system_attrs
        for name, value in notes.items():
            if known.get(name) != value:
                self.storage.set_trial_system_attr(self._trial_id, name, value)


class _View:
    """A storage as it was when a trial had come to a step; what is noted about that trial stays here."""

    def __init__(self, storage: BaseStorage, trial_id: int, step: int) -> None:
        self._storage, self._trial_id, self._step = storage, trial_id, step
        self.notes: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keeps a note."""
        assert trial_id == self._trial_id
        self.notes[key] = value

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial."""
        return self._seen(self._storage.get_trial(trial_id))

    def get_all_trials(self, study_id: int, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
        """All trials, not to be changed."""
        return [self._seen(one) for one in self._storage.get_all_trials(study_id, deepcopy=False, states=states)]

    def _seen(self, trial: FrozenTrial) -> FrozenTrial:
        if trial._trial_id != self._trial_id:
            return trial
        seen = copy.copy(trial)
        seen.intermediate_values = {at: value for at, value in trial.intermediate_values.items() if at <= self._step}
        seen.system_attrs = {**trial.system_attrs, **self.notes}
        return seen
