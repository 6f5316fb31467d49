"""Sampling the values of a trial: any of Optuna's samplers, restricted to what conditions and constraints allow."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.installing import install
from hydra_pruning_sweeper.study.ranked_view import ranked_study
from hydra_pruning_sweeper.study.space import Parameter, Space

DRAWS = 30  # of the configured sampler, until one satisfies the constraints and is new
RANDOM_DRAWS = 300  # uniform ones, after those


class ConstrainedSampler(BaseSampler):
    """A sampler that draws all values of a trial at once: they satisfy the constraints, and are new if possible.

    The wrapped sampler is created for each trial from the seed and the trial's number. So an interrupted search
    continues as if it had not been interrupted, and two machines do not propose the same values.

    Args:
        space: the search space.
        make: creates the wrapped sampler from a seed.
        seed: the search's seed.
        baseline: the values of trial 0; None lets the sampler choose them.
        known: the values of earlier trials.
        fixed: values that are not drawn.
        all_values: all that the space has, if it is small: when the sampler finds none that is new, one is drawn from
            those that are left.
    """

    def __init__(
        self,
        space: Space,
        make: Callable[[int], BaseSampler],
        seed: int,
        baseline: Mapping[str, Any] | None = None,
        known: Collection[Mapping[str, Any]] = (),
        fixed: Mapping[str, Any] | None = None,
        all_values: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self.space, self.make, self.seed, self.baseline, self.known = space, make, seed, baseline, known
        self.fixed, self.all_values = fixed or {}, all_values
        self._inner: BaseSampler | None = None

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Creates the wrapped sampler for this trial."""
        self._inner = self.make(self._seed(trial))
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All parameters: none is left to be drawn by itself."""
        return self.space.distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The trial's values.

        Raises:
            UsageError: no draw satisfies the constraints.
        """
        if trial.number == 0 and self.baseline is not None:
            return dict(self.baseline)
        assert self._inner is not None
        random = RandomSampler(seed=self._seed(trial))
        allowed: dict[str, Any] | None = None
        for draw in range(DRAWS + RANDOM_DRAWS):
            if draw == DRAWS and (left := self._left()):
                return dict(left[np.random.default_rng(self._seed(trial)).integers(len(left))])
            values = self._draw(self._inner if draw < DRAWS else random, study, trial)
            if self.space.allows(values):
                if values not in self.known:
                    return values
                allowed = values
        if allowed is None:
            rules = " and ".join(one.text for one in self.space.constraints)
            raise UsageError(f"no values in the space, or almost none, satisfy {rules}")
        return allowed

    def _seed(self, trial: FrozenTrial) -> int:
        """The trial's seed: hashed, so that searches with neighbouring seeds have no trial's seed in common."""
        return int(np.random.SeedSequence((self.seed, trial.number)).generate_state(1)[0])

    def _draw(self, sampler: BaseSampler, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        if isinstance(sampler, GPSampler):
            study = ranked_study(study)
        space = sampler.infer_relative_search_space(study, trial)
        try:
            together = sampler.sample_relative(study, trial, space)
        except ImportError as error:
            raise UsageError(f"{type(sampler).__name__} needs {error.name}: {install(str(error.name))}") from None
        so_far = copy.copy(trial)
        # Read again, for what the sampler may have just noted.
        so_far.system_attrs = study._storage.get_trial_system_attrs(trial._trial_id)

        def choose(one: Parameter, values: dict[str, Any]) -> Any:
            if one.name in self.fixed:
                return self.fixed[one.name]
            if one.name in together:
                return together[one.name]
            so_far.params, so_far.distributions = dict(values), {name: self._distribution(name) for name in values}
            return sampler.sample_independent(study, so_far, one.name, one.distribution)

        return self.space.chosen(choose)

    def _left(self) -> list[Mapping[str, Any]]:
        """The values of a small space that no trial has had and that agree with those that are fixed."""
        return [
            one
            for one in self.all_values or ()
            if one not in self.known and all(one.get(name) == value for name, value in self.fixed.items())
        ]

    def _distribution(self, name: str) -> BaseDistribution:
        return self.space.distributions[name]

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Never called, as all values are drawn at once."""
        raise NotImplementedError(param_name)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Lets the wrapped sampler write its notes about the trial."""
        self.make(self._seed(trial)).after_trial(study, trial, state, values)


def sampler_factory(make: Callable[..., BaseSampler]) -> Callable[[int], BaseSampler]:
    """A function from a seed to a sampler; the seed is ignored where `make` takes none or has one already.

    Raises:
        UsageError: `make` does not accept the arguments that it is bound to.
    """
    bound = getattr(make, "keywords", {})
    try:
        takes = "seed" in inspect.signature(make).parameters and bound.get("seed") is None
    except ValueError:
        raise UsageError(f"hydra.sweeper.sampler does not take all of {', '.join(bound)}") from None
    return lambda seed: make(seed=seed) if takes else make()
