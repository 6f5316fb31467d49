"""The benchmark of a sweep's trials runs."""

import pytest

from benchmarks import trial


@pytest.mark.slow
def test_a_trial_and_a_bare_run_come_to_their_first_step():
    (row,) = trial.measure("trial", {}, quick=True)
    assert row.ours.median > 0
    assert row.theirs.median > 0
    assert row.met == (row.ours.median - row.theirs.median <= 0.3)
