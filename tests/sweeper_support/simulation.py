"""Sweeps of a simulated training (see `simulated`), in this process or, to be killed, in one of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import optuna
from hydra.utils import instantiate
from optuna.samplers import TPESampler

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.execution.controller import Controller, Plan
from hydra_pruning_sweeper.execution.executor import ForkExecutor
from hydra_pruning_sweeper.execution.observer import SweepObserver
from hydra_pruning_sweeper.execution.slot_count import SlotCount
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.search_spec import SearchSpec
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.context import TrialContext

TESTS = Path(__file__).parents[1]
PRUNER = {"_target_": "optuna.pruners.HyperbandPruner", "min_resource": 1, "max_resource": 9, "reduction_factor": 3}
PAUSING = {
    "_target_": "hydra_pruning_sweeper.study.pausing.PauseAndPromote",
    **{"min_resource": 1, "max_resource": 9, "reduction_factor": 3},
}
SPACE = [parameter("x", "tag(log,interval(1e-4,1))"), parameter("width", "choice(16,32,64)")]


class Kept(SweepObserver):
    """Keeps what it is told."""

    def __init__(self):
        self.notes, self.ends = [], []

    def ended(self, number, outcome):
        self.ends.append((number, outcome))

    def note(self, text):
        self.notes.append(text)


def controller(folder, name="study", slots=1, trials=6, how="well", pause=0.0, steps=9, **options):
    """A controller of a simulated study in `folder`."""
    store = StudyStorage(options.pop("storage", None) or str(folder / "journal.log"))
    pruner = options.pop("pruner", PRUNER)
    rules = Rules(trials, **{"deaths": 2, "patience": 60.0, **options.pop("rules", {})})
    shared_study = SharedStudy(
        store,
        name,
        "minimize",
        options.pop("space", Space(SPACE)),
        rules,
        lambda seed: TPESampler(seed=seed, n_startup_trials=3),
        None if pruner is None else instantiate(pruner),
        seed=7,
        baseline=options.pop("baseline", None),
        search=SearchSpec({"settings": options.pop("settings", {})}),
    )

    def arguments(leased, where):
        told = how(leased) if callable(how) else how
        return [*shared_study.space.arguments(leased.values), f"steps={steps}", f"how={told}", f"pause={pause}"]

    kind = options.pop("executor", executor)
    count = slots if isinstance(slots, SlotCount) else SlotCount(slots)
    plan = Plan(folder, count, arguments, TrialContext(name, store.url, pruner=pruner), **options)
    return Controller(shared_study, kind(), plan, Kept())


def executor(kind=ForkExecutor):
    """An executor of simulated trials."""
    return kind(
        "sweeper_support.simulated:main", "simulated", ["optuna", "hydra.utils", "sweeper_support.simulated"], path()
    )


def path():
    """Environment in which a child finds this folder's modules and what this process has imported."""
    return {"PYTHONPATH": ":".join([str(TESTS), *filter(None, sys.path)])}


def results(folder, name="study", storage=None):
    """What each trial came to: number → state, value, parameters, reported values."""
    trials = trials_of(folder, name, storage)
    return {t.number: (t.state.name, t.value, t.params, t.intermediate_values) for t in trials}


def trials_of(folder, name="study", storage=None):
    """The trials as the storage has them."""
    store = StudyStorage(storage or str(folder / "journal.log"))
    return store.storage.get_all_trials(store.storage.get_study_id_from_name(name))


def logged(folder, number):
    """The values that a trial itself wrote down, step → value; a step that was taken twice came to the same."""
    values = {}
    for line in (folder / str(number) / "curve.txt").read_text().splitlines():
        step, value = line.split()
        assert values.setdefault(int(step), float(value)) == float(value)
    return values


def process(folder, **options):
    """A controller in a process of its own; it ends with code 0 when the study is complete."""
    command = [sys.executable, "-m", "sweeper_support.simulation", str(folder), json.dumps(options)]
    environment = {**os.environ, **path(), "OMP_NUM_THREADS": "1"}
    err = (folder / "stderr.txt").open("a")
    return subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True, stderr=err)


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        controller(Path(sys.argv[1]), **json.loads(sys.argv[2])).run()
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
