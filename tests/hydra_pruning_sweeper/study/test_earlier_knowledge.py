"""What a search knows before its first trial, and when it ends before all of its trials were run."""

import itertools

import pytest
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import TrialState

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.study.earlier_knowledge import enqueued, trials_of_studies
from hydra_pruning_sweeper.study.record import SweepRecord
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.search_spec import SearchSpec
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.storage import StudyStorage


def random_sampler(seed):
    return RandomSampler(seed=seed)


def study_in(folder, space, trials=100, spec=None, make=random_sampler, baseline=None, **rules):
    folder.mkdir(exist_ok=True)
    store = StudyStorage(str(folder / "journal.log"))
    return SharedStudy(
        store, "study", "minimize", space, Rules(trials, **rules), make, None, 3, baseline, spec or SearchSpec()
    )


def run(study, objective, most=1000):
    """Runs a study to its end, or `most` trials; returns the values of each trial, in the order of their starts."""
    values = []
    while len(values) < most and (leased := study.take()) is not None:
        values.append(leased.values)
        assert study.tell(leased.number, TrialState.COMPLETE, objective(leased.values))
    return values


def square(values):
    return (values["x"] - 0.3) ** 2


CONDITIONAL = [
    parameter("layers", "range(1,4)"),
    parameter("cell", "choice(gru,lstm)"),
    parameter("dropout", "choice(0.0,0.1)", when="layers > 1"),
]
"""Ten settings: dropout is searched only where there are two or three layers."""


def test_nothing_is_tried_twice_in_a_finite_space_and_the_search_ends_when_all_of_it_was(tmp_path):
    study = study_in(tmp_path, Space(CONDITIONAL))
    tried = run(study, lambda values: values["layers"])
    assert len(tried) == 2 + 2 * 2 * 2
    assert [one for number, one in enumerate(tried) if one in tried[:number]] == []
    assert study.why_early(study.trials()) == "all 10 settings of the space were tried"
    assert study.finish() == []


def test_constraints_leave_fewer_settings(tmp_path):
    space = Space(CONDITIONAL, ["layers < 3 or cell == 'gru'"])
    assert len(run(study_in(tmp_path, space), lambda values: values["layers"])) == 2 + 4 + 2


@pytest.mark.parametrize(
    ("sweep", "values"),
    [
        ("range(1,8,3)", [1, 4, 7]),
        ("range(0.1,0.45,0.1)", [0.1, 0.2, 0.30000000000000004, 0.4]),
        ("choice(null,[1,2],a)", [None, "[1,2]", "a"]),
        ("interval(0,1)", None),
        ("int(interval(1,2000))", None),
    ],
)
def test_all_values_of_a_space_are_those_that_are_drawn(sweep, values):
    space = Space([parameter("x", sweep)])
    found = space.all_values(1000)
    assert (found and [one["x"] for one in found]) == values


def test_the_search_ends_after_trials_that_bring_nothing_better(tmp_path):
    study = study_in(tmp_path, Space([parameter("x", "interval(0,1)")]), stagnation=4)
    values = list(map(square, run(study, square)))
    improvements = [number for number, value in enumerate(values) if value == min(values[: number + 1])]
    assert max(b - a for a, b in itertools.pairwise(improvements)) <= 4
    assert len(values) == improvements[-1] + 1 + 4 < 100
    assert study.why_early(study.trials()) == "none of the last 4 was better (hydra.sweeper.patience)"


def test_a_search_has_patience_with_what_ends_after_its_best_trial(tmp_path):
    study = study_in(tmp_path, Space([parameter("x", "interval(0,1)")]), stagnation=3)
    numbers = [study.take().number for _ in range(4)]
    for number, value in ((1, 0.90), (2, 0.91), (3, 0.92), (0, 0.10)):  # the first one is slow, and the best
        study.tell(number, TrialState.COMPLETE, value)
    assert numbers == [0, 1, 2, 3] and study.why_early(study.trials()) is None
    run(study, lambda values: 0.5, most=2)
    assert not study.is_full()
    assert len(run(study, lambda values: 0.5)) == 1


def test_trials_that_are_left_paused_do_not_count_against_patience(tmp_path):
    study = study_in(tmp_path, Space([parameter("x", "interval(0,1)")]), trials=4, stagnation=3)
    study.tell(study.take().number, TrialState.COMPLETE, 0.1)
    for _ in range(3):
        number = study.take().number
        study.storage.set_trial_intermediate_value(study._id(number), 1, 0.5)
        assert study.pause(number, 1)
    assert study.finish() == [1, 2, 3]
    assert study.why_early(study.trials()) is None


