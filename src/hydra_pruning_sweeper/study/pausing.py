"""Pause and promote: asynchronous successive halving, and Hyperband's brackets over it.

Optuna knows no paused trial. Here that is a running one with an attribute (`Pause`), which no controller has to run:
so it stays paused whatever is killed.
"""

from __future__ import annotations

import binascii
import copy
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, cast

from optuna.pruners import BasePruner
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.objectives import sign_of
from hydra_pruning_sweeper.study.rungs import halving_steps

PAUSES = "pauses"  # attribute of a trial


@dataclass(frozen=True)
class Pause:
    """One pause of a trial.

    Args:
        step: the step after which it was paused.
        paused: when, in seconds since the epoch.
        promoted: when it was promoted to the next rung; None if it never was.
    """

    step: int
    paused: float
    promoted: float | None = None


def pauses_of(trial: FrozenTrial) -> list[Pause]:
    """All pauses of a trial, the first one first."""
    return [Pause(**one) for one in trial.user_attrs.get(PAUSES, ())]


def is_paused(trial: FrozenTrial) -> bool:
    """Whether a trial waits to be promoted."""
    return trial.state == TrialState.RUNNING and _waits(trial)


def was_paused(trial: FrozenTrial) -> bool:
    """Whether a trial waited to be promoted until the study was finished, which pruned it."""
    return trial.state == TrialState.PRUNED and _waits(trial)


def _waits(trial: FrozenTrial) -> bool:
    return any(one.promoted is None for one in pauses_of(trial))


def is_active(trial: FrozenTrial) -> bool:
    """Whether a controller runs a trial, or should."""
    return trial.state == TrialState.RUNNING and not is_paused(trial)


def promoted_after(trial: FrozenTrial) -> tuple[int, ...]:
    """The steps after which a trial was paused and then promoted."""
    return tuple(one.step for one in pauses_of(trial) if one.promoted is not None)


def with_pause(trial: FrozenTrial, step: int) -> list[dict[str, Any]]:
    """The attribute of a trial that is now paused after `step`."""
    return [asdict(one) for one in (*pauses_of(trial), Pause(step, time.time()))]


def with_promotion(trial: FrozenTrial) -> list[dict[str, Any]]:
    """The attribute of a paused trial that is now promoted."""
    return [{**asdict(one), "promoted": one.promoted or time.time()} for one in pauses_of(trial)]


class PauseAndPromote(BasePruner):
    """Pauses a trial at a rung unless it is among the best there, and promotes it once it is (arXiv 1810.05934).

    Rungs are after `min_resource` times powers of `reduction_factor` validations, below `max_resource`. A trial that
    gets to a rung continues if it is among the best `n // reduction_factor` of the `n` trials that have been there;
    otherwise it is paused. As more trials arrive, it may come to be among them.

    When no further trial will arrive, at least the best trial of each rung is promoted: where a rung has fewer than
    `reduction_factor` trials, none of them would be complete otherwise.

    Trials compete within their bracket only. Bracket `b` leaves out the first `b` rungs, and a trial's bracket follows
    from the study's name and the trial's number, as in Optuna's Hyperband.

    Args:
        min_resource: validations before the first rung.
        max_resource: validations of a full training.
        reduction_factor: one in so many is promoted.
        brackets: their number; None: as many as Hyperband has, one per rung and one without pauses.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self, min_resource: int, max_resource: int, reduction_factor: int = 3, brackets: int | None = 1
    ) -> None:
        if min_resource < 1 or max_resource < 1 or reduction_factor < 2:
            raise ValueError("min_resource and max_resource must be at least 1, reduction_factor at least 2")
        self.min_resource, self.max_resource, self.factor = min_resource, max_resource, reduction_factor
        most = 1
        while min_resource * reduction_factor**most <= max_resource:
            most += 1
        self.brackets = most if brackets is None else brackets
        if not 1 <= self.brackets <= most:
            raise ValueError(f"brackets must be from 1 to {most}, as later ones would have no rung, but is {brackets}")
        # As Optuna's Hyperband divides trials among its brackets.
        self._shares = [math.ceil(self.brackets * self.factor**s / (s + 1)) for s in reversed(range(self.brackets))]

    def bracket(self, study: str, number: int) -> int:
        """The bracket of a trial."""
        draw = binascii.crc32(f"{study}_{number}".encode()) % sum(self._shares)
        return next(bracket for bracket, below in enumerate(accumulate(self._shares)) if draw < below)

    def rungs(self, bracket: int) -> list[int]:
        """The steps after which trials of a bracket may be paused."""
        return halving_steps(self.min_resource * self.factor**bracket, self.factor, self.max_resource)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to pause a trial after its last step."""
        competition = _Competition(self, study.study_name, study.direction, study.get_trials(deepcopy=False))
        bracket = self.bracket(study.study_name, trial.number)
        earlier = max((step for step in trial.intermediate_values if step != trial.last_step), default=0)
        reached = [rung for rung in self.rungs(bracket) if earlier < rung <= (trial.last_step or 0)]
        return bool(reached) and trial.number not in competition.best(bracket, reached[-1])

    def promotable(
        self, study: str, direction: StudyDirection, trials: Sequence[FrozenTrial], is_full: bool
    ) -> FrozenTrial | None:
        """The paused trial to promote next: at the highest rung, there the best one; None if none may be promoted.

        Args:
            study: the study's name.
            direction: its direction.
            trials: all of its trials.
            is_full: whether no further trial will be started.
        """
        competition = _Competition(self, study, direction, trials)
        return competition.next_promoted() or (competition.next_promoted(at_least=1) if is_full else None)


