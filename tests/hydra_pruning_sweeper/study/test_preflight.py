"""Mistakes that are found before the first trial."""

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from optuna.samplers import CmaEsSampler, RandomSampler

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.study.preflight import check_before_start
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.trial_command import TrialCommand

CONFIG = """
defaults: [model: gru, _self_]
optimizer: {lr: 1.0}
callbacks:
  saver: {monitor: val/loss, mode: min}
  plateau: {monitor: train/loss, mode: max}
  trial:
    _target_: hydra_pruning_sweeper.trial.lightning_callback.TrialReport
    monitor: ${callbacks.saver.monitor}
    mode: min
"""


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conf")
    (folder / "model").mkdir()
    (folder / "train.yaml").write_text(CONFIG)
    (folder / "model/gru.yaml").write_text("width: 3")
    (folder / "model/gpt.yaml").write_text("width: 3\nheads: 2")
    return ConfigLoaderImpl(create_config_search_path(str(folder)))


def rehearsed(loader, *parameters, make=lambda seed: RandomSampler(seed=seed), direction="minimize"):
    space = Space([parameter(*one) for one in parameters])
    check_before_start(space, TrialCommand("train", fixed=["optimizer.lr=0.5"]), loader, make, direction)


def test_a_search_without_mistakes_is_not_stopped(loader):
    rehearsed(
        loader,
        ("model", "choice(gru,gpt)"),
        ("model.heads", "choice(1,2)", "model == 'gpt'"),
        ("+new", "interval(0,1)"),
    )


@pytest.mark.parametrize(
    ("parameters", "more", "match"),
    [
        ([("optimizer.lrr", "interval(0,1)")], {}, r"Could not override 'optimizer.lrr'; did you mean optimizer.lr\?"),
        ([("model", "choice(gru,gqt)")], {}, r"model: no option 'gqt'; did you mean gpt\?"),
        (
            [("model", "choice(gru,gpt)"), ("model.head", "choice(1,2)", "model == 'gpt'")],
            {},
            r"Could not override 'model.head'",
        ),
        (
            [("optimizer.lr", "interval(0,1)")],
            {"direction": "maximize"},
            r"callbacks.saver.mode is min, but .*maximize",
        ),
    ],
)
def test_a_mistake_is_found_before_the_first_trial(loader, parameters, more, match):
    with pytest.raises(UsageError, match=match):
        rehearsed(loader, *parameters, **more)


def test_the_application_may_refuse_a_trial(loader, monkeypatch):
    def check(config):
        if config.model.get("heads"):
            raise UsageError(f"no {config.model.heads} heads here")

    monkeypatch.setattr(NAMES, "check", check)
    rehearsed(loader, ("optimizer.lr", "interval(0,1)"))
    with pytest.raises(UsageError, match="no 2 heads here"):
        rehearsed(loader, ("model", "choice(gru,gpt)"))


def test_a_package_that_a_sampler_lacks_is_named(loader, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cmaes", None)
    with pytest.raises(UsageError, match=r"CmaEsSampler needs cmaes: \S*pip install cmaes"):
        rehearsed(loader, ("optimizer.lr", "interval(0,1)"), make=lambda seed: CmaEsSampler(seed=seed))
