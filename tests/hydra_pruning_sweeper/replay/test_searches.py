"""The searches that are compared: each does what its name says, at what it costs."""

import functools
import itertools
import json
import math
import re
import sys

import pytest

from hydra_pruning_sweeper.replay import compare
from hydra_pruning_sweeper.replay import curves as module
from hydra_pruning_sweeper.replay.compare import SEARCHES, Trace, compare_searches
from hydra_pruning_sweeper.replay.curves import Curve, Grid, read_curves, write_curves

EPOCHS, RATES = 10, [1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.7, 1.8, 2.0, 2.5]


def curves():
    """Of thirty configurations whose order never changes and which get better with every epoch."""
    return [
        Curve({"lr": lr, "order": order}, [1.0 + 5 * at + column + 1.0 / step for step in range(1, EPOCHS + 1)], [0.5])
        for at, lr in enumerate(RATES)
        for column, order in enumerate(("after", "before", "never"))
    ]


@pytest.fixture(scope="module")
def grid():
    return Grid(curves())


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_does_what_its_name_says(grid, name):
    trace = SEARCHES[name](grid, 4, 12 * EPOCHS)  # the median rule waits for five trials
    costs = [b - a for a, b in itertools.pairwise([0, *trace.trials])]
    if "in full" in name and "one epoch" not in name:
        assert costs == [EPOCHS] * 12
    elif first := re.search(r"from epoch (\d+)", name):
        assert int(first[1]) == min(costs) < max(costs) == EPOCHS
    else:
        assert name == "one epoch of 100, the best 10 of them in full"
        assert costs == [1] * 30 + [EPOCHS - 1] * 10
    assert name.split(" ")[0].rstrip(",") in ("TPE", "random", "one")
    assert trace.best(math.inf) < math.inf


def test_the_last_search_may_spend_twice_as_much():
    """Trials of two epochs each, the n-th of which comes to 10 − n."""
    grid = Grid([Curve({"a": at}, [1.0, 1.0], [1.0]) for at in range(3)])
    asked = []

    def search(grid, seed, epochs):
        asked.append(epochs)
        trace = Trace()
        while trace.epochs < epochs:
            trace.add([11.0, 9.0 - len(trace.trials)], complete=True)
        return trace

    result = compare_searches(grid, [0, 1], {"first": search, "second": search, "last": search}, trials=4)
    assert asked == [8, 8, 8, 8, 16, 16]
    assert (result["seeds"], result["trials"], result["spent"], result["targets"]) == ([0, 1], 4, [8, 8], [6.0, 6.0])
    best = {name: found["best"] for name, found in result["searches"].items()}
    assert best["first"] == best["second"] == {"half": [8.0, 8.0], "same": [6.0, 6.0]}
    assert best["last"] == {"half": [8.0, 8.0], "same": [6.0, 6.0], "twice": [2.0, 2.0]}
    assert {name: found["reached"] for name, found in result["searches"].items()} == {name: [8, 8] for name in best}
    assert [found["epochs_of_so_many_trials"] for found in result["searches"].values()] == [[8, 8]] * 3


def test_what_is_not_reached_for_the_epochs_is_not_reached():
    trace = Trace(scores=[(3, 5.0), (9, 2.0)])
    assert [compare._within(trace, 2.0, epochs) for epochs in (8, 9, 10)] == [None, 9, 9]
    assert compare._within(trace, 1.0, 99) is None


def test_the_command_writes_what_was_compared(tmp_path, monkeypatch, capsys):
    write_curves(tmp_path / "curves.jsonl", curves())
    monkeypatch.setattr(sys, "argv", ["replay", str(tmp_path / "curves.jsonl"), str(tmp_path / "replay.json")])
    few = {name: SEARCHES[name] for name in ("random in full", "TPE in full")}
    monkeypatch.setattr(compare, "SEARCHES", few)
    monkeypatch.setattr(compare, "SEEDS", [1])
    monkeypatch.setattr(compare, "compare_searches", functools.partial(compare_searches, trials=2))
    compare.main()
    result = json.loads((tmp_path / "replay.json").read_text())
    assert {name: result[name] for name in ("curves", "epochs", "patience", "trials", "seeds", "spent")} == {
        **{"curves": "curves.jsonl", "epochs": EPOCHS, "patience": 5},
        **{"trials": 2, "seeds": [1], "spent": [2 * EPOCHS]},
    }
    assert result["best"] == pytest.approx(1 + 1 / EPOCHS, abs=1e-5)
    assert result["rank_correlation"] == pytest.approx({"1": 1.0, "3": 1.0, "9": 1.0})
    assert result["axes"] == {"lr": RATES, "order": ["after", "before", "never"]}
    assert list(result["searches"]) == list(few)
    assert capsys.readouterr().out == f"2 searches of 30 curves written into {tmp_path / 'replay.json'}\n"


def test_the_command_keeps_the_curves_of_a_sweep(tmp_path, monkeypatch, capsys):
    kept = tmp_path / "curves.jsonl"
    monkeypatch.setattr(sys, "argv", ["curves", str(tmp_path), str(kept)])
    monkeypatch.setattr(module, "open_sweep", lambda folder: folder)
    monkeypatch.setattr(module, "recorded_curves", lambda sweep: curves() if sweep == tmp_path else [])
    module.main()
    assert sorted(read_curves(kept), key=str) == sorted(curves(), key=str)
    assert capsys.readouterr().out == f"30 curves of {tmp_path} written into {kept}\n"