class _Competition:
    """The trials of a study, each in its bracket, and their results at the rungs."""

    def __init__(
        self, pruner: PauseAndPromote, study: str, direction: StudyDirection, trials: Sequence[FrozenTrial]
    ) -> None:
        self.pruner, self.trials = pruner, trials
        self._sign = sign_of(direction)
        self._brackets: list[list[FrozenTrial]] = [[] for _ in range(pruner.brackets)]
        for one in trials:
            if one.state != TrialState.FAIL:  # its retry competes in its place
                self._brackets[pruner.bracket(study, one.number)].append(one)

    def best(self, bracket: int, rung: int, at_least: int = 0) -> list[int]:
        """The numbers of the trials that are promoted from a rung: the best first, and among equals the earliest."""
        results = [
            (self._sign * one.intermediate_values[step], one.number)
            for one in self._brackets[bracket]
            if (step := _reached(one, rung)) is not None
        ]
        promoted = max(at_least, len(results) // self.pruner.factor)
        return [number for _, number in sorted(results)[:promoted]]

    def next_promoted(self, at_least: int = 0) -> FrozenTrial | None:
        """The paused trial to promote next; `at_least` so many are, from a rung that no running trial is to reach."""
        candidates = []
        for bracket, trials in enumerate(self._brackets):
            at: dict[int, list[int]] = {}  # rung → the numbers of the trials that are paused there
            for one in filter(is_paused, trials):
                at.setdefault(self._rung_of_pause(one, bracket), []).append(one.number)
            for rung, paused in at.items():
                is_awaited = any(is_active(one) and _reached(one, rung) is None for one in trials)
                best = self.best(bracket, rung, 0 if is_awaited else at_least)
                candidates += [(-rung, place, number) for place, number in enumerate(best) if number in paused]
        return self.trials[min(candidates)[2]] if candidates else None

    def _rung_of_pause(self, trial: FrozenTrial, bracket: int) -> int:
        """The rung at which a trial is paused; its step where there is none, as the pruner was another one then."""
        step = pauses_of(trial)[-1].step
        return max((rung for rung in self.pruner.rungs(bracket) if rung <= step), default=step)


def _reached(trial: FrozenTrial, rung: int) -> int | None:
    """The first step that a trial reported at a rung or after it, whose value is its result there; None before that."""
    return min((step for step in trial.intermediate_values if step >= rung), default=None)


class SamplerView:
    """A storage as a sampler is to see it: paused trials are pruned ones, as it would take them for running ones, of
    which it knows no value; and it begins with `earlier` trials, of other studies. With several objectives, pruned
    trials, which have diverged there, have no curve: a sampler would compare curves by the study's direction.
    """

    def __init__(self, storage: BaseStorage, earlier: Sequence[FrozenTrial] = ()) -> None:
        self._storage, self._earlier = storage, list(earlier)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_all_trials(self, study_id: int, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
        """All trials, as the view shows them; not to be changed."""
        seen = _without_curve if len(self._storage.get_study_directions(study_id)) > 1 else _as_pruned
        trials = self._earlier + [seen(one) for one in self._storage.get_all_trials(study_id, deepcopy=False)]
        return trials if states is None else [one for one in trials if one.state in states]


def _without_curve(trial: FrozenTrial) -> FrozenTrial:
    """A pruned trial without the values that it reported; any other trial as it is."""
    if trial.state != TrialState.PRUNED:
        return trial
    seen = copy.copy(trial)
    seen.intermediate_values = {}
    return seen


def _as_pruned(trial: FrozenTrial) -> FrozenTrial:
    """A paused trial as one that was pruned after its last step; any other trial as it is."""
    if not is_paused(trial):
        return trial
    seen = copy.copy(trial)
    seen.state = TrialState.PRUNED
    seen.value = trial.intermediate_values[cast(int, trial.last_step)]
    return seen
