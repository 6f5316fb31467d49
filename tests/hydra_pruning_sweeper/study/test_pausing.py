"""Which trials are paused and promoted, where the answer is known."""

import math

import optuna
import pytest
from optuna.pruners import HyperbandPruner, SuccessiveHalvingPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import TrialState
from sweeper_support.untrained import advance, ends, search, study_of

from hydra_pruning_sweeper.study.pausing import PauseAndPromote, is_paused, pauses_of
from hydra_pruning_sweeper.study.rungs import rungs

FLAT = [9] * 9  # of a trial that learns nothing


def falls(start, end, steps=9):
    """A curve from `start`, which it keeps at its first step, to `end`."""
    return [start + (end - start) * step / (steps - 1) for step in range(steps)]


@pytest.mark.parametrize(("maximum", "factor"), [(30, 3), (27, 3), (9, 3), (16, 2), (20, 4), (1, 3), (2, 3)])
def test_brackets_are_those_of_optunas_hyperband(maximum, factor):
    mine = PauseAndPromote(1, maximum, factor, brackets=None)
    study = optuna.create_study(study_name="s", pruner=(own := HyperbandPruner(1, maximum, factor)))
    trial = study.ask()
    trial.report(1.0, 1)
    trial.should_prune()
    frozen = study.trials[0]
    for number in range(200):
        frozen.number = number
        assert mine.bracket("s", number) == own._get_bracket_id(study, frozen)
    halving = {"min_resource": 1, "max_resource": maximum, "reduction_factor": factor}
    steps = rungs({"_target_": "x.PauseAndPromote", **halving})
    assert [mine.rungs(bracket) for bracket in range(mine.brackets)] == [steps[at:] for at in range(mine.brackets)]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"min_resource": 0}, "at least 1"),
        ({"reduction_factor": 1}, "reduction_factor at least 2"),
        ({"brackets": 4}, "from 1 to 3"),
        ({"brackets": 0}, "but is 0"),
    ],
)
def test_what_makes_no_rungs_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        PauseAndPromote(**{"min_resource": 1, "max_resource": 9, **arguments})


def test_who_learns_slowly_is_paused_where_halving_stops_it_and_wins(tmp_path):
    curves = [falls(2, 1.5), falls(3, 2), falls(4, 0), *[FLAT] * 6]
    for name, pruner in (("paused", PauseAndPromote(1, 3)), ("stopped", SuccessiveHalvingPruner(1, 3))):
        (tmp_path / name).mkdir()
        study = study_of(tmp_path / name, 9, pruner)
        search(study, curves)
        assert ends(study)[2] == (("COMPLETE", 9, [1]) if name == "paused" else ("PRUNED", 1, []))
        assert study.study.best_value == (0 if name == "paused" else 1.5)


def test_whom_an_early_rank_betrays_is_lost(tmp_path):
    """Each trial is better at first than all before it, but only the first one improves."""
    study = study_of(tmp_path, 9, PauseAndPromote(1, 9))
    assert search(study, [falls(20, 0), *([20.0 - number] * 9 for number in range(1, 9))]) == list(range(9))
    assert ends(study) == {
        **dict.fromkeys((0, 1), ("PRUNED", 1, [])),  # of two trials none goes on, later there are better ones
        **dict.fromkeys((2, 3), ("PRUNED", 3, [])),
        **dict.fromkeys(range(4, 9), ("COMPLETE", 9, [])),
    }
    assert study.study.best_value == 12


def test_of_equal_trials_the_earliest_is_promoted(tmp_path):
    study = study_of(tmp_path, 9, PauseAndPromote(1, 9))
    assert search(study, [[1.0] * 9] * 9) == [0, 1, 2, 0, 3, 4, 5, 1, 6, 7, 8, 2, 0]
    assert ends(study) == {
        0: ("COMPLETE", 9, [1, 3]),
        **dict.fromkeys((1, 2), ("PRUNED", 3, [1])),
        **dict.fromkeys(range(3, 9), ("PRUNED", 1, [])),
    }


def test_who_diverges_at_a_rung_is_pruned_and_counts_for_nobody(tmp_path):
    study = study_of(tmp_path, 4, PauseAndPromote(1, 9))
    search(study, [[math.nan], [2.0] * 9, [3.0] * 9, [4.0, math.nan]])
    assert ends(study) == {
        0: ("PRUNED", 0, []),
        1: ("COMPLETE", 9, [1, 3]),
        2: ("PRUNED", 1, []),
        3: ("PRUNED", 1, []),
    }
    assert [one.user_attrs.get("error") for one in study.trials()] == ["diverged", None, None, None]


