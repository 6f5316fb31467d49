"""The searches before the runs of a claim: where they are kept, which are finished, and what each chose and cost."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.differences import Difference, differences
from hydra_pruning_sweeper.quoting import quoted
from hydra_pruning_sweeper.study.record import RECORD
from hydra_pruning_sweeper.study.trial_command import command_of
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, open_sweep
from seqlab.config.plain import comparable, composed_search
from seqlab.errors import InputError
from seqlab.files import write_json
from seqlab.reproduction.claim import Claim
from seqlab.reproduction.plan import FINISHED, NEW, OTHER, RESUMABLE, Planned
from seqlab.reproduction.search_outcome import SearchOutcome
from seqlab.runs.result import TrainingCost

PLAN, OUTCOME = "plan.json", "outcome.json"
"""Files in a search's folder: what is searched by which code, written before the first trial; what came of it."""


@dataclass(frozen=True)
class PlannedSearch(Planned):
    """The search of a group.

    Args:
        threads: of each of its trials, of which one runs at a time.
    """

    threads: int

    @property
    def fixed(self) -> list[str]:
        """All arguments without the space."""
        assert self.group.search is not None
        study = f"{self.claim.name}_{self.group.label}"
        trials = f"hydra.sweeper.n_trials={self.group.search.trials}"
        return ["+sweeps=free", *self.group.words, *self.group.search.words, f"hydra.sweeper.study={study}", trials]

    @property
    def space(self) -> Mapping[str, str]:
        """What is searched: setting → sweep."""
        assert self.group.search is not None
        return self.group.search.space

    def arguments(self, resumes: bool) -> list[str]:
        """The same from the beginning and later: the study knows how far it is."""
        swept = [f"{setting}={sweep}" for setting, sweep in self.space.items()]
        here = [f"hydra.sweep.dir={quoted(str(self.folder))}", f"hydra.sweeper.threads={self.threads}"]
        return ["-m", *self.fixed, *swept, *here]

    def has_ended(self) -> bool:
        """Whether there is a study; its process does not end well unless that has a best trial."""
        return (self.folder / RECORD).is_file()

    def has_begun(self) -> bool:
        """Whether there is a study."""
        return self.has_ended()


def searches_of(claims: Sequence[Claim], folder: Path, threads: int) -> list[PlannedSearch]:
    """All searches of `claims`, each in a folder below `folder`."""
    return [
        PlannedSearch(name, claim, group, folder / name, threads)
        for claim in claims
        for group in claim.groups
        if group.search is not None
        for name in [f"{claim.name}/{group.label}/search"]
    ]


def check_search(search: PlannedSearch) -> None:
    """Checks that the arguments of a search compose to a configuration. (Its space is checked before its first trial.)

    Raises:
        InputError: they do not.
    """
    try:
        composed_search(search.fixed)
    except Exception as error:  # Hydra raises many kinds
        raise InputError(f"{search.name}: {' '.join(str(error).split())}") from None


def search_state(search: PlannedSearch, code: str, any_code: bool = False) -> tuple[str, list[Difference]]:
    """The state of a search's folder, and the differences between the search in it and the planned one.

    FINISHED: it holds the outcome of a search with the same space, settings and code. RESUMABLE: it holds trials of
    such a search. OTHER: it holds another search. NEW: none of these.

    Args:
        code: the hash of the present code.
        any_code: accept a search of other code, if the arguments it was started with give the planned settings today.
    """
    if not search.has_begun():
        return NEW, []
    plan = _read(search.folder / PLAN)
    if plan is not None and any_code:
        plan |= {"code": code, "settings": _settings_today(plan)}
    if different := differences(plan or {}, _plan(search, code)):
        return OTHER, different
    return (RESUMABLE if read_outcome(search) is None else FINISHED), []


def keep_plan(search: PlannedSearch, code: str) -> None:
    """Writes what is going to be searched into the folder of a search."""
    write_json(search.folder / PLAN, _plan(search, code))


def conclude(search: PlannedSearch) -> SearchOutcome:
    """Reads the study of a search that has ended; writes the outcome into the folder, which marks the search finished.

    Raises:
        InputError: no trial is complete, or the best one does not say what it was run with.
    """
    sweep = open_sweep(search.folder)
    best, trials = next(iter(sweep.best_trials()), None), sweep.trials()
    command = command_of(best.user_attrs) if best is not None else None
    if best is None or command is None:
        raise InputError(f"{search.folder}: no trial is complete")
    states = [trial.state.name.lower() for trial in trials]
    costs = [_cost(sweep, trial.number) for trial in trials if trial.last_step]
    outcome = SearchOutcome(
        trial=best.number,
        value=float(best.value or 0.0),
        chosen=list(command.own),
        trials={state: states.count(state) for state in sorted(set(states))},
        epochs=sum(len(trial.intermediate_values) for trial in trials),
        seconds=sum(span.end - span.start for trial in trials for span in sweep.progress(trial.number).spans),
        flops=_sum([cost.flops for cost in costs]),
        tokens=_sum([cost.tokens for cost in costs]),
        space=dict(search.space),
    )
    write_json(search.folder / OUTCOME, vars(outcome))
    return outcome


def read_outcome(search: PlannedSearch) -> SearchOutcome | None:
    """The outcome in the folder of a search; None if there is none, or none that can be read."""
    content = _read(search.folder / OUTCOME)
    if content is not None:
        with contextlib.suppress(TypeError):
            return SearchOutcome(**content)
    return None


def _plan(search: PlannedSearch, code: str) -> dict[str, Any]:
    """What decides which search it is. Trials' seeds and order follow from it."""
    settings = comparable(composed_search(search.fixed))
    return {"arguments": search.fixed, "space": dict(search.space), "settings": settings, "code": code}


def _settings_today(plan: Mapping[str, Any]) -> Any:
    """The settings that the arguments of a search give today; None if they no longer compose."""
    with contextlib.suppress(Exception):
        return comparable(composed_search(plan["arguments"]))
    return None


def _cost(sweep: RecordedSweep, trial: int) -> TrainingCost:
    return TrainingCost.read(sweep.folder / str(trial))


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _read(path: Path) -> dict[str, Any] | None:
    """The content of a JSON file; None if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return dict(content) if isinstance(content, dict) else None
