"""Stopped trials get a value by rank, which a Gaussian process then knows."""

import math
from statistics import NormalDist

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers import GPSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from hydra_pruning_sweeper.study.ranked_view import normal_scores, ranked_study, ranking
from hydra_pruning_sweeper.study.sampler import ConstrainedSampler
from hydra_pruning_sweeper.study.space import Space, parameter

DOWN, UP = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
COMPLETE, PRUNED = TrialState.COMPLETE, TrialState.PRUNED
SPACE = Space([parameter("x", "interval(0,1)")])


def study_of(*trials, direction="minimize"):
    """A study of (state, values after steps 1, 2 …)."""
    study = optuna.create_study(storage=InMemoryStorage(), direction=direction)
    for at, (state, values) in enumerate(trials):
        study.add_trial(
            create_trial(
                state=state,
                value=values[-1] if values and state in (COMPLETE, PRUNED) else None,
                params={"x": (at + 0.5) / len(trials)},
                distributions={"x": FloatDistribution(0, 1)},
                intermediate_values=dict(enumerate(values, 1)),
            )
        )
    return study


def numbers(study, direction=DOWN):
    return [one.number for one in ranking(study.get_trials(), direction)]


TRIALS = (
    (COMPLETE, [9.0, 5.0, 1.0]),  # a slow learner that wins
    (COMPLETE, [4.0, 3.0, 2.0]),
    (COMPLETE, [8.0, 7.0, 6.0]),
    (PRUNED, [5.0, 4.0]),  # after step 2, trial 1 is better, and trials 0 and 2 are worse
    (PRUNED, [8.5]),  # after step 1, trials 1, 3 and 2 are better
    (PRUNED, [99.0]),
)


def test_a_stopped_trial_is_placed_by_how_many_that_went_on_were_better_then():
    # Trial 3 has one ahead (1): second. Then trial 4 has three ahead of 0, 3, 1, 2: fourth.
    assert numbers(study_of(*TRIALS)) == [0, 3, 1, 4, 2, 5]


def test_the_direction_turns_it_around():
    turned = [(state, [-value for value in values]) for state, values in TRIALS]
    assert numbers(study_of(*turned, direction="maximize"), UP) == [0, 3, 1, 4, 2, 5]
    scores = normal_scores(study_of(*turned, direction="maximize").get_trials(), UP)
    assert max(scores, key=scores.get) == 0
    assert min(scores, key=scores.get) == 5


def test_ties_put_those_that_went_on_first():
    study = study_of((PRUNED, [2.0]), (COMPLETE, [2.0, 2.0]), (PRUNED, [2.0]), (COMPLETE, [2.0, 2.0]))
    assert numbers(study) == [1, 3, 0, 2]


def test_a_trial_that_diverged_is_last():
    nan = math.nan
    study = study_of((PRUNED, []), (COMPLETE, [3.0, 2.0]), (PRUNED, [nan]), (PRUNED, [50.0, nan]))
    assert numbers(study)[:2] == [1, 3]
    assert set(numbers(study)[2:]) == {0, 2}


def test_running_and_failed_trials_have_no_rank():
    study = study_of((COMPLETE, [1.0]), (TrialState.RUNNING, [0.5]), (TrialState.FAIL, []), (PRUNED, [2.0]))
    assert normal_scores(study.get_trials(), DOWN).keys() == {0, 3}


def test_scores_are_normal_quantiles_of_ranks():
    scores = normal_scores(study_of((COMPLETE, [7.0]), (COMPLETE, [1e9]), (COMPLETE, [0.1])).get_trials(), DOWN)
    upper = NormalDist().inv_cdf(5 / 6)
    assert scores == pytest.approx({2: -upper, 0: 0.0, 1: upper})


def test_the_view_shows_stopped_trials_as_complete_and_leaves_the_study_as_it_is():
    study = study_of(*TRIALS, (TrialState.RUNNING, [0.5]))
    seen = ranked_study(study).get_trials(deepcopy=False)
    assert [one.state for one in seen] == [COMPLETE] * 6 + [TrialState.RUNNING]
    assert sorted(range(6), key=lambda at: seen[at].value) == [0, 3, 1, 4, 2, 5]
    assert len(ranked_study(study)._get_trials(False, (COMPLETE,), False)) == 6
    assert [one.state for one in study.get_trials()][3:6] == [PRUNED] * 3
    assert study.get_trials()[0].value == 1.0
    whole = study_of(*TRIALS[:3])
    assert ranked_study(whole) is whole


def proposal(study, make):
    study.sampler = ConstrainedSampler(SPACE, make, seed=3)
    return study.ask(SPACE.distributions).params["x"]


def gp(seed):
    return GPSampler(seed=seed, n_startup_trials=3)


def test_a_gaussian_process_learns_from_stopped_trials_and_proposes_the_same_again():
    """Ten trials: complete ones are all alike, so only the stopped ones tell where it is good."""
    ups = [(PRUNED, [10.0 - at]) for at in range(8)]
    first = proposal(study_of(*ups, (COMPLETE, [1.5, 1.0])), gp)
    assert first == proposal(study_of(*ups, (COMPLETE, [1.5, 1.0])), gp)  # as after an interruption
    assert first > 0.5
    downs = [(PRUNED, [3.0 + at]) for at in range(8)]
    assert proposal(study_of((COMPLETE, [1.5, 1.0]), *downs), gp) < 0.5


def test_other_samplers_see_the_study_as_it_is():
    seeds = []

    def tpe(seed):
        seeds.append(seed)
        return TPESampler(seed=seed, n_startup_trials=3)

    trials = (*TRIALS, (PRUNED, [3.0]))  # by its rank the best one
    proposed = proposal(study_of(*trials), tpe)
    plain, ranked = study_of(*trials), study_of()
    ranked.add_trials(ranked_study(plain).get_trials())
    for study in (plain, ranked):
        study.sampler = TPESampler(seed=seeds[0], n_startup_trials=3)
    assert proposed == plain.ask(SPACE.distributions).params["x"]
    assert proposed != ranked.ask(SPACE.distributions).params["x"]
