"""A study that several controllers share: which of them runs which trial, and how each trial ended.

Every change is made in a turn (see `StudyStorage.turn`), in an order that leaves the study consistent wherever a kill
interrupts it: a trial is running, with or without a controller that runs it, it is paused, or it has ended.
"""

from __future__ import annotations

import copy
import os
import platform
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from hydra_pruning_sweeper.objectives import Goal, Value, directions_of
from hydra_pruning_sweeper.study.agreement import EARLIER, Agreement
from hydra_pruning_sweeper.study.earlier_knowledge import as_trials
from hydra_pruning_sweeper.study.lease import ATTRIBUTE, Lease, LeaseWatch, lease_of, machine, start_of
from hydra_pruning_sweeper.study.pausing import (
    PAUSES,
    PauseAndPromote,
    SamplerView,
    is_active,
    is_paused,
    promoted_after,
    with_pause,
    with_promotion,
)
from hydra_pruning_sweeper.study.rules import RETRY, RETRY_OF, Rules, failed_for_good
from hydra_pruning_sweeper.study.sampler import ConstrainedSampler
from hydra_pruning_sweeper.study.search_spec import SearchSpec
from hydra_pruning_sweeper.study.space import Space, suggest
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.study.trial_command import COMMAND_ATTRIBUTE, TrialCommand, command_of

ERROR, BASELINE = "error", "baseline"  # attributes of trials
ENQUEUED = "enqueued"  # attribute of a trial: the values that were given by hand
SMALL = 1000  # settings of a space that are counted, so that none is tried twice


@dataclass(frozen=True)
class LeasedTrial:
    """A trial that this controller is to run.

    Args:
        number: its number.
        values: its parameters' values.
        line: its command line.
        lease: this controller's lease on it.
        adopted: whether another controller had started it.
        orphan: the process that the other controller started for it, which may still run.
        promoted: the steps after which it was paused and then promoted.
        is_promotion: whether it was promoted just now.
    """

    number: int
    values: dict[str, Any]
    line: TrialCommand
    lease: Lease
    adopted: bool = False
    orphan: tuple[int, int | None] | None = None
    promoted: tuple[int, ...] = ()
    is_promotion: bool = False


