"""The trial as the storage knows it: attached to from another process, reported to, judged by the pruner."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from seqlab.sweeping.storage import Store

if TYPE_CHECKING:
    from seqlab.sweeping.handover import Handover

Direction = Literal["minimize", "maximize"]


class Attached:
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

        Pruners write their notes (the rung that was reached) into the storage before they answer. They are asked on a
        copy of the study, so that an answer and its notes count together or not at all.
        """
        if isinstance(self.pruner, NopPruner):
            return False, {}
        copied = optuna.create_study(study_name=self.study, direction=self.direction, pruner=self.pruner)
        for trial in self.storage.get_all_trials(self._study_id, deepcopy=False):
            copied.add_trial(_until(trial, step) if trial.number == self.number else trial)
        own = copied.get_trials()[self.number]
        prune = self.pruner.prune(copied, own)
        after = copied.get_trials()[self.number].system_attrs
        return prune, {name: value for name, value in after.items() if name not in own.system_attrs}

    def note(self, notes: dict[str, Any]) -> None:
        """Writes what the pruner wanted noted, as often as one likes."""
        known = self.trial().system_attrs
        for name, value in notes.items():
            if known.get(name) != value:
                self.storage.set_trial_system_attr(self._trial_id, name, value)


def _until(trial: FrozenTrial, step: int) -> FrozenTrial:
    """The trial without what it reported after `step`."""
    copied = copy.copy(trial)
    copied.intermediate_values = {at: value for at, value in trial.intermediate_values.items() if at <= step}
    return copied


def attached(given: Handover) -> Attached:
    """The trial that a process was handed.

    Raises:
        ValueError: it is not running.
    """
    from hydra.utils import instantiate

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = NopPruner() if given.pruner is None else instantiate(given.pruner)
    return Attached(given.study, given.number, Store(given.storage).storage, pruner, given.direction)
