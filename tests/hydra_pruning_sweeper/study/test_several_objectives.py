"""Studies of several objectives, on a simulated problem whose Pareto front is known."""

import pytest
from optuna.pruners import NopPruner
from optuna.samplers import BruteForceSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.study.record import SweepRecord
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.attached_trial import AttachedTrial
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep
from hydra_pruning_sweeper.views.sweep_summary import trials_csv

GOAL = {"loss": "minimize", "accuracy": "maximize"}
SAMPLERS = {
    "tpe": lambda seed: TPESampler(seed=seed, n_startup_trials=3, constant_liar=True),
    "nsga2": lambda seed: NSGAIISampler(seed=seed, population_size=4),
    "random": lambda seed: RandomSampler(seed=seed),
    "grid": lambda seed: BruteForceSampler(seed=seed),
}
quietly = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def study_of(folder, trials=99, make=SAMPLERS["tpe"], goal=GOAL, x="range(0,6)"):
    """A study of 12 settings; those with y=0 are the front, as each x trades a loss for accuracy."""
    store = StudyStorage(str(folder / "journal.log"))
    space = Space([parameter("x", x), parameter("y", "choice(0,1)")])
    return SharedStudy(store, "study", goal, space, Rules(trials), make, NopPruner(), seed=3)


def objectives(values):
    return [float(values["x"] + values["y"]), float(values["x"] - values["y"])]


def run(study, diverging=()):
    """Runs a study to its end; gives the values of all trials."""
    found = []
    while (leased := study.take()) is not None:
        found.append(leased.values)
        AttachedTrial("study", leased.number, study.storage, study.pruner).report(1.0 + leased.number, 1)
        if leased.number in diverging:
            assert study.tell(leased.number, TrialState.PRUNED, error="diverged")
        else:
            assert study.tell(leased.number, TrialState.COMPLETE, objectives(leased.values))
    assert study.finish() == []
    return found


def front(study, folder):
    sweep = RecordedSweep(SweepRecord("study", study.store.url, study.goal, 99), folder, study.store)
    return [one.params for one in sweep.best_trials()]


@quietly
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_small_space_is_searched_once_and_its_front_is_found(tmp_path, sampler):
    study = study_of(tmp_path, make=SAMPLERS[sampler])
    found = run(study, diverging=[4])  # whose curve no sampler is to compare with others
    assert sorted((one["x"], one["y"]) for one in found) == [(x, y) for x in range(6) for y in (0, 1)]
    assert study.why_early(study.trials()) == "all 12 settings of the space were tried"
    complete = [one for one in found if one != found[4]]
    undominated = [one for one in complete if one["y"] == 0]
    assert front(study, tmp_path) == undominated
    diverged = study.trials()[4]
    assert (diverged.state, diverged.values, diverged.last_step) == (TrialState.PRUNED, None, 1)


@quietly
def test_a_gaussian_process_goes_on_after_a_trial_that_diverged(tmp_path):
    study = study_of(tmp_path, 5, lambda seed: GPSampler(seed=seed, n_startup_trials=2), x="interval(0,6)")
    found = run(study, diverging=[1])
    assert [one.state.name for one in study.trials()] == ["COMPLETE", "PRUNED", *["COMPLETE"] * 3]
    assert len({one["x"] for one in found}) == 5


def test_values_are_kept_in_the_order_of_the_objectives_with_their_names(tmp_path):
    study = study_of(tmp_path, trials=1)
    (values,) = run(study)
    assert study.trials()[0].values == objectives(values)
    assert study.study.metric_names == ["loss", "accuracy"]
    assert [one.name for one in study.study.directions] == ["MINIMIZE", "MAXIMIZE"]


def test_an_objective_named_as_another_column_says_so(tmp_path):
    study = study_of(tmp_path, trials=1, goal={"loss": "minimize", "seconds": "maximize"})
    run(study)
    sweep = RecordedSweep(SweepRecord("study", study.store.url, study.goal, 1), tmp_path, study.store)
    heads = "trial,state,loss,seconds (objective),steps,seconds,x,y,retry of,error"
    assert trials_csv(sweep).splitlines()[0] == heads


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tmp_path):
    for name in ("whole", "interrupted"):
        (tmp_path / name).mkdir()
    whole = run(study_of(tmp_path / "whole", trials=10))
    assert run(study_of(tmp_path / "interrupted", trials=4)) == whole[:4]
    assert run(study_of(tmp_path / "interrupted", trials=10)) == whole[4:]


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ("minimize", "study study has direction minimize, maximize, but this search has minimize"),
        (
            {"loss": "minimize", "accuracy": "minimize"},
            "has direction minimize, maximize, but this search has minimize",
        ),
        ({"loss": "minimize", "f1": "maximize"}, "has the objectives loss, accuracy, but this search has loss, f1"),
    ],
)
def test_other_objectives_are_another_study(tmp_path, goal, said):
    run(study_of(tmp_path, trials=1))
    with pytest.raises(UsageError, match=said):
        study_of(tmp_path, goal=goal)


def test_until_a_trial_has_begun_the_objectives_may_get_other_names(tmp_path):
    study_of(tmp_path)
    renamed = study_of(tmp_path, goal={"loss": "minimize", "f1": "maximize"})
    assert renamed.study.metric_names == ["loss", "f1"]
