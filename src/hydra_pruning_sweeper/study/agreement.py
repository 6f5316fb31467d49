"""Whether a search is that of the study which it wants to join: its objectives, its description, its parameters."""

from __future__ import annotations

import re
import uuid
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna.trial import FrozenTrial

from hydra_pruning_sweeper.differences import listed
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.objectives import Goal, directions_of, names_of
from hydra_pruning_sweeper.study.search_spec import SearchSpec, disagreement
from hydra_pruning_sweeper.study.space import Space, described

# Attributes of a study: its search's description, its unique identity, what it knows of other studies.
SEARCH, IDENTITY, EARLIER = "search", "identity", "earlier_trials"


def another_name(study: str) -> str:
    """The setting to type so that a search gets a study of another name: `a` is followed by `a_2`, that by `a_3`."""
    if re.fullmatch(r"[\w.-]+", study) is None:  # it would have to be quoted
        return "hydra.sweeper.study=NAME"
    numbered = re.fullmatch(r"(.+)_(\d+)", study)
    name, number = (numbered[1], int(numbered[2])) if numbered else (study, 1)
    return f"hydra.sweeper.study={name}_{number + 1}"


class Agreement:
    """Compares a search with that of a study. Called within a turn (see `StudyStorage.turn`).

    Args:
        study: the study.
        goal: the search's direction, or those of its objectives.
        space: its space.
        search: its description.
    """

    def __init__(self, study: Study, goal: Goal, space: Space, search: SearchSpec) -> None:
        self.study, self.goal, self.space, self.search = study, goal, space, search

    def settle(self, trials: Sequence[FrozenTrial]) -> str:
        """Makes the search that of the study, unless this has begun; returns the study's identity.

        Args:
            trials: all trials of the study.

        Raises:
            UsageError: the study has begun as another search.
        """
        self._check_goal(trials)
        if trials:
            self.check_search()
        for trial in trials:
            for name, before in trial.distributions.items():
                self._check_distribution(name, before)
        attributes = self._attributes()
        if attributes.get(SEARCH) != self.search.description:
            self.study.set_user_attr(SEARCH, self.search.description)
        if not trials and (known := self.search.earlier()):
            self.study.set_user_attr(EARLIER, list(known))
        if IDENTITY not in attributes:
            self.study.set_user_attr(IDENTITY, attributes.setdefault(IDENTITY, uuid.uuid4().hex))
        return str(attributes[IDENTITY])

    def _check_goal(self, trials: Sequence[FrozenTrial]) -> None:
        """Compares the objectives, and keeps their names in the study, where Optuna's plots and dashboard find them.

        Raises:
            UsageError: they differ, which Optuna does not support within a study.
        """
        before, now = [one.name.lower() for one in self.study.directions], directions_of(self.goal)
        if before != now:
            self._refuse_for_good(f"has direction {', '.join(before)}, but this search has {', '.join(now)}")
        known, names = self.study.metric_names, names_of(self.goal)
        if isinstance(self.goal, str) or known == names:
            return
        if trials and known is not None:
            self._refuse_for_good(f"has the objectives {', '.join(known)}, but this search has {', '.join(names)}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study.set_metric_names(names)

    def check_search(self) -> None:
        """Compares the descriptions.

        Raises:
            UsageError: they differ.
        """
        if self.search.continue_anyway:
            return
        earlier = self._attributes().get(SEARCH)
        if not isinstance(earlier, Mapping):
            self._refuse("does not say what it searches")
        if changed := disagreement(earlier, self.search.description):
            self._refuse(f"was begun as another search: {listed(changed)}")

    def _attributes(self) -> dict[str, Any]:
        """The study's attributes, not copied: they may hold the trials of other studies."""
        return self.study._storage.get_study_user_attrs(self.study._study_id)

    def _check_distribution(self, name: str, before: BaseDistribution) -> None:
        """Refuses a parameter whose kind or choices have changed, which Optuna does not support within a study."""
        try:
            check_distribution_compatibility(before, self.space.distributions.get(name, before))
        except ValueError:
            now = described(self.space.distributions[name])
            self._refuse_for_good(f"has trials in which {name} was {described(before)}, and not {now}")

    def _refuse(self, reason: str) -> NoReturn:
        name = self.study.study_name
        raise UsageError(
            f"add {another_name(name)} to begin another: study {name} {reason}; to continue it as it is typed now, add"
            " hydra.sweeper.continue_anyway=true"
        )

    def _refuse_for_good(self, reason: str) -> NoReturn:
        name = self.study.study_name
        raise UsageError(f"add {another_name(name)} to begin another: study {name} {reason}") from None
