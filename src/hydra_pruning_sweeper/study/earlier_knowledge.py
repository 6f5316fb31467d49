"""What a search knows before its first trial: settings that the user wants tried, and trials of other studies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.objectives import Goal
from hydra_pruning_sweeper.study.record import read_record
from hydra_pruning_sweeper.study.space import Parameter, Space, typed
from hydra_pruning_sweeper.study.storage import StudyStorage, store_url

USABLE = (TrialState.COMPLETE, TrialState.PRUNED)


def enqueued(entries: Sequence[Mapping[str, Any]], space: Space) -> list[dict[str, Any]]:
    """The entries of `hydra.sweeper.enqueue` as the space keeps values: each sets some parameters of a trial.

    Raises:
        UsageError: one sets nothing, or a parameter that is not searched, or to a value outside the space.
    """
    by_name = {one.name: one for one in space.parameters}
    checked = []
    for number, entry in enumerate(entries):
        where = f"hydra.sweeper.enqueue[{number}]"
        if not isinstance(entry, Mapping) or not entry:
            raise UsageError(f"{where}: must name settings with their values: {{{next(iter(by_name))}: …}}")
        for name in entry:
            if name not in by_name:
                raise UsageError(f"{where}: {name} is not searched; searched are {', '.join(by_name)}")
        checked.append({name: _value_in(by_name[str(name)], value, where) for name, value in entry.items()})
    return checked


def _value_in(one: Parameter, value: Any, where: str) -> Any:
    choice = one.choice(value)
    if not one.holds(choice):
        raise UsageError(f"{where}: {one.name} is {typed(value)}, which is outside the space")
    return choice


def trials_of_studies(folders: Iterable[Path], space: Space, direction: Goal) -> list[dict[str, Any]]:
    """The trials of other studies that a sampler can learn from, as plain data: complete and pruned ones in this space.

    Args:
        folders: the studies' folders.
        space: this search's space; trials with a parameter of another one, or outside of it, are left out.
        direction: this search's direction.

    Raises:
        UsageError: there is no study in a folder, none of its trials is in the space, or its direction is another one.
    """
    usable: list[dict[str, Any]] = []
    for folder in folders:
        record = read_record(folder)
        if record.direction != direction:
            other = record.direction if isinstance(record.direction, str) else "several objectives"
            raise UsageError(f"hydra.sweeper.warm_start: the study in {folder} has direction {other}")
        storage = StudyStorage(store_url(record.storage, folder), record.study).storage
        trials = storage.get_all_trials(storage.get_study_id_from_name(record.study), deepcopy=False)
        of_study = [_plain(one) for one in trials if one.state in USABLE and _is_in(one.params, space)]
        if not of_study:
            raise UsageError(f"hydra.sweeper.warm_start: no finished trial in {folder} is in the space of this search")
        usable += of_study
    return usable


def _is_in(values: Mapping[str, Any], space: Space) -> bool:
    """Whether a trial of this space could have these values."""
    expected = space.chosen(lambda one, _: values.get(one.name))
    return values.keys() == expected.keys() and all(
        one.holds(values[one.name]) for one in space.parameters if one.name in values
    )


def _plain(trial: FrozenTrial) -> dict[str, Any]:
    steps = sorted(trial.intermediate_values.items())
    return {"state": trial.state.name, "params": trial.params, "value": trial.value, "steps": steps}


def as_trials(earlier: Sequence[Mapping[str, Any]], space: Space) -> list[FrozenTrial]:
    """What `trials_of_studies` gave, as Optuna's trials. Their numbers are negative, below those of the study's own."""
    checked = []
    for place, facts in enumerate(earlier):
        trial = create_trial(
            state=TrialState[facts["state"]],
            value=facts["value"],
            params=facts["params"],
            distributions={name: space.distributions[name] for name in facts["params"]},
            intermediate_values={int(step): value for step, value in facts["steps"]},
        )
        trial.number = trial._trial_id = place - len(earlier)
        checked.append(trial)
    return checked
