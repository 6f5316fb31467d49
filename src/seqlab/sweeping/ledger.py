"""The study as its controllers share it: who takes which trial, and what became of it.

Every change is made in a turn (see `Store.turn`), in an order that leaves the study right wherever a kill cuts it off:
a trial is running, with or without somebody who runs it, or it has ended.
"""

from __future__ import annotations

import copy
import os
import platform
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from seqlab.errors import InputError
from seqlab.sweeping.lease import ATTRIBUTE, Lease, Watch, lease_of, machine, start_of
from seqlab.sweeping.proposals import Proposals
from seqlab.sweeping.space import Parameter, Space
from seqlab.sweeping.storage import Store

COUNTED = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)
RETRY_OF, RETRY, ERROR, BASELINE, ARGUMENTS = "retry_of", "retry", "error", "baseline", "arguments"


@dataclass(frozen=True)
class Rules:
    """What a study keeps to.

    Args:
        trials: how many are to be complete or pruned in the end, over all controllers.
        retries: how often a failed trial is tried again under a new number.
        failures: the share of `trials` that may fail for good before nothing more is started.
        deaths: a trial whose process died so often in a row without a step forward has failed.
        patience: seconds after which a controller on another machine that gives no sign counts as dead.
    """

    trials: int
    retries: int = 1
    failures: float = 0.2
    deaths: int = 5
    patience: float = 120.0


@dataclass(frozen=True)
class Taken:
    """A trial to run.

    Args:
        number: its number.
        values: of its parameters.
        lease: this controller's.
        adopted: somebody else had begun it.
        orphan: their process for it, if it may still be there.
    """

    number: int
    values: dict[str, Any]
    lease: Lease
    adopted: bool = False
    orphan: tuple[int, int | None] | None = None


