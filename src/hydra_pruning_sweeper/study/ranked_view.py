"""Stopped trials for a sampler that knows complete ones only: every trial gets a value by its rank."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, cast

import optuna
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.objectives import sign_of
from hydra_pruning_sweeper.study.best_value import best_value


class RankedView:
    """A storage in which stopped trials appear complete, and values are ranks.

    A Gaussian process needs the value that a stopped trial would have come to, which nobody knows. What is known is how
    the trial compared with others after as many validations. So values are replaced by normal scores: the quantiles of
    a standard normal distribution at the trials' ranks, the lowest for the best trial if the study minimizes.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_all_trials(self, study_id: int, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
        """All trials, as the view shows them; not to be changed."""
        trials = self._storage.get_all_trials(study_id, deepcopy=False)
        (direction,) = self._storage.get_study_directions(study_id)
        scores = normal_scores(trials, direction)
        seen = [_complete(one, scores[one.number]) if one.number in scores else one for one in trials]
        return seen if states is None else [one for one in seen if one.state in states]


def ranked_study(study: Study) -> Study:
    """The study as a `RankedView` shows it, if one of its trials was stopped; else the study itself, as it is with
    several objectives, which have no ranks: there only trials that diverged are pruned, and the sampler ignores them.
    """
    if len(study.directions) > 1:
        return study
    trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
    if all(one.state != TrialState.PRUNED for one in trials):
        return study
    return optuna.Study(study.study_name, cast(BaseStorage, RankedView(study._storage)))


def normal_scores(trials: Sequence[FrozenTrial], direction: StudyDirection) -> dict[int, float]:
    """Trial number → normal score, of complete and of stopped trials."""
    ranked = ranking(trials, direction)
    sign = sign_of(direction)
    return {one.number: sign * NormalDist().inv_cdf((place + 0.5) / len(ranked)) for place, one in enumerate(ranked)}


def ranking(trials: Sequence[FrozenTrial], direction: StudyDirection) -> list[FrozenTrial]:
    """Complete and stopped trials, the best first.

    Complete ones are ordered by their value. A stopped one comes after as many of those that went on as were at least
    as good when it was stopped; those that were stopped late are placed before those that were stopped early.
    """
    sign = sign_of(direction)

    def best_until(trial: FrozenTrial, step: int) -> float:
        best = best_value(trial, sign, step)
        return math.inf if best is None else best

    def final(trial: FrozenTrial) -> tuple[float, int]:
        assert trial.value is not None
        return sign * trial.value, trial.number

    def stop(trial: FrozenTrial) -> tuple[int, float, int]:
        step = trial.last_step or 0
        return -step, best_until(trial, step), trial.number

    ranked = sorted((one for one in trials if one.state == TrialState.COMPLETE), key=final)
    for one in sorted((one for one in trials if one.state == TrialState.PRUNED), key=stop):
        step, value, _ = stop(one)
        ahead = sum(best_until(other, -step) <= value for other in ranked)
        ranked.insert(ahead, one)
    return ranked


def _complete(trial: FrozenTrial, score: float) -> FrozenTrial:
    seen = copy.copy(trial)
    seen.state, seen.value = TrialState.COMPLETE, score
    return seen