def test_values_by_hand_come_after_the_baseline_and_the_sampler_draws_the_others(tmp_path):
    space = Space([parameter("x", "interval(0,1)"), parameter("width", "choice(16,32,64)")])
    by_hand = enqueued([{"x": 0.25, "width": 32}, {"width": 64}], space)
    study = study_in(tmp_path, space, spec=SearchSpec(enqueued=by_hand), baseline={"x": 0.5, "width": 16})
    values = run(study, square, most=5)
    assert values[:2] == [{"x": 0.5, "width": 16}, {"x": 0.25, "width": 32}]
    assert values[2]["width"] == 64
    assert 0 < values[2]["x"] < 1
    assert [bool(one.user_attrs.get("enqueued")) for one in study.trials()] == [False, True, True, False, False]


def test_more_values_by_hand_are_tried_by_a_study_that_goes_on(tmp_path):
    space = Space([parameter("x", "interval(0,1)")])
    first = [{"x": 0.5}]
    run(study_in(tmp_path, space, 3, SearchSpec(enqueued=first)), square)
    more = run(study_in(tmp_path, space, 6, SearchSpec(enqueued=[*first, {"x": 0.75}])), square)
    assert more[0] == {"x": 0.75}
    assert len(more) == 3


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, r"enqueue\[0\]: must name settings"),
        ({"y": 1}, r"enqueue\[0\]: y is not searched; searched are x, width"),
        ({"x": 3.0}, r"enqueue\[0\]: x is 3.0, which is outside the space"),
        ({"width": 17}, r"enqueue\[0\]: width is 17, which is outside the space"),
    ],
)
def test_values_by_hand_must_be_in_the_space(entry, message):
    space = Space([parameter("x", "interval(0,1)"), parameter("width", "choice(16,32,64)")])
    with pytest.raises(UsageError, match=message):
        enqueued([entry], space)


def recorded(folder, space, trials, objective, name="study", direction="minimize"):
    run(study_in(folder, space, trials), objective)
    SweepRecord(name, str(folder / "journal.log"), direction, trials).write(folder)
    return folder


def near(values):
    """How many of the values are within a tenth of the best one, 0.3."""
    return sum(abs(one["x"] - 0.3) < 0.1 for one in values)


def test_a_warm_start_leads_the_sampler_from_the_first_trial_and_outlives_the_other_study(tmp_path):
    space = Space([parameter("x", "interval(0,1)")])
    before = recorded(tmp_path / "before", space, 30, square)
    earlier = trials_of_studies([before], space, "minimize")
    assert len(earlier) == 30

    def tpe(seed):
        return TPESampler(seed=seed, n_startup_trials=10)

    cold = run(study_in(tmp_path / "cold", space, make=tpe), square, most=10)
    warm = run(study_in(tmp_path / "warm", space, spec=SearchSpec(earlier=lambda: earlier), make=tpe), square, most=6)
    for file in before.iterdir():
        file.unlink()
    warm += run(study_in(tmp_path / "warm", space, make=tpe), square, most=4)
    whole = study_in(tmp_path / "whole", space, spec=SearchSpec(earlier=lambda: earlier), make=tpe)
    assert run(whole, square, most=10) == warm
    assert near(warm) > 2 * near(cold)
    assert [one.number for one in whole.trials()] == list(range(10))  # those of the other study are not among them


def test_trials_outside_of_the_space_are_no_warm_start(tmp_path):
    wide, narrow = (Space([parameter("x", f"interval(0,{end})")]) for end in (1, 0.5))
    before = recorded(tmp_path / "before", wide, 20, square)
    inside = trials_of_studies([before], narrow, "minimize")
    assert 0 < len(inside) < 20
    assert all(one["params"]["x"] <= 0.5 for one in inside)
    with pytest.raises(UsageError, match=r"no finished trial in .*before is in the space of this search"):
        trials_of_studies([before], Space([parameter("y", "interval(0,1)")]), "minimize")
    with pytest.raises(UsageError, match="has direction minimize"):
        trials_of_studies([before], wide, "maximize")
    with pytest.raises(UsageError, match="no sweep here"):
        trials_of_studies([tmp_path / "nowhere"], wide, "minimize")
