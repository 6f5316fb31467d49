"""Where a pruner looks."""

import optuna
import pytest

from hydra_pruning_sweeper.study.rungs import rungs


@pytest.mark.parametrize(
    ("pruner", "expected"),
    [
        ({"_target_": "optuna.pruners.HyperbandPruner", "min_resource": 1, "max_resource": 30}, [1, 3, 9, 27]),
        ({"_target_": "optuna.pruners.HyperbandPruner", "min_resource": 1, "max_resource": 27}, [1, 3, 9]),
        ({"_target_": "x.HyperbandPruner", "min_resource": 2, "max_resource": 20, "reduction_factor": 4}, [2, 8]),
        ({"_target_": "x.HyperbandPruner", "min_resource": 1, "max_resource": "auto"}, []),
        ({"_target_": "x.SuccessiveHalvingPruner", "min_resource": "auto"}, []),
        ({"_target_": "optuna.pruners.MedianPruner"}, []),
        (None, []),
    ],
)
def test_rungs_are_those_of_halving(pruner, expected):
    assert rungs(pruner) == expected


def test_hyperband_stops_trials_at_these_and_nowhere_else():
    study = optuna.create_study(study_name="s", pruner=optuna.pruners.HyperbandPruner(1, 30, 3))
    stopped = set()
    for number in range(60):
        trial = study.ask()
        for step in range(1, 30):  # the last step is not asked
            trial.report(number % 7 + 1 / step, step)
            if trial.should_prune():
                stopped.add(step)
                break
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    assert stopped == {1, 3, 9, 27}