class SharedStudy:
    """A study, and the leases on its trials that this controller holds.

    Args:
        store: where the study is kept.
        name: the study's name.
        goal: the search's direction, or those of its objectives.
        space: the search space.
        rules: when it is finished, and when it has failed.
        make_sampler: creates a sampler from a seed.
        pruner: the pruner; under Hyperband a sampler sees the trials of its own bracket only.
        seed: the search's seed.
        baseline: the values of trial 0; None lets the sampler choose them.
        search: the search's description, and the command line of its trials.

    Raises:
        UsageError: the study belongs to another search.
    """

    def __init__(
        self,
        store: StudyStorage,
        name: str,
        goal: Goal,
        space: Space,
        rules: Rules,
        make_sampler: Callable[[int], BaseSampler] = lambda seed: RandomSampler(seed=seed),
        pruner: BasePruner | None = None,
        seed: int = 0,
        baseline: Mapping[str, Any] | None = None,
        search: SearchSpec | None = None,
    ) -> None:
        self.search = search or SearchSpec()
        self.store, self.name, self.space, self.rules = store, name, space, rules
        self.make_sampler, self.seed, self.baseline = make_sampler, seed, baseline
        self.pruner = pruner or NopPruner()
        self.owner = f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.watch = LeaseWatch(rules.patience)
        self._leases: dict[int, Lease] = {}
        self._all_values = space.all_values(SMALL)
        self.study = optuna.create_study(
            study_name=name,
            storage=self.storage,
            directions=directions_of(goal),
            pruner=self.pruner,
            load_if_exists=True,
        )
        self.goal = goal
        self._study_id = self.storage.get_study_id_from_name(name)
        self._agreement = Agreement(self.study, goal, space, self.search)
        with self.store.turn(name):
            self.identity = self._agreement.settle(self.trials())

    @property
    def storage(self) -> BaseStorage:
        """Optuna's storage."""
        return self.store.storage

    def trials(self) -> list[FrozenTrial]:
        """All trials, in the order of their numbers."""
        return self.storage.get_all_trials(self._study_id, deepcopy=False)

    def take(self, may_start: bool = True) -> LeasedTrial | None:
        """The next trial for a free slot: one whose controller died, a promoted one, a retry of a failed one, or a new
        one.

        Args:
            may_start: whether a trial may be promoted, retried or begun; if not, only those of dead controllers are
                taken.

        Raises:
            UsageError: nothing in the space satisfies the constraints, or the study now belongs to another search.
        """
        with self.store.turn(self.name):
            trials = self.trials()
            if may_start:  # another controller may have replaced the search while there was no trial
                self._agreement.check_search()
            for trial in trials:
                if is_active(trial) and trial.number not in self._leases:
                    lease = lease_of(trial.user_attrs)
                    if self.watch.has_expired(trial.number, lease):
                        return self._adopt(trial, lease)
            if not may_start:
                return None
            if (paused := self._promotable(trials)) is not None:
                return self._promote(paused)
            if self.is_full(trials):
                return None
            waiting = self._to_retry(trials)
            return self._try_again(waiting[0]) if waiting else self._begin(trials)

    def _promotable(self, trials: list[FrozenTrial]) -> FrozenTrial | None:
        """The paused trial to promote next; None if there is none, or too many trials have failed."""
        if not isinstance(self.pruner, PauseAndPromote) or self.has_failed(trials):
            return None
        return self.pruner.promotable(self.name, self.study.direction, trials, self.is_full(trials))

    def finish(self) -> list[int] | None:
        """Ends the study if no trial runs, or may be started, anywhere: those that are paused then are pruned.

        After too many failures they stay paused, since those may be dealt with.

        Returns:
            The numbers of the trials that were pruned; None if the study goes on.
        """
        with self.store.turn(self.name):
            trials = self.trials()
            if not self.is_full(trials) or any(map(is_active, trials)) or self._promotable(trials) is not None:
                return None
            paused = [] if self.has_failed(trials) else [one.number for one in trials if is_paused(one)]
            for number in paused:
                self._end(number, TrialState.PRUNED)
            return paused

    def is_full(self, trials: list[FrozenTrial] | None = None) -> bool:
        """Whether no more trials are to be started: there are enough, too many have failed, or see `why_early`."""
        trials = self.trials() if trials is None else trials
        return self.rules.are_enough(trials) or self.has_failed(trials) or self.why_early(trials) is not None

    def why_early(self, trials: list[FrozenTrial]) -> str | None:
        """Why no more trials are to be started although there may be fewer than planned; None if there is no reason."""
        if self._all_values is not None and len(trials) >= len(self._all_values):
            tried = [one.params for one in trials]
            if all(values in tried for values in self._all_values):
                return f"all {len(self._all_values)} settings of the space were tried"
        return self.rules.why_stagnant(trials, self.study.directions[0])

    def has_failed(self, trials: list[FrozenTrial] | None = None) -> bool:
        """Whether more trials have failed for good than `rules` allow."""
        return len(self.given_up(trials)) > self.rules.failures * self.rules.trials

    def given_up(self, trials: list[FrozenTrial] | None = None) -> list[FrozenTrial]:
        """Failed trials that will not be retried."""
        trials = self.trials() if trials is None else trials
        waiting = {one.number for one in self._to_retry(trials)}
        return [one for one in failed_for_good(trials) if one.number not in waiting]

    def _to_retry(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        marked = self.storage.get_study_user_attrs(self._study_id).get(RETRY, ())
        return self.rules.to_retry(trials, marked)

    def _begin(self, trials: list[FrozenTrial]) -> LeasedTrial:
        try:
            trial = self._study_after(trials).ask()
            values, line = self._values(trial, trials)
        except Exception:  # of the sampler or the space: nobody could continue such a trial
            for left in self.trials()[len(trials) :]:
                self.storage.set_trial_state_values(self._id(left.number), TrialState.FAIL)
            raise
        return self._lease(trial.number, values, line, None)

    def _study_after(self, trials: list[FrozenTrial]) -> optuna.Study:
        """The study as the sampler of the trial after `trials` is to see it."""
        known = [one.params for one in trials]
        sampler = ConstrainedSampler(
            self.space, self.make_sampler, self.seed, self.baseline, known, self._by_hand(trials), self._all_values
        )
        earlier = self.storage.get_study_user_attrs(self._study_id).get(EARLIER, ())
        view = cast(BaseStorage, SamplerView(self.study._storage, as_trials(earlier, self.space)))
        return optuna.Study(self.name, view, sampler, self.pruner)

    def _by_hand(self, trials: list[FrozenTrial]) -> Mapping[str, Any] | None:
        """The first values given by hand that none of `trials` has got; None if there are none, or for the baseline."""
        if not trials and self.baseline is not None:
            return None
        begun = [one.user_attrs.get(ENQUEUED) for one in trials]
        return next((one for one in self.search.enqueued if one not in begun), None)

    def _values(self, trial: Trial, earlier: list[FrozenTrial]) -> tuple[dict[str, Any], TrialCommand]:
        """The trial's values, drawn unless they are in the storage already, and its command line."""
        values = self.space.chosen(lambda one, _: suggest(trial, one))
        if trial.number == 0 and self.baseline is not None:
            trial.set_user_attr(BASELINE, True)
        elif (by_hand := self._by_hand(earlier)) is not None:
            trial.set_user_attr(ENQUEUED, dict(by_hand))
        line = self.search.line.with_values(self.space.arguments(values))
        trial.set_user_attr(COMMAND_ATTRIBUTE, line.as_attribute())
        return values, line

    def _try_again(self, failed: FrozenTrial) -> LeasedTrial:
        """A new trial with the values of a failed one, created in a single step so that a kill leaves no half of it."""
        again = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=failed.params,
            distributions=failed.distributions,
            user_attrs={RETRY_OF: failed.number, COMMAND_ATTRIBUTE: failed.user_attrs[COMMAND_ATTRIBUTE]},
        )
        trial_id = self.storage.create_new_trial(self._study_id, template_trial=again)
        number = self.storage.get_trial_number_from_id(trial_id)
        line = command_of(failed.user_attrs)
        assert line is not None
        return self._lease(number, dict(failed.params), line, None)

    def _adopt(self, trial: FrozenTrial, before: Lease | None) -> LeasedTrial:
        """Takes over a running trial with its command line, which a kill may have left unwritten."""
        if (line := command_of(trial.user_attrs)) is not None:
            return self._lease(trial.number, dict(trial.params), line, before, trial.last_step or 0)
        earlier = [one for one in self.trials() if one.number < trial.number]
        values, line = self._values(Trial(self._study_after(earlier), self._id(trial.number)), earlier)
        return self._lease(trial.number, values, line, before, trial.last_step or 0)

    def _promote(self, trial: FrozenTrial) -> LeasedTrial:
        """Promotes a paused trial. After a kill before it is leased, any controller continues it."""
        self.storage.set_trial_user_attr(self._id(trial.number), PAUSES, with_promotion(trial))
        return replace(self._adopt(trial, lease_of(trial.user_attrs)), is_promotion=True)

    def _lease(
        self, number: int, values: dict[str, Any], line: TrialCommand, before: Lease | None, step: int = 0
    ) -> LeasedTrial:
        lease = Lease(self.owner, machine(), os.getpid(), start_of(os.getpid()), step=step)
        orphan = None
        if before is not None:
            lease = replace(lease, attempt=before.attempt + 1, idle=before.idle if before.step == step else 0)
            orphan = before.child if before.host == lease.host else None
        self._write(number, lease)
        promoted = promoted_after(self.storage.get_trial(self._id(number)))
        return LeasedTrial(number, values, line, lease, before is not None, orphan, promoted)

    def _write(self, number: int, lease: Lease) -> None:
        self._leases[number] = lease
        self.storage.set_trial_user_attr(self._id(number), ATTRIBUTE, lease.as_attribute())

    def _id(self, number: int) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _is_mine(self, number: int) -> bool:
        lease = lease_of(self.storage.get_trial(self._id(number)).user_attrs)
        return lease is not None and lease.held and lease.owner == self.owner

    def note_child(self, number: int, child: int) -> None:
        """Adds the trial's process to its lease."""
        self._write(number, replace(self._leases[number], child=(child, start_of(child))))

    def beat(self) -> list[int]:
        """Renews all leases; returns the trials that other controllers have taken over meanwhile."""
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
        """Gives a trial back as it is: any controller with a free slot continues it."""
        with self.store.turn(self.name):
            if self._is_mine(number):
                lease = self._leases[number]
                self._write(number, replace(lease, held=False, child=None, idle=lease.idle + died))
            self._leases.pop(number, None)

    def pause(self, number: int, step: int) -> bool:
        """Pauses a trial after `step`, unless another controller has taken it over; returns whether it did."""
        with self.store.turn(self.name):
            mine = self._is_mine(number)
            lease = self._leases.pop(number, None)
            if not mine or lease is None:
                return False
            trial = self.storage.get_trial(self._id(number))
            self.storage.set_trial_user_attr(self._id(number), PAUSES, with_pause(trial, step))
            released = replace(lease, held=False, child=None)
            self.storage.set_trial_user_attr(self._id(number), ATTRIBUTE, released.as_attribute())
            return True

    def tell(self, number: int, state: TrialState, value: Value | None = None, error: str | None = None) -> bool:
        """Ends a trial, unless another controller has taken it over; returns whether it did.

        The value of a pruned trial is the last one that it reported; of several objectives it has none.
        """
        with self.store.turn(self.name):
            mine = self._is_mine(number)
            self._leases.pop(number, None)
            if mine:
                self._end(number, state, value, error)
            return mine

    def _end(self, number: int, state: TrialState, value: Value | None = None, error: str | None = None) -> None:
        if error is not None:
            self.storage.set_trial_user_attr(self._id(number), ERROR, error)
        trial = self.storage.get_trial(self._id(number))
        if state == TrialState.PRUNED and trial.last_step is not None and isinstance(self.goal, str):
            value = trial.intermediate_values[trial.last_step]
        values = value if value is None or isinstance(value, list) else [value]
        if RETRY_OF not in trial.user_attrs:  # a retry was not drawn by the sampler
            study = copy.copy(self.study)
            study.stop = lambda: None  # type: ignore[method-assign]  # a grid sampler would; n_trials decides
            ConstrainedSampler(self.space, self.make_sampler, self.seed).after_trial(study, trial, state, values)
        self.storage.set_trial_state_values(self._id(number), state, values)
