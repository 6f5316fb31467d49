"""Searches on curves made up by hand, whose costs can be counted."""

import itertools
import json
import math

import pytest
from optuna.pruners import SuccessiveHalvingPruner

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.replay.compare import (
    KeptResults,
    at_random,
    compare_searches,
    in_full,
    interval,
    median_epochs,
    one_epoch,
    rank_correlation,
    sweep,
)
from hydra_pruning_sweeper.replay.curves import Curve, Grid, read_curves, recorded_curves, write_curves
from hydra_pruning_sweeper.replay.traces import Trace, stopped_early
from hydra_pruning_sweeper.views.recorded_sweep import open_sweep
from seqlab.reporting.readme.claims import with_results
from seqlab.reporting.readme.replay import BEGIN, END, over_tasks, tables
from seqlab.reporting.replay_table import share_of_first

RATES, ORDERS = [0.1, 0.2, 0.3, 0.5, 0.7], ["before", "after"]


def curves(epochs=7, shape=lambda at, step: 10.0 * at + 1.0 / step):
    """Of ten configurations; by default the order after an epoch is that at the end."""
    pairs = itertools.product(RATES, ORDERS)
    return [
        Curve({"lr": lr, "order": order}, [shape(at, step) for step in range(1, epochs + 1)], [0.5] * epochs)
        for at, (lr, order) in enumerate(pairs)
    ]


def never(trace):
    """No course is enough."""
    return False


@pytest.fixture
def grid():
    return Grid(curves())


def test_a_grid_gives_the_curve_of_what_was_chosen(grid):
    assert grid.space.chosen(lambda one, _: 3 if one.name == "lr" else "after") == {"lr": 3, "order": "after"}
    assert grid.curve({"lr": 3, "order": "after"}).settings == {"lr": 0.5, "order": "after"}
    assert grid.epochs == 7


def test_curves_are_read_as_they_were_written(tmp_path):
    write_curves(tmp_path / "curves.jsonl", curves())
    assert sorted(read_curves(tmp_path / "curves.jsonl"), key=str) == sorted(curves(), key=str)
    with pytest.raises(UsageError, match=r"none\.jsonl: no such file"):
        read_curves(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "no curves"),
        (curves()[1:], "10 combinations must have a curve each, but 9"),
        ([*curves(), curves()[0]], "11 curves have 10 different ones"),
        ([*curves()[1:], *curves(epochs=3)[:1]], "3 epochs, but others have 7"),
    ],
)
def test_a_grid_with_holes_is_none(wrong, message):
    with pytest.raises(UsageError, match=message):
        Grid(wrong)


def test_stopping_early_counts_values_that_are_not_better():
    assert stopped_early([5, 4, 4, 4, 3, 3, 3], patience=3) == [5, 4, 4, 4, 3, 3, 3]
    assert stopped_early([5, 4, 4, 4, 4, 3, 3], patience=3) == [5, 4, 4, 4, 4]
    assert stopped_early([1, 2], patience=3) == [1, 2]


def test_a_trace_counts_epochs_and_the_best_of_complete_trials():
    trace = Trace()
    trace.add([9.0, 8.0], complete=True)
    trace.add([1.0], complete=False)
    trace.add([9.0, 7.0, 5.0], complete=True, before=1)
    assert (trace.epochs, trace.trials, trace.scores) == (5, [2, 3, 5], [(1, 9.0), (2, 8.0), (4, 7.0), (5, 5.0)])
    assert [trace.best(at) for at in (0, 1, 3, 5)] == [math.inf, 9.0, 8.0, 5.0]
    assert [trace.reached(value) for value in (8.5, 7.0, 1.0)] == [2, 4, None]


def test_all_in_full_pays_for_all(grid):
    trace = sweep(at_random, in_full)(grid, 0, never)
    assert (trace.epochs, len(trace.trials)) == (10 * 7, 10)
    assert trace.best(70) == 1 / 7


def test_halving_pays_for_what_it_lets_live(grid):
    """Where curves never cross, a trial goes on past epoch 1 (2, 4) if it is in the better half of all before it."""
    trace = sweep(at_random, lambda _: SuccessiveHalvingPruner(1, 2))(grid, 0, never)
    costs = [b - a for a, b in itertools.pairwise([0, *trace.trials])]
    assert len(costs) == 10
    assert set(costs) <= {1, 2, 4, 7}
    assert sum(costs) < 70
    assert trace.best(1000) == 1 / 7
    assert sum(cost == 7 for cost in costs) * 7 == len(trace.scores)


def test_one_epoch_pays_once_for_the_first(grid):
    trace = one_epoch(grid, 0, never)
    assert trace.trials[9] == 10
    assert trace.reached(1.0) is None or trace.reached(1.0) > 10
    assert trace.scores[0] == (11, 0.5)  # the best goes on first, from its second epoch
    assert trace.epochs == 10 + 10 * 6