class Ledger:
    """A study and this controller's part in it.

    Args:
        store: where the study is kept.
        name: the study's.
        direction: "minimize" or "maximize".
        space: what may be chosen.
        rules: what the study keeps to.
        make_sampler: gives a sampler for a seed.
        pruner: brackets of Hyperband decide what the sampler sees.
        seed: of the search.
        baseline: the values of trial 0; None leaves them to the sampler.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        direction: Literal["minimize", "maximize"],
        space: Space,
        rules: Rules,
        make_sampler: Callable[[int], BaseSampler] = lambda seed: RandomSampler(seed=seed),
        pruner: BasePruner | None = None,
        seed: int = 0,
        baseline: Mapping[str, Any] | None = None,
    ) -> None:
        self.store, self.name, self.space, self.rules = store, name, space, rules
        self.make_sampler, self.seed, self.baseline = make_sampler, seed, baseline
        self.pruner = pruner or NopPruner()
        self.owner = f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.watch = Watch(rules.patience)
        self._leases: dict[int, Lease] = {}
        self.study = optuna.create_study(
            study_name=name, storage=self.storage, direction=direction, pruner=self.pruner, load_if_exists=True
        )
        if self.study.direction.name.lower() != direction:
            raise InputError(
                f"study {name} has direction {self.study.direction.name.lower()}, but asked is {direction}"
            )
        self._study_id = self.storage.get_study_id_from_name(name)

    @property
    def storage(self) -> BaseStorage:
        """Optuna's storage."""
        return self.store.storage

    def trials(self) -> list[FrozenTrial]:
        """All trials, in the order of their numbers."""
        return self.storage.get_all_trials(self._study_id, deepcopy=False)

    def take(self, may_start: bool = True) -> Taken | None:
        """The next trial for a free slot: one whose runner died, a failed one to try again, or a new one.

        Args:
            may_start: whether the last two may be begun.

        Raises:
            InputError: the space holds nothing that its constraints allow.
        """
        with self.store.turn(self.name):
            trials = self.trials()
            for trial in trials:
                if trial.state == TrialState.RUNNING and trial.number not in self._leases:
                    lease = lease_of(trial.user_attrs)
                    if self.watch.has_expired(trial.number, lease):
                        return self._adopt(trial, lease)
            if not may_start or self.is_full(trials):
                return None
            waiting = self.to_retry(trials)
            return self._try_again(waiting[0]) if waiting else self._begin(trials)

    def is_full(self, trials: list[FrozenTrial] | None = None) -> bool:
        """Whether nothing more is to be begun: there are enough trials, or too many have failed."""
        trials = self.trials() if trials is None else trials
        return sum(one.state in COUNTED for one in trials) >= self.rules.trials or self.has_failed(trials)

    def has_failed(self, trials: list[FrozenTrial] | None = None) -> bool:
        """Whether too many trials have been given up."""
        return len(self.given_up(trials)) > self.rules.failures * self.rules.trials

    def given_up(self, trials: list[FrozenTrial] | None = None) -> list[FrozenTrial]:
        """Trials that failed for good, and are not to be tried again either."""
        trials = self.trials() if trials is None else trials
        waiting = {one.number for one in self.to_retry(trials)}
        return [one for one in failed_for_good(trials) if one.number not in waiting]

    def to_retry(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """Failed trials that are to be tried again: those asked for, and those with tries left."""
        by_number = {one.number: one for one in trials}

        def tries(trial: FrozenTrial) -> int:
            before = trial.user_attrs.get(RETRY_OF)
            return 0 if before is None else 1 + tries(by_number[before])

        asked = self.storage.get_study_user_attrs(self._study_id).get(RETRY, ())
        return [one for one in failed_for_good(trials) if one.number in asked or tries(one) < self.rules.retries]

    def _begin(self, trials: list[FrozenTrial]) -> Taken:
        known = [one.params for one in trials if one.state in COUNTED]
        self.study.sampler = Proposals(self.space, self.make_sampler, self.seed, self.baseline, known)
        trial = self.study.ask()
        return self._lease(trial.number, self._values(trial), None)

    def _values(self, trial: Trial) -> dict[str, Any]:
        """The trial's values, drawn where they are not in the storage yet."""
        values = self.space.chosen(lambda one, _: _suggested(trial, one))
        if trial.number == 0 and self.baseline is not None:
            trial.set_user_attr(BASELINE, True)
        trial.set_user_attr(ARGUMENTS, self.space.arguments(values))
        return values

    def _try_again(self, failed: FrozenTrial) -> Taken:
        """A new trial with the values of one that failed, there as a whole or not at all."""
        again = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=failed.params,
            distributions=failed.distributions,
            user_attrs={RETRY_OF: failed.number, ARGUMENTS: failed.user_attrs.get(ARGUMENTS)},
        )
        trial_id = self.storage.create_new_trial(self._study_id, template_trial=again)
        number = self.storage.get_trial_number_from_id(trial_id)
        return self._lease(number, dict(failed.params), None)

    def _adopt(self, trial: FrozenTrial, before: Lease | None) -> Taken:
        """The same trial, taken over; a kill may have left it without its values."""
        known = [one.params for one in self.trials() if one.state in COUNTED and one.number < trial.number]
        self.study.sampler = Proposals(self.space, self.make_sampler, self.seed, self.baseline, known)
        values = self._values(Trial(self.study, self._id(trial.number)))
        return self._lease(trial.number, values, before, trial.last_step or 0)

    def _lease(self, number: int, values: dict[str, Any], before: Lease | None, step: int = 0) -> Taken:
        lease = Lease(self.owner, machine(), os.getpid(), start_of(os.getpid()), step=step)
        orphan = None
        if before is not None:
            lease = replace(lease, attempt=before.attempt + 1, idle=before.idle if before.step == step else 0)
            orphan = before.child if before.host == lease.host else None
        self._write(number, lease)
        return Taken(number, values, lease, before is not None, orphan)

    def _write(self, number: int, lease: Lease) -> None:
        self._leases[number] = lease
        self.storage.set_trial_user_attr(self._id(number), ATTRIBUTE, lease.as_attribute())

    def _id(self, number: int) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _is_mine(self, number: int) -> bool:
        lease = lease_of(self.storage.get_trial(self._id(number)).user_attrs)
        return lease is not None and lease.held and lease.owner == self.owner

    def note_child(self, number: int, child: int) -> None:
        """Notes the trial's process."""
        self._write(number, replace(self._leases[number], child=(child, start_of(child))))

    def beat(self) -> list[int]:
        """Shows that this controller lives; gives the trials that others have taken over meanwhile."""
        lost = []
        with self.store.turn(self.name):
            for number, lease in list(self._leases.items()):
                if self._is_mine(number):
                    self._write(number, lease.beating())
                else:
                    lost.append(number)
                    del self._leases[number]
        return lost

    def release(self, number: int, died: bool = False) -> None:
        """Gives a trial back as it stands: whoever has a slot free goes on with it."""
        with self.store.turn(self.name):
            if self._is_mine(number):
                lease = self._leases[number]
                self._write(number, replace(lease, held=False, child=None, idle=lease.idle + died))
            self._leases.pop(number, None)

    def tell(self, number: int, state: TrialState, value: float | None = None, error: str | None = None) -> bool:
        """Ends a trial, unless somebody else has taken it over.

        A pruned one keeps the last value that it reported.
        """
        with self.store.turn(self.name):
            mine = self._is_mine(number)
            self._leases.pop(number, None)
            if not mine:
                return False
            if error is not None:
                self.storage.set_trial_user_attr(self._id(number), ERROR, error)
            trial = self.storage.get_trial(self._id(number))
            if state == TrialState.PRUNED and trial.last_step is not None:
                value = trial.intermediate_values[trial.last_step]
            values = None if value is None else [value]
            if RETRY_OF not in trial.user_attrs:  # else the sampler knows nothing of it
                told = copy.copy(self.study)
                told.stop = lambda: None  # type: ignore[method-assign]  # a grid that is done; n_trials says when to end
                Proposals(self.space, self.make_sampler, self.seed).after_trial(told, trial, state, values)
            self.storage.set_trial_state_values(self._id(number), state, values)
            return True


def failed_for_good(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Trials that failed and were not tried again."""
    retried = {one.user_attrs.get(RETRY_OF) for one in trials}
    return [one for one in trials if one.state == TrialState.FAIL and one.number not in retried]


def _suggested(trial: Trial, one: Parameter) -> Any:
    match one.distribution:
        case FloatDistribution() as kind:
            return trial.suggest_float(one.name, kind.low, kind.high, step=kind.step, log=kind.log)
        case IntDistribution() as kind:
            return trial.suggest_int(one.name, kind.low, kind.high, step=kind.step, log=kind.log)
        case CategoricalDistribution() as kind:
            return trial.suggest_categorical(one.name, kind.choices)
    raise TypeError(type(one.distribution))
