"""What a study counts, and what its sampler is told."""

import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from sweeper_support.simulation import SPACE

from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space
from hydra_pruning_sweeper.study.storage import StudyStorage


@pytest.fixture
def told():
    return []


@pytest.fixture
def shared_study(tmp_path, told):
    """Gives controllers of one study, whose sampler notes what it is told."""

    class Noting(RandomSampler):
        def after_trial(self, study, trial, state, values):
            told.append((trial.number, state.name))

    def new():
        store = StudyStorage(str(tmp_path / "journal.log"))
        return SharedStudy(store, "s", "minimize", Space(SPACE), Rules(3, retries=1), lambda seed: Noting(seed=seed))

    return new


def test_a_sampler_is_told_of_a_trial_and_not_of_its_retry(shared_study, told):
    one = shared_study()
    one.tell(one.take().number, TrialState.FAIL, error="no")
    again = one.take()
    assert one.trials()[again.number].user_attrs["retry_of"] == 0
    one.tell(again.number, TrialState.COMPLETE, 1.0)
    one.tell(one.take().number, TrialState.COMPLETE, 2.0)
    assert told == [(0, "FAIL"), (2, "COMPLETE")]


def test_deaths_count_in_a_row_without_progress(shared_study):
    counts = []
    for step in (0, 0, 1, 1, 2):  # the last step that was reported when the process dies
        one = shared_study()
        leased = one.take()
        counts.append(leased.lease.idle)
        if step and step not in one.trials()[0].intermediate_values:
            one.storage.set_trial_intermediate_value(one._id(0), step, 1.0)
        one.release(leased.number, died=True)
    assert (leased.number, leased.lease.attempt) == (0, 5)
    assert counts == [0, 1, 2, 0, 1]