def test_a_trace_keeps_the_best_of_a_trial_that_gets_worse():
    trace = Trace()
    trace.add([2.0, 5.0, 6.0, 7.0], complete=True, before=2)
    assert trace.scores == [(1, 2.0), (2, 2.0)]


def test_searches_are_compared_at_equal_cost(grid):
    searches = {"full": sweep(at_random, in_full), "one": one_epoch}
    result = compare_searches(grid, [0, 1, 2], searches, trials=5)
    traces = [searches["full"](grid, seed, lambda trace: trace.epochs >= 70) for seed in (0, 1, 2)]
    assert result["budget"] == 35
    assert result["target"] == sorted(one.best(35) for one in traces)[1]
    assert result["searches"]["full"]["reached"] == [one.reached(result["target"]) for one in traces]
    assert result["searches"]["full"]["same"] == [one.best(35) for one in traces]
    assert result["searches"]["one"]["half"] == [1 / 7] * 3
    assert rank_correlation(grid, 1) == pytest.approx(1.0)
    assert rank_correlation(
        Grid(curves(shape=lambda at, step: at + 1 if step == 1 else 0.5 - at / 20)), 1
    ) == pytest.approx(-1)

    facts = {"task": "made_up", "rank_correlation": {"1": 1.0}, "axes": grid.axes, "epochs": 7, "best": 1 / 7}
    whole = {"seeds": [0, 1, 2], "trials": 5, "patience": 5, "tasks": [result | facts]}
    text = tables(json.loads(json.dumps(whole)))
    assert "**made_up, 10 configurations**" in text
    assert "| one | 0.1429 |" in text
    assert "10 configurations of up to 7 epochs" in text
    assert with_results(f"a\n{BEGIN}\nold\n{END}\nb", "new", BEGIN, END) == f"a\n{BEGIN}\n\nnew\n{END}\nb"


def test_a_seed_that_never_arrives_counts_as_infinite():
    assert median_epochs([10, None, 30]) == 30
    assert median_epochs([10, None, None]) == math.inf
    assert interval([20] * 9) == [20, 20]
    assert interval([None] * 9) == [None, None]
    low, high = interval([10, 20, 30, 40, None])
    assert 10 <= low < 30 and high is None
    assert interval([10, 20, 30, 40, None]) == [low, high]  # the same each time
    reached = {"first": [40, 50, 60], "half": [25, 25, None], "never": [1, None, None]}
    task = {"searches": {name: {"reached": one} for name, one in reached.items()}}
    assert share_of_first(task) == {"first": 1.0, "half": 0.5, "never": math.inf}
    slower = {
        "task": "b",
        "searches": {"first": {"reached": [20]}, "half": {"reached": [14]}, "never": {"reached": [9]}},
    }
    lines = over_tasks([task | {"task": "a"}, slower]).splitlines()
    assert lines[0].split()[1::2] == ["search", "a", "b", "mean"]
    assert [line.split()[1::2] for line in lines[2:5]] == [
        ["first", "100%", "100%", "100%"],
        ["half", "50%", "70%", "60%"],
        ["never", "–", "45%", "–"],
    ]


def test_curves_of_a_sweep_are_what_its_trials_came_to(sweep_of_all, tmp_path):
    found = recorded_curves(open_sweep(tmp_path))
    assert [len(one.values) for one in found] == [9, 9, 9]
    for at, one in enumerate(found):
        own = [float(line.split()[1]) for line in (tmp_path / str(at) / "curve.txt").read_text().splitlines()]
        assert one.values == pytest.approx(own, abs=1e-6)
        assert len(one.seconds) == 9
        assert min(one.seconds) >= 0


@pytest.fixture
def sweep_of_all(sweep, tmp_path):
    """A sweep without pruning, and its record."""
    from sweeper_support.simulation import SPACE

    from hydra_pruning_sweeper.study.record import SweepRecord
    from hydra_pruning_sweeper.study.space import Space

    sweep(trials=3, space=Space(SPACE), pruner=None)
    SweepRecord("study", str(tmp_path / "journal.log"), "minimize", 3).write(tmp_path)


def test_a_comparison_that_was_stopped_goes_on_where_it_was(grid, tmp_path):
    def stopped(*_):
        raise KeyboardInterrupt

    full = sweep(at_random, in_full)
    cache = KeptResults(tmp_path / "kept", "key")
    with pytest.raises(KeyboardInterrupt):
        compare_searches(grid, [0, 1], {"full": full, "one": stopped}, trials=5, cache=cache)
    searches = {"full": full, "one": one_epoch}
    result = compare_searches(grid, [0, 1], searches, trials=5, cache=cache)
    assert result == compare_searches(grid, [0, 1], searches, trials=5)
    again = {"full": full, "one": stopped}  # not called
    assert compare_searches(grid, [0, 1], again, trials=5, cache=cache) == result
    with pytest.raises(KeyboardInterrupt):  # of another key
        compare_searches(grid, [0, 1], again, trials=5, cache=KeptResults(tmp_path / "kept", "other"))
