"""What is made in Python without settings is what the configuration makes by default."""

import inspect
from dataclasses import fields

import pytest
import yaml
from hydra.utils import get_object
from support import ROOT

from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from seqlab.config.bundle_settings import GenerateSettings
from seqlab.data.module import SequenceData
from seqlab.models.objective import Objective
from seqlab.training.callbacks.generation_eval import GenerationEval
from seqlab.training.callbacks.weight_averaging import Averager
from seqlab.training.initialization import Initialisation

OTHERWISE = {
    ("model/gru", "cell"): "one class, of which model=gru and model=lstm are two options",
    ("data/notes", "cleaning"): "text is read as written in Python",
    ("data/notes", "limits"): "None means those of `Limits`, which are compared themselves",
    ("optimizer/rmsprop", "alpha"): "0.9 as published (Hinton 2012); torch has 0.99",
    ("optimizer/rmsprop", "lr"): "0.001 as published (Hinton 2012); torch has 0.01",
    ("optimizer/rmsprop", "eps"): "1e-7 as in Keras; torch has 1e-8",
    ("optimizer/sgd", "lr"): "torch has 0.001, at which a recurrent model hardly learns",
    ("optimizer/adam", "fused"): "torch chooses a slower one",
    ("optimizer/sgd", "fused"): "torch chooses a slower one",
    ("trainer/default", "devices"): "one is asked for, where Lightning would take all",
    ("trainer/default", "precision"): "None is 32-true, which is slower on GPUs",
    ("trainer/default", "max_epochs"): "Lightning's None is 1000",
    ("trainer/default", "check_val_every_n_epoch"): "as Lightning's, which is computed",
    ("trainer/default", "log_every_n_steps"): "as Lightning's None, 50",
    ("trainer/default", "num_sanity_val_steps"): "the run begins with training",
    ("trainer/default", "use_distributed_sampler"): "seqlab's loaders share rows among processes",
    ("trainer/default", "enable_model_summary"): "RunSummary prints one",
    ("callbacks/early_stopping.early_stopping", "patience"): "5 as published for claim G; Lightning has 3",
    ("logger/default.tensorboard", "name"): "events lie in the run's folder itself",
    ("logger/default.tensorboard", "version"): "events lie in the run's folder itself",
    ("logger/wandb.wandb", "project"): "wandb would call it uncategorized",
    ("callbacks/default.learning_rate", "logging_interval"): "at every step, which is what is plotted",
}
"""Settings that have another default in `conf/` than in the signature, and why."""


def targets(settings, name):
    """Every group of settings with a `_target_`, by where it is."""
    if isinstance(settings, dict):
        if "_target_" in settings:
            yield name, settings
        for key, inner in settings.items():
            yield from targets(inner, f"{name}.{key}")


def read(path):
    """The settings of a file, with those that it shares with other options of its group."""
    settings = yaml.safe_load(path.read_text()) or {}
    shared = [one for one in settings.get("defaults", ()) if isinstance(one, str) and one.endswith("@_here_")]
    for one in shared:
        settings = yaml.safe_load((ROOT / f"conf{one.removesuffix('@_here_')}.yaml").read_text()) | settings
    return settings


GROUPS = [path for path in sorted((ROOT / "conf").glob("*/*.yaml")) if path.parent.name not in ("experiment", "larger")]
FILES = dict(
    one
    for path in [*GROUPS, ROOT / "conf/shared/sweep.yaml"]
    for one in targets(read(path), str(path.relative_to(ROOT / "conf").with_suffix("")))
)
SECTIONS = {
    "objective": Objective,
    "initialisation": Initialisation,
    "average": Averager,
    "free_running": GenerationEval,
}
"""Settings of conf/train.yaml that name no target, because there is only this one."""


def differing(name, settings, function):
    """The settings of a group that have another default in the signature; interpolations are none."""
    given = inspect.signature(function).parameters
    for setting, value in settings.items():
        default = given[setting].default if setting in given else inspect.Parameter.empty
        interpolated = isinstance(value, str) and "${" in value
        nested = isinstance(value, dict) and "_target_" in value
        if default is inspect.Parameter.empty or interpolated or (nested and (name, setting) not in OTHERWISE):
            continue
        if (list(default) if isinstance(default, tuple) else default) != value:
            yield setting, value, default


@pytest.mark.parametrize("name", FILES)
def test_a_setting_has_one_default(name):
    found = list(differing(name, FILES[name], get_object(FILES[name]["_target_"])))
    assert [one for one in found if (name, one[0]) not in OTHERWISE] == []


def test_what_is_said_to_differ_does():
    for name, setting in OTHERWISE:
        assert setting in FILES.get(name, {}), (name, setting)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_of_a_runs_settings_has_one_default(section):
    settings = yaml.safe_load((ROOT / "conf/train.yaml").read_text())[section]
    assert list(differing(section, settings, SECTIONS[section])) == []
    given = inspect.signature(SECTIONS[section]).parameters
    optional = {name for name, one in given.items() if one.default is not inspect.Parameter.empty}
    assert optional <= set(settings)


def test_generating_has_one_default():
    settings = yaml.safe_load((ROOT / "conf/generate.yaml").read_text())
    given = {one.name: one.default for one in fields(GenerateSettings)}
    assert (given["length"], given["stop"]) == (settings["length"], settings["stop"])


def test_a_studys_rules_are_by_default_those_of_the_settings():
    rules, settings = Rules(1), SweeperSettings()
    expected = (settings.max_retry, settings.max_failure_rate, settings.lease)
    assert (rules.retries, rules.failures, rules.patience) == expected


def test_loading_has_one_default_for_all_data():
    given = inspect.signature(SequenceData).parameters
    settings = yaml.safe_load((ROOT / "conf/shared/loading.yaml").read_text())
    assert settings.pop("order_seed") == "${seed}"
    assert {name: given[name].default for name in settings} == settings
    assert SequenceData.boundaries == "none"  # of what is no stream
