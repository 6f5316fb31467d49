"""Samplers and pruners are chosen by name, in every Hydra application, and their settings typed."""

import importlib.util
import inspect
import subprocess
import sys

import pytest
from hydra import compose, initialize_config_module
from hydra.utils import get_object, instantiate
from support import ROOT

from hydra_pruning_sweeper import sampler_and_pruner as module
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.sampler_and_pruner import component, option_settings
from hydra_pruning_sweeper.search_from_config import settings_from

OPTIONS = [
    (path.parent.name, path.stem)
    for path in sorted((ROOT / "src/hydra_pruning_sweeper/conf/hydra/sweeper").glob("*/*.yaml"))
]
FUNCTIONS = {"gamma", "weights", "constraints_func", "independent_sampler", "source_trials"}  # no plain values
DEPRECATED = {
    *("consider_prior", "prior_weight", "consider_magic_clip"),
    *("consider_endpoints", "warn_independent_sampling"),
}
CHANGED = {
    "gp": {"warn_independent_sampling"},
    "hyperband": {"min_resource", "max_resource"},
    "bandit": {"min_resource", "max_resource"},
    "halving": {"min_resource", "reduction_factor"},
    "asha": {"min_resource", "max_resource"},  # which have no defaults
    "pausing_hyperband": {"min_resource", "max_resource", "brackets"},
}


def composed(*typed):
    """The settings of an application that has no configuration of its own."""
    with initialize_config_module("hydra_pruning_sweeper.conf", version_base="1.3"):
        return compose(overrides=["hydra/sweeper=pruning", *typed], return_hydra_config=True)


def test_the_documented_options_are_there():
    names = {group: {name for one, name in OPTIONS if one == group} for group in ("sampler", "pruner")}
    assert names["sampler"] == {"tpe", "gp", "random", "cmaes", "grid"}
    assert names["pruner"] >= {"hyperband", "halving", "bandit", "median", "none"}


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_an_option_lists_all_settings_with_optunas_defaults(group, option):
    settings = dict(option_settings(group, option))
    takes = inspect.signature(get_object(settings.pop("_target_"))).parameters
    unlisted = {"seed"} | FUNCTIONS | (DEPRECATED if option == "tpe" else set())
    assert settings.keys() == takes.keys() - unlisted
    for name in settings.keys() - CHANGED.get(option, set()):
        assert settings[name] == takes[name].default, name


def test_every_application_finds_them_and_types_settings_as_they_are():
    settings = settings_from(composed("hydra.sweeper.sampler.n_startup_trials=3"))
    assert settings.sampler["n_startup_trials"] == 3
    assert settings.sampler["_target_"] == "optuna.samplers.TPESampler"
    assert settings.pruner == {"_target_": "optuna.pruners.NopPruner"}
    chosen = ["hydra/sweeper/sampler=random", "hydra/sweeper/pruner=hyperband"]
    settings = settings_from(composed(*chosen, "hydra.sweeper.pruner.max_resource=9"))
    assert settings.sampler == {"_target_": "optuna.samplers.RandomSampler"}
    assert instantiate(settings.pruner)._max_resource == 9
    assert settings_from(composed("hydra.sweeper.pruner=null")).pruner is None


def test_hyperband_takes_the_trainers_epochs_where_there_is_a_trainer():
    with initialize_config_module("hydra_pruning_sweeper.conf", version_base="1.3"):
        typed = ["hydra/sweeper=pruning", "hydra/sweeper/pruner=hyperband", "+trainer.max_epochs=7"]
        config = compose(overrides=typed, return_hydra_config=True)
    assert settings_from(config).pruner["max_resource"] == 7


@pytest.mark.parametrize("option", ["hyperband", "asha", "pausing_hyperband", "bandit"])
def test_trials_are_first_judged_after_a_third_of_a_training(option):
    def first(*typed):
        return settings_from(composed(f"hydra/sweeper/pruner={option}", *typed)).pruner["min_resource"]

    assert [first(f"hydra.sweeper.pruner.max_resource={epochs}") for epochs in (1, 9, 20, 27)] == [1, 3, 7, 9]
    assert first("hydra.sweeper.pruner.max_resource=27", "hydra.sweeper.pruner.min_resource=2") == 2


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            ["+hydra.sweeper.sampler.n_startup=3"],
            r"hydra\.sweeper\.sampler\.n_startup: no such setting of TPESampler, which takes .*n_ei_candidates.*;"
            r" did you mean n_startup_trials\?",
        ),
        (["hydra/sweeper/sampler=random", "+hydra.sweeper.sampler.x=3"], "RandomSampler, which takes none"),
        (
            ["hydra/sweeper/pruner=median", "+hydra.sweeper.pruner.n_warmup=3"],
            r"hydra\.sweeper\.pruner\.n_warmup: .* MedianPruner, which takes n_startup_trials, n_warmup_steps",
        ),
        (["hydra/sweeper/pruner=hyperband"], r"hydra\.sweeper\.pruner\.max_resource must be the number of validations"),
        (["hydra.sweeper.pruner=fast"], r"choose hydra/sweeper/pruner=OPTION, or null"),
    ],
)
def test_a_wrong_setting_is_answered_with_those_there_are(typed, message):
    with pytest.raises(UsageError, match=message):
        settings_from(composed(*typed))


def test_a_class_of_ones_own_does_not_get_the_options_settings():
    merged = {**option_settings("sampler", "tpe"), "_target_": "optuna.samplers.BruteForceSampler"}
    assert component("sampler", merged, "tpe") == {"_target_": "optuna.samplers.BruteForceSampler"}
    other = {**option_settings("pruner", "hyperband"), "_target_": "optuna.pruners.SuccessiveHalvingPruner"}
    other["min_resource"] = 5
    expected = {"_target_": "optuna.pruners.SuccessiveHalvingPruner", "min_resource": 5}
    assert component("pruner", other, "hyperband") == expected
    assert component("pruner", dict(option_settings("pruner", "median")), "median")["n_min_trials"] == 1


@pytest.mark.parametrize(("option", "package"), [("gp", "scipy"), ("gp", "torch"), ("cmaes", "cmaes")])
def test_a_missing_package_is_named(option, package, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == package else importlib.util.find_spec("re"))
    with pytest.raises(UsageError, match=rf"^\w+ needs {package}: \S*pip install {package}$"):
        component("sampler", dict(option_settings("sampler", option)), option)
    monkeypatch.setattr(module, "find_spec", lambda name: importlib.util.find_spec("re"))
    assert component("sampler", dict(option_settings("sampler", option)), option)


@pytest.mark.slow
def test_a_foreign_application_searches_with_them(tmp_path):
    (tmp_path / "app.py").write_text(
        "import hydra\n"
        "@hydra.main(version_base='1.3', config_path=None)\n"
        "def main(config):\n    return (config.x - 1) ** 2\n"
        "main()\n"
    )
    line = ["app.py", "-m", "hydra/sweeper=pruning", "hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none"]
    done = subprocess.run(
        [sys.executable, *line, "+x=range(0,4)", "hydra.sweep.dir=sweep", "hydra.sweeper.n_trials=4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert done.returncode == 0, done.stderr
    assert "best        trial" in done.stdout and ": 0;" in done.stdout