def test_the_largest_is_best_in_the_other_direction(tmp_path):
    study = study_of(tmp_path, 9, PauseAndPromote(1, 3), direction="maximize")
    search(study, [[float(number)] * 3 for number in (5, 7, 3, 1, 8, 2, 4, 6, 0)])
    assert [number for number, (state, *_) in ends(study).items() if state == "COMPLETE"] == [1, 4, 7]


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("trials", [1, 2, 5])
def test_with_few_trials_the_best_of_each_rung_is_promoted_once_no_more_are_to_come(tmp_path, trials, slots):
    study = study_of(tmp_path, trials, PauseAndPromote(1, 27))
    search(study, [[float(10 - number)] * 27 for number in range(trials)], slots)
    complete = [number for number, (state, *_) in ends(study).items() if state == "COMPLETE"]
    assert complete == [trials - 1]


def test_the_highest_rung_comes_first_and_there_the_best(tmp_path):
    study = study_of(tmp_path, 99, PauseAndPromote(1, 9, 2))
    paused = {0: (1, 4.0), 1: (1, 3.0), 2: (2, 2.5), 3: (2, 2.0), 4: (1, 9.0), 5: (1, 9.0), 6: (1, 9.0), 7: (1, 9.0)}
    leased = [study.take() for _ in paused]
    for one in leased:
        step, value = paused[one.number]
        for at in range(1, step + 1):
            study.storage.set_trial_intermediate_value(study._id(one.number), at, value)
        study.pause(one.number, step)
    promoted = [study.take() for _ in range(4)]
    assert [(one.number, one.promoted) for one in promoted] == [(3, (2,)), (1, (1,)), (0, (1,)), (8, ())]


def test_a_failed_trial_leaves_its_place(tmp_path):
    study = study_of(tmp_path, 4, PauseAndPromote(1, 9), retries=0, failures=1.0)
    for number in range(2):
        advance(study, study.take(), 1, [1.0 + number] * 9)
    third = study.take()
    advance(study, third, 1, [0.5] * 9)  # the best of three goes on, and fails
    study.tell(third.number, TrialState.FAIL, error="no")
    leased = study.take()
    assert (leased.number, leased.promoted) == (3, ())  # two have been there: nobody is promoted
    advance(study, leased, 1, [3.0] * 9)
    leased = study.take()
    assert (leased.number, leased.promoted, leased.is_promotion, leased.adopted) == (0, (1,), True, True)


def test_validations_between_which_a_rung_is_are_judged_after_it(tmp_path):
    """A trial that reports every fourth step is at the rungs 1 and 3 after step 4."""
    study = study_of(tmp_path, 3, PauseAndPromote(1, 27))
    pruned = []
    for value in (3.0, 2.0, 1.0):
        leased = study.take()
        study.storage.set_trial_intermediate_value(study._id(leased.number), 4, value)
        trial = study.trials()[leased.number]
        pruned.append(study.pruner.prune(study.study, trial))
        if pruned[-1]:
            study.pause(leased.number, 4)
    assert pruned == [True, True, False]


