"""What is typed becomes a search: which overrides are swept, which are fixed, and what runs a trial."""

import sys
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hydra_pruning_sweeper import run_sweep as module
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.execution.outcome import SlotUse
from hydra_pruning_sweeper.run_sweep import use_notes
from hydra_pruning_sweeper.search_from_config import base_of, settings_from, space_of, split_overrides, typed_flags
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings


def nothing(name):
    return None


def test_sweeps_are_told_from_what_all_trials_share():
    typed = [
        "model=gru,lstm",
        "data=anki",
        "lr=interval(0,1)",
        "x='a,b'",
        "+n=range(1,4)",
        "~callbacks.outlook",
        "y=[1,2]",
    ]
    fixed, swept = split_overrides(typed)
    assert fixed == ["data=anki", "x='a,b'", "~callbacks.outlook", "y=[1,2]"]
    assert swept == ["model=gru,lstm", "lr=interval(0,1)", "+n=range(1,4)"]


def test_the_command_line_wins_over_the_settings():
    settings = SweeperSettings(
        params={
            "a": "interval(0, 1)",
            "+b": "choice(1, 2)",
            "c": "choice(x, y)",
            "d": {"sweep": "range(1, 9)", "when": "c == 'x'"},
            "factor": {"sweep": "choice(1, 2)", "sets": {"e": "factor * d", "f": "factor"}},
        },
        constraints=["a < 1"],
    )
    space = space_of(settings, ["a=0.5", "++other=1"], ["+b=interval(0,9)", "new=choice(p,q)"], nothing)
    assert [(one.key, one.distribution) for one in space.parameters] == [
        ("c", CategoricalDistribution(["x", "y"])),
        ("d", IntDistribution(1, 8)),
        ("factor", CategoricalDistribution([1, 2])),
        ("+b", FloatDistribution(0, 9)),
        ("new", CategoricalDistribution(["p", "q"])),
    ]
    assert [one.when.text if one.when else None for one in space.parameters] == [None, "c == 'x'", None, None, None]
    assert {name: rule.text for name, rule in space.parameters[2].sets.items()} == {"e": "factor * d", "f": "factor"}
    assert [one.text for one in space.constraints] == ["a < 1"]


def test_the_space_knows_the_configuration():
    config = OmegaConf.create({"hydra": {"runtime": {"choices": {"model": "gru"}}}, "lr": 0.25, "deep": {"x": 3}})
    base = base_of(config)
    assert [base(name) for name in ("model", "lr", "deep.x")] == ["gru", 0.25, 3]
    space = space_of(SweeperSettings(params={"lr": "interval(0, 1)"}), [], ["model=gru,lstm"], base)
    assert space.baseline() == {"lr": 0.25, "model": "gru"}
    assert space.distributions["lr"] == FloatDistribution(0, 1)


@pytest.mark.parametrize(
    ("space", "typed", "message"),
    [
        ({}, [], "nothing to search: choose"),
        ({"a": {"when": "b"}}, [], "hydra.sweeper.params.a must be a sweep, or have the keys sweep, when and sets"),
        ({"a": {"sweep": "choice(1, 2)", "whne": "b"}}, [], "hydra.sweeper.params.a must be a sweep"),
        ({"a": "3"}, [], "a must be an interval"),
        ({}, ["a=interval(2, 1)"], "a=interval"),
    ],
)
def test_what_cannot_be_searched_is_refused(space, typed, message):
    with pytest.raises(UsageError, match=message):
        space_of(SweeperSettings(params=space), [], typed, nothing)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("direction", "down", "hydra.sweeper.direction must be minimize or maximize, but is down"),
        ("n_trials", 0, "hydra.sweeper.n_trials must be at least 1, but is 0"),
        ("slots", 0, "hydra.sweeper.slots must be at least 1, or auto, but is 0"),
        ("study", "${nowhere}", "hydra.sweeper: .*nowhere"),
    ],
)
def test_settings_of_a_search_that_cannot_be_are_refused_with_their_values(setting, value, message):
    good = {"direction": "maximize", "n_trials": 1, "slots": 1}
    assert settings_from(OmegaConf.create({"hydra": {"sweeper": good}})) == SweeperSettings(**good)
    with pytest.raises(UsageError, match=message):
        settings_from(OmegaConf.create({"hydra": {"sweeper": {**good, setting: value}}}))


def test_flags_that_say_where_configurations_are_come_along():
    typed = ["-cn", "mine", "x=1", "--config-dir=here", "-m", "--config-path", "there"]
    assert typed_flags(typed) == ["--config-path=there", "--config-name=mine", "--config-dir=here"]
    assert typed_flags(["x=1", "-m"]) == []


def test_what_runs_a_trial_is_what_was_typed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "x=1"])
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=SimpleNamespace(name="my_lab.train")))
    assert module._typed_entry() == "my_lab.train"
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=None))
    assert module._typed_entry() == str(tmp_path / "train.py")


def test_without_times_there_is_nothing_to_note():
    assert use_notes(SlotUse(), 1) == []
    assert use_notes(SlotUse(started=0.0, last_started=4.0, spans=[(0, 3), (4, 5)]), 1) == [
        "Slots were in use 75.0% of the time."
    ]
