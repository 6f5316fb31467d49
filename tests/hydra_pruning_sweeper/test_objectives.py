"""What may be searched with several objectives, what a task returns for them, and which trials are on the front."""

import itertools
import random

import pytest
from omegaconf import OmegaConf
from optuna.study import StudyDirection

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.objectives import direction_of, goal_from, pareto_front, result_of, sign_of
from hydra_pruning_sweeper.search_from_config import settings_from

GOAL = {"loss": "minimize", "accuracy": "maximize"}


@pytest.mark.parametrize(
    ("setting", "goal"),
    [
        ("maximize", "maximize"),
        (GOAL, GOAL),
        (["minimize", "maximize"], {"value 1": "minimize", "value 2": "maximize"}),
        ({1: "minimize", "b": "minimize"}, {"1": "minimize", "b": "minimize"}),
    ],
)
def test_a_direction_is_one_or_a_mapping(setting, goal):
    assert goal_from(setting) == goal


@pytest.mark.parametrize("setting", ["down", None, [], ["minimize"], {"loss": "minimize"}, {"a": "min", "b": "max"}])
def test_what_is_neither_is_refused(setting):
    with pytest.raises(UsageError, match=r"direction must be minimize or maximize, but is .*; for several objectives"):
        goal_from(setting)


@pytest.mark.parametrize(
    ("returned", "goal", "value"),
    [
        (3, "minimize", 3.0),
        ((1, 2.5), GOAL, [1.0, 2.5]),
        ([1, 2], GOAL, [1.0, 2.0]),
        ({"accuracy": 0.5, "other": "x", "loss": 2}, GOAL, [2.0, 0.5]),
    ],
)
def test_the_result_has_a_number_per_objective(returned, goal, value):
    assert result_of(returned, goal) == (value, None)


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        (0.5, "the task must return 2 numbers, for loss, accuracy, but returned 0.5"),
        (None, "the task must return 2 numbers, for loss, accuracy, but returned None"),
        ("ab", "the task must return 2 numbers, for loss, accuracy, but returned 'ab'"),
        ((1, 2, 3), "the task must return 2 numbers, for loss, accuracy, but returned (1, 2, 3)"),
        ((1, True), "the task must return 2 numbers, for loss, accuracy, but returned (1, True)"),
        ({"loss": 1, "size": 2}, "the task returned no number for accuracy; it returned loss, size"),
    ],
)
def test_a_result_that_lacks_one_says_which(returned, problem):
    assert result_of(returned, GOAL) == (None, problem)


def test_one_objective_takes_numbers_only():
    assert [result_of(one, "minimize") for one in ((1, 2), True, None)] == [(None, None)] * 3


def test_a_metric_has_the_direction_of_its_objective():
    assert [direction_of(GOAL, one) for one in ("loss", "accuracy", "other")] == ["minimize", "maximize", None]
    assert direction_of("maximize", "whatever") == "maximize"


def test_the_front_is_what_nothing_dominates():
    draw = random.Random(1)
    for count, directions in itertools.product((0, 1, 30), (["minimize"], ["maximize", "minimize"], ["maximize"] * 3)):
        values = [[draw.randrange(6) for _ in directions] for _ in range(count)]

        def at_least(one, other, directions=directions):
            pairs = zip(one, other, directions, strict=True)
            return all(a <= b if direction == "minimize" else a >= b for a, b, direction in pairs)

        expected = [
            place
            for place, one in enumerate(values)
            if not any(at_least(other, one) and not at_least(one, other) for other in values)
        ]
        assert pareto_front(values, directions) == expected


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"pruner": {"_target_": "optuna.pruners.MedianPruner"}},
            r"trials of several objectives are not pruned \(MedianPruner\): type hydra/sweeper/pruner=none",
        ),
        (
            {"pruner": {"_target_": "hydra_pruning_sweeper.study.bandit.BanditPruner", "max_resource": None}},
            r"trials of several objectives are not pruned \(BanditPruner\): type hydra/sweeper/pruner=none",
        ),
        (
            {"sampler": {"_target_": "optuna.samplers.CmaEsSampler"}},
            r"CmaEsSampler knows a single objective only: type hydra/sweeper/sampler=tpe, gp, random or grid",
        ),
        ({"patience": 5}, r"hydra.sweeper.patience knows a single objective only: type hydra.sweeper.patience=null"),
        ({"warm_start": "x"}, r"warm_start knows a single objective only: type hydra.sweeper.warm_start=null"),
    ],
)
def test_what_knows_one_objective_only_is_refused(changed, said):
    launcher = {"_target_": "hydra._internal.BasicLauncher"}
    config = {"hydra": {"sweeper": {"direction": GOAL, **changed}, "launcher": launcher}}
    with pytest.raises(UsageError, match=said):
        settings_from(OmegaConf.create(config))


def test_a_pruner_that_prunes_nothing_is_none():
    none = {"_target_": "optuna.pruners.NopPruner"}
    assert settings_from(OmegaConf.create({"hydra": {"sweeper": {"direction": GOAL, "pruner": none}}})).pruner == none


def test_a_sign_makes_lower_values_better_in_words_and_for_optuna():
    assert sign_of("minimize") == sign_of(StudyDirection.MINIMIZE) == 1
    assert sign_of("maximize") == sign_of(StudyDirection.MAXIMIZE) == -1