def test_trials_compete_within_their_bracket(tmp_path):
    study = study_of(tmp_path, 30, PauseAndPromote(1, 9, 3, brackets=None))
    search(study, [[1.0 + number / 100] * 9 for number in range(30)])
    of = {number: study.pruner.bracket("study", number) for number in range(30)}
    assert set(of.values()) == {0, 1, 2}
    for number, (state, step, _) in ends(study).items():
        assert step in ({0: (1, 3, 9), 1: (3, 9), 2: (9,)}[of[number]])
        assert (state == "COMPLETE") == (step == 9)
    for bracket, first in ((0, 1), (1, 3)):
        members = [number for number in of if of[number] == bracket]
        further = [number for number in members if ends(study)[number][1] > first]
        assert further == members[: len(members) // 3]  # equal but for their numbers, which decide


def test_a_pause_outlives_controllers_and_is_nobodys(tmp_path):
    study = study_of(tmp_path, 3, PauseAndPromote(1, 9))
    advance(study, study.take(), 1, [2.0] * 9)
    other = study_of(tmp_path, 3, PauseAndPromote(1, 9))
    assert other.take(may_start=False) is None  # it is no trial of a dead controller
    assert is_paused(other.trials()[0])
    assert study.beat() == []
    assert other.take().number == 1
    assert study.finish() is None
    assert [one.step for one in pauses_of(study.trials()[0])] == [1]


def test_nothing_is_promoted_twice(tmp_path):
    one, other = (study_of(tmp_path, 9, PauseAndPromote(1, 9)) for _ in range(2))
    for number in range(3):
        advance(one, one.take(), 1, [1.0 + number] * 9)
    first, second = one.take(), other.take()
    assert (first.number, first.is_promotion) == (0, True)
    assert (second.number, second.is_promotion) == (3, False)
    assert not other.pause(0, 3)


def test_a_promotion_that_a_kill_interrupts_is_gone_on_with(tmp_path, monkeypatch):
    one, other = (study_of(tmp_path, 9, PauseAndPromote(1, 9)) for _ in range(2))
    for number in range(3):
        advance(one, one.take(), 1, [1.0 + number] * 9)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(one, "_adopt", killed)
    with pytest.raises(KeyboardInterrupt):
        one.take()
    leased = other.take()
    assert (leased.number, leased.promoted, leased.is_promotion) == (0, (1,), False)


def test_a_pause_that_a_kill_interrupts_is_one(tmp_path, monkeypatch):
    one, other = (study_of(tmp_path, 9, PauseAndPromote(1, 9)) for _ in range(2))
    leased = one.take()
    written = one.storage.set_trial_user_attr

    def killed_later(trial_id, name, value):
        if name == "lease":
            raise KeyboardInterrupt
        written(trial_id, name, value)

    monkeypatch.setattr(one.storage, "set_trial_user_attr", killed_later)
    one.storage.set_trial_intermediate_value(one._id(0), 1, 5.0)
    with pytest.raises(KeyboardInterrupt):
        one.pause(leased.number, 1)
    assert is_paused(other.trials()[0])
    assert other.take().number == 1


def test_after_too_many_failures_what_is_paused_stays_so(tmp_path):
    study = study_of(tmp_path, 3, PauseAndPromote(1, 9), retries=0, failures=0.0)
    advance(study, study.take(), 1, [1.0] * 9)
    study.tell(study.take().number, TrialState.FAIL, error="no")
    assert study.take() is None
    assert study.finish() == []
    assert is_paused(study.trials()[0])


def test_more_trials_than_before_may_be_asked_for(tmp_path):
    curves = [[1.0 + number] * 9 for number in range(9)]
    search(study_of(tmp_path, 6, PauseAndPromote(1, 9)), curves)
    before = ends(study_of(tmp_path, 6, PauseAndPromote(1, 9)))
    study = study_of(tmp_path, 9, PauseAndPromote(1, 9))
    assert search(study, curves) == [6, 7, 8]
    assert {number: ends(study)[number] for number in range(6)} == before


def test_samplers_see_a_paused_trial_as_a_pruned_one(tmp_path):
    seen = []

    class Looking(RandomSampler):
        def sample_independent(self, study, trial, name, distribution):
            seen.append([(one.state, one.value) for one in study.get_trials(deepcopy=False)])
            assert study.get_trials(states=(TrialState.RUNNING,))[-1].number == trial.number
            return super().sample_independent(study, trial, name, distribution)

    study = study_of(tmp_path, 9, PauseAndPromote(1, 9), make=lambda seed: Looking(seed=seed))
    advance(study, study.take(), 1, [2.5] * 9)
    study.take()
    assert seen[-1] == [(TrialState.PRUNED, 2.5), (TrialState.RUNNING, None)]
    assert study.trials()[0].state == TrialState.RUNNING  # only they


def test_tpe_proposes_as_if_paused_trials_were_pruned(tmp_path, monkeypatch):
    monkeypatch.setattr(PauseAndPromote, "promotable", lambda *_: None)
    found = []
    for name in ("paused", "pruned"):
        (tmp_path / name).mkdir()
        make = lambda seed: TPESampler(seed=seed, n_startup_trials=4)  # noqa: E731
        study = study_of(tmp_path / name, 9, PauseAndPromote(2, 9), make=make)
        for number in range(9):
            leased = study.take()
            study.storage.set_trial_intermediate_value(study._id(number), 2, 1.0 + abs(leased.values["x"] - 0.3))
            assert study.pause(number, 2) if name == "paused" else study.tell(number, TrialState.PRUNED)
        found.append([one.params["x"] for one in study.trials()])
    assert found[0] == found[1]
    assert len(set(found[0])) == 9
