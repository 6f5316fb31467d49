"""What a trial reports, hears, and remembers when it is taken up after a death."""

import math

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import HyperbandPruner, MedianPruner, SuccessiveHalvingPruner
from optuna.trial import TrialState
from sweeper_support.simulation import PRUNER

from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.attached_trial import AttachedTrial
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE, TrialContext, context_of_trial, record_end
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.trial.reporter import Reporter


@pytest.fixture
def trial_context(tmp_path):
    """Makes the context of a new running trial of one study."""
    store = StudyStorage(str(tmp_path / "journal.log"))
    study = optuna.create_study(study_name="s", storage=store.storage)

    def new(**options):
        number = study.ask().number
        return TrialContext("s", store.url, number, str(tmp_path / str(number)), **{"pruner": PRUNER, **options})

    new.study = study
    return new


def test_outside_of_a_sweep_there_is_no_trial(monkeypatch):
    monkeypatch.delenv(TRIAL_VARIABLE, raising=False)
    assert context_of_trial() is None
    record_end(1.0)


@pytest.mark.parametrize(("value", "kept"), [(2, 2.0), (0.5, 0.5), (None, None), (True, None), ("x", None)])
def test_a_process_learns_which_trial_it_is_and_tells_its_end(monkeypatch, trial_context, value, kept):
    given = trial_context()
    path = given.write()
    monkeypatch.setenv(TRIAL_VARIABLE, str(path))
    assert context_of_trial() == given
    record_end(value)
    progress = TrialEvents(path.parent).read()
    assert (progress.ended, progress.value) == (True, kept)


@pytest.mark.parametrize(("direction", "expected"), [("minimize", [3.0, 2.0, 2.0]), ("maximize", [3.0, 3.0, 4.0])])
def test_the_best_so_far_is_what_is_reported(trial_context, direction, expected):
    given = trial_context(pruner=None, direction=direction)
    one = Reporter(given)
    for step, value in enumerate([3.0, 2.0, 4.0], start=1):
        assert not one.report(step, value)
    assert list(trial_context.study.trials[0].intermediate_values.values()) == expected


def test_a_value_that_is_no_number_ends_the_trial(trial_context):
    given = trial_context()
    assert Reporter(given).report(1, math.nan)
    assert TrialEvents(one := Reporter(given).events.path.parent).read().diverged, one


def test_nothing_is_asked_at_the_last_step(trial_context):
    halving = {"_target_": "optuna.pruners.SuccessiveHalvingPruner", "min_resource": 3, "reduction_factor": 3}
    good, bad = (Reporter(trial_context(pruner=halving)) for _ in range(2))
    good.report(3, 1.0)
    assert not bad.report(3, 9.0, last=True)
    assert bad.report(4, 9.0)


def test_a_step_that_is_taken_again_gets_the_same_answer(trial_context):
    halving = {"_target_": "optuna.pruners.SuccessiveHalvingPruner", "min_resource": 1, "reduction_factor": 2}
    for value in (1.0, 2.0):
        Reporter(trial_context(pruner=halving)).report(1, value)
    given = trial_context(pruner=halving)
    assert Reporter(given).report(1, 3.0)
    for value in range(5):  # others come along that are worse: asked anew, it would stay
        Reporter(trial_context(pruner=halving)).report(1, 10.0 + value)
    assert Reporter(given).report(1, 3.0)


def test_a_finished_trial_cannot_be_reported_to(trial_context):
    given = trial_context()
    trial_context.study.tell(given.number, 1.0)
    with pytest.raises(ValueError, match=r"trial 0 of s is not running, but COMPLETE"):
        Reporter(given)


@settings(max_examples=15)
@given(
    values=st.lists(st.floats(0, 9), min_size=27, max_size=27), kind=st.sampled_from(["hyperband", "halving", "median"])
)
def test_a_decision_is_optunas_own_and_leaves_the_storage_as_it_was(values, kind):
    pruners = {
        "hyperband": lambda: HyperbandPruner(1, 3, 3),
        "halving": lambda: SuccessiveHalvingPruner(1, 2),
        "median": lambda: MedianPruner(2, 0),
    }
    mine, own = (optuna.create_study(study_name="s", pruner=pruners[kind]()) for _ in range(2))
    for number in range(9):
        one, other = mine.ask(), own.ask()
        attach = AttachedTrial("s", number, mine._storage, pruners[kind]())
        for step in range(1, 4):
            value = values[number * 3 + step - 1]
            attach.report(value, step)
            other.report(value, step)
            before = attach.trial().system_attrs.copy()
            prune, notes = attach.decide(step)
            assert attach.trial().system_attrs == before
            attach.note(notes)
            assert prune == other.should_prune()
            assert attach.trial().system_attrs == own.trials[number].system_attrs
            if prune:
                break
        for study, trial in ((mine, one), (own, other)):
            study.tell(trial, state=TrialState.PRUNED)
