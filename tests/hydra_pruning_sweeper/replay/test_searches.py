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
from hydra_pruning_sweeper.replay.compare import SEARCHES, compare_searches
from hydra_pruning_sweeper.replay.curves import Curve, Grid, read_curves, write_curves
from hydra_pruning_sweeper.replay.traces import Trace
from seqlab.runs.schemas import replay as fits_the_page

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
    trials = 7 if name.startswith("GP") else 12  # in full; a Gaussian process takes seconds for each once few are left
    trace = SEARCHES[name](grid, 4, lambda trace: trace.epochs >= trials * EPOCHS)  # the median rule waits for five
    costs = [b - a for a, b in itertools.pairwise([0, *trace.trials])]
    if "in full" in name and "one epoch" not in name:
        assert costs == [EPOCHS] * trials
    elif "pause and promote" in name:
        assert set(costs) == {9, 1}
    elif first := re.search(r"from epoch (\d+)", name):
        # A third of these ten epochs is rounded up.
        assert (4 if "bandit" in name else int(first[1])) == min(costs) < max(costs) == EPOCHS
    else:
        assert name == "one epoch of 100, the best 10 of them in full"
        assert costs == [1] * 30 + [EPOCHS - 1] * 10
    assert name.split(" ")[0].rstrip(",") in ("TPE", "GP", "random", "one")
    assert trace.best(math.inf) < math.inf


def test_a_search_goes_on_to_twice_the_epochs_unless_it_has_come_to_the_target():
    """Trials of two epochs each; the first search's n-th comes to 10 − n."""
    grid = Grid([Curve({"a": at}, [1.0, 1.0], [1.0]) for at in range(3)])

    def falling(start):
        def search(grid, seed, enough):
            trace = Trace()
            while not enough(trace):
                trace.add([11.0, start - len(trace.trials)], complete=True)
            return trace

        return search

    ends = {}

    def kept(name, search):
        def run(*arguments):
            ends[name] = search(*arguments)
            return ends[name]

        return run

    searches = {name: kept(name, falling(start)) for name, start in (("first", 9.0), ("late", 12.0), ("never", 99.0))}
    result = compare_searches(grid, [0, 1], searches, trials=4)
    assert (result["budget"], result["target"]) == (8, 6.0)
    assert {name: one.epochs for name, one in ends.items()} == {"first": 8, "late": 14, "never": 16}
    found = result["searches"]
    assert {name: one["reached"] for name, one in found.items()} == {
        "first": [8, 8],
        "late": [14, 14],
        "never": [None, None],
    }
    assert found["first"]["half"] == [8.0, 8.0] and found["first"]["same"] == [6.0, 6.0]
    assert (found["late"]["interval"], found["never"]["interval"]) == ([14, 14], [None, None])


def test_what_is_not_reached_for_the_epochs_is_not_reached():
    trace = Trace(scores=[(3, 5.0), (9, 2.0)])
    assert [compare._within(trace, 2.0, epochs) for epochs in (8, 9, 10)] == [None, 9, 9]
    assert compare._within(trace, 1.0, 99) is None


def test_the_command_writes_what_was_compared(tmp_path, monkeypatch, capsys):
    files = [tmp_path / f"curves_{task}.jsonl" for task in ("one", "two")]
    for path in files:
        write_curves(path, curves())
    monkeypatch.setattr(sys, "argv", ["replay", str(tmp_path / "replay.json"), *map(str, files)])
    few = {name: SEARCHES[name] for name in ("TPE in full", "random in full")}
    monkeypatch.setattr(compare, "SEARCHES", few)
    monkeypatch.setattr(compare, "SEEDS", [1, 2])
    monkeypatch.setattr(compare, "KEPT_IN", tmp_path / "kept")
    monkeypatch.setattr(compare, "compare_searches", functools.partial(compare_searches, trials=2))
    compare.main()
    result = json.loads((tmp_path / "replay.json").read_text())
    assert (result["patience"], result["seeds"], [one["task"] for one in result["tasks"]]) == (
        5,
        [1, 2],
        ["one", "two"],
    )
    task = result["tasks"][1]
    assert (task["epochs"], task["budget"]) == (EPOCHS, 2 * EPOCHS)
    assert task["best"] == pytest.approx(1 + 1 / EPOCHS, abs=1e-5)
    assert task["rank_correlation"] == pytest.approx({"1": 1.0, "3": 1.0, "9": 1.0})
    assert task["axes"] == {"lr": RATES, "order": ["after", "before", "never"]}
    assert list(task["searches"]) == list(few)
    fits_the_page(result)
    assert capsys.readouterr().out == f"2 searches on 2 tasks written into {tmp_path / 'replay.json'}\n"


def test_the_command_keeps_the_curves_of_a_sweep(tmp_path, monkeypatch, capsys):
    kept = tmp_path / "curves.jsonl"
    monkeypatch.setattr(sys, "argv", ["curves", str(tmp_path), str(kept)])
    monkeypatch.setattr(module, "open_sweep", lambda folder: folder)
    monkeypatch.setattr(module, "recorded_curves", lambda sweep: curves() if sweep == tmp_path else [])
    module.main()
    assert sorted(read_curves(kept), key=str) == sorted(curves(), key=str)
    assert capsys.readouterr().out == f"30 curves of {tmp_path} written into {kept}\n"
