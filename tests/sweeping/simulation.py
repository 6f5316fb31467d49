"""Sweeps of a simulated training (see `simulated`), in this process or, to be killed, in one of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import optuna
from optuna.pruners import HyperbandPruner
from optuna.samplers import TPESampler

from seqlab.errors import InputError
from seqlab.sweeping.agreement import Search
from seqlab.sweeping.controller import Controller, Plan, Show
from seqlab.sweeping.executor import ForkExecutor
from seqlab.sweeping.handover import Handover
from seqlab.sweeping.ledger import Ledger, Rules
from seqlab.sweeping.space import Space, parameter
from seqlab.sweeping.storage import Store

TESTS = Path(__file__).parents[1]
PRUNER = {"_target_": "optuna.pruners.HyperbandPruner", "min_resource": 1, "max_resource": 9, "reduction_factor": 3}
SPACE = [parameter("x", "tag(log,interval(1e-4,1))"), parameter("width", "choice(16,32,64)")]


class Kept(Show):
    """Keeps what it is told."""

    def __init__(self):
        self.notes, self.ends = [], []

    def ended(self, number, outcome):
        self.ends.append((number, outcome))

    def note(self, text):
        self.notes.append(text)


def controller(folder, name="study", slots=1, trials=6, how="well", pause=0.0, steps=9, **options):
    """A controller of a simulated study in `folder`."""
    store = Store(options.pop("storage", None) or str(folder / "journal.log"))
    rules = Rules(trials, **{"deaths": 2, "patience": 60.0, **options.pop("rules", {})})
    ledger = Ledger(
        store,
        name,
        "minimize",
        options.pop("space", Space(SPACE)),
        rules,
        lambda seed: TPESampler(seed=seed, n_startup_trials=3),
        HyperbandPruner(1, 9, 3),
        seed=7,
        baseline=options.pop("baseline", None),
        search=Search({"settings": options.pop("settings", {})}),
    )

    def arguments(taken, where):
        told = how(taken) if callable(how) else how
        return [*ledger.space.arguments(taken.values), f"steps={steps}", f"how={told}", f"pause={pause}"]

    kind = options.pop("executor", executor)
    plan = Plan(folder, slots, arguments, Handover(name, store.url, pruner=options.pop("pruner", PRUNER)), **options)
    return Controller(ledger, kind(), plan, Kept())


def executor(kind=ForkExecutor):
    """An executor of simulated trials."""
    return kind("sweeping.simulated:main", "simulated", ["optuna", "hydra.utils", "sweeping.simulated"], path())


def path():
    """Environment in which a child finds this folder's modules and what this process has imported."""
    return {"PYTHONPATH": ":".join([str(TESTS), *filter(None, sys.path)])}


def results(folder, name="study", storage=None):
    """What each trial came to: number → state, value, parameters, reported values."""
    store = Store(storage or str(folder / "journal.log"))
    trials = store.storage.get_all_trials(store.storage.get_study_id_from_name(name))
    return {t.number: (t.state.name, t.value, t.params, t.intermediate_values) for t in trials}


def logged(folder, number):
    """The values that a trial itself wrote down, step → value; a step that was taken twice came to the same."""
    values = {}
    for line in (folder / str(number) / "curve.txt").read_text().splitlines():
        step, value = line.split()
        assert values.setdefault(int(step), float(value)) == float(value)
    return values


def process(folder, **options):
    """A controller in a process of its own; it ends with code 0 when the study is complete."""
    command = [sys.executable, "-m", "sweeping.simulation", str(folder), json.dumps(options)]
    environment = {**os.environ, **path(), "OMP_NUM_THREADS": "1"}
    err = (folder / "stderr.txt").open("a")
    return subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True, stderr=err)


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        controller(Path(sys.argv[1]), **json.loads(sys.argv[2])).run()
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
