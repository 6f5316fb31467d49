"""Every search composes over its experiment, and names settings that there are."""

import math
from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf, open_dict
from optuna.distributions import CategoricalDistribution, FloatDistribution
from support import ROOT

from hydra_pruning_sweeper.replay.curves import Grid, read_curves
from hydra_pruning_sweeper.search_from_config import base_of, space_of
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings

SEARCHES = sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml"))
GRIDS = [name for name in SEARCHES if name.endswith("_grid")]
CURVES = ROOT / "outputs/reference/replay"


def composed(search, *more):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides=[f"+sweeps={search}", *more], return_hydra_config=True)
    with open_dict(config):
        config.hydra.runtime.output_dir = "run"
    settings = SweeperSettings(**OmegaConf.to_container(config.hydra.sweeper, resolve=True))
    return config, settings


@pytest.mark.parametrize("search", [name for name in SEARCHES if name != "free" and name not in GRIDS])
def test_a_search_composes_and_its_baseline_is_in_its_space(search):
    config, settings = composed(search)
    space = space_of(settings, [], [], base_of(config))
    for one in space.parameters:
        for name in one.sets or [one.name]:
            OmegaConf.select(config, name, throw_on_missing=True)
            parent, _, leaf = name.rpartition(".")
            assert leaf in OmegaConf.select(config, parent), name
    if settings.baseline:
        assert space.allows(space.baseline())
    assert settings.study == search
    assert "logger" in settings.not_compared
    assert settings.pruner.get("max_resource", config.trainer.max_epochs) == config.trainer.max_epochs
    assert config.callbacks.early_stopping.patience == 5
    assert config.hydra.sweep.dir == f"outputs/sweeps/{search}"


def test_the_search_of_claim_g_is_the_published_one():
    config, settings = composed("notes_gpt")
    space = space_of(settings, [], [], base_of(config))
    assert space.distributions == {
        "optimizer.lr": FloatDistribution(1e-4, 1e-3, log=True),
        "optimizer.weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
        "model.dropout": FloatDistribution(0, 0.15),
        "model.heads": CategoricalDistribution([2, 4]),
        "model.layers": CategoricalDistribution([2, 3, 4, 6]),
        "model.width": CategoricalDistribution([48, 64]),
        "feed_forward_factor": CategoricalDistribution([2, 4]),
        "model.activation": CategoricalDistribution(["relu", "gelu"]),
        "objective.label_smoothing": FloatDistribution(0, 0.06),
        "scheduler.pct_start": FloatDistribution(0.1, 0.5),
    }
    assert (settings.n_trials, config.trainer.max_epochs) == (25, 30)
    pruner = {"min_resource": 1, "max_resource": 30, "reduction_factor": 3, "bootstrap_count": 0}
    assert settings.pruner == {"_target_": "optuna.pruners.HyperbandPruner", **pruner}
    assert settings.sampler["_target_"] == "optuna.samplers.TPESampler"


def test_another_pruner_takes_the_place_of_hyperband_as_a_whole():
    (_, published), (_, halving) = composed("notes_gpt"), composed("notes_gpt_halving")
    pruner = {"_target_": "optuna.pruners.SuccessiveHalvingPruner", "min_resource": 10, "reduction_factor": 3}
    pruner |= {"min_early_stopping_rate": 0, "bootstrap_count": 0}
    assert halving == replace(published, pruner=pruner, study="notes_gpt_halving")


@pytest.mark.parametrize(
    ("option", "rungs"), [("asha", [[1, 3, 9]]), ("pausing_hyperband", [[1, 3, 9], [3, 9], [9], []])]
)
def test_pruners_that_pause_have_the_rungs_of_their_brackets(option, rungs):
    typed = [f"hydra/sweeper/pruner={option}", "trainer.max_epochs=27", "hydra.sweeper.pruner.min_resource=1"]
    _, settings = composed("reversal_bahdanau", *typed)
    pruner = instantiate(settings.pruner)
    assert [pruner.rungs(bracket) for bracket in range(pruner.brackets)] == rungs
    assert settings.checkpoint is not None


@pytest.mark.parametrize("search", GRIDS)
def test_the_grid_of_recorded_curves_is_trained_whole_and_in_full(search):
    config, settings = composed(search)
    space = space_of(settings, [], [], base_of(config))
    assert settings.n_trials == math.prod(len(one.choices) for one in space.distributions.values())
    assert (settings.pruner, config.callbacks.early_stopping) == ({"_target_": "optuna.pruners.NopPruner"}, None)
    assert config.trainer.max_epochs == 27


@pytest.mark.parametrize("path", sorted(CURVES.glob("curves_*.jsonl")), ids=lambda path: path.stem)
def test_recorded_curves_are_those_of_their_search(path):
    config, settings = composed(f"{path.stem.removeprefix('curves_')}_grid")
    space, grid = space_of(settings, [], [], base_of(config)), Grid(read_curves(path))
    assert grid.epochs == config.trainer.max_epochs
    assert {name: set(values) for name, values in grid.axes.items()} == {
        name: set(one.choices) for name, one in space.distributions.items()
    }


def test_what_is_typed_wins_over_the_file():
    config, settings = composed("reversal_bahdanau")
    space = space_of(settings, ["model.width=7"], ["model.dropout=choice(0.1,0.2)"], base_of(config))
    tuned = ["optimizer.lr", "model.layers", "model.embedding", "model.bidirectional", "model.dropout"]
    assert list(space.distributions) == tuned
    assert space.distributions["model.dropout"] == CategoricalDistribution([0.1, 0.2])


def test_readme_names_every_search():
    (row,) = (line for line in (ROOT / "conf/README.md").read_text().splitlines() if line.startswith("| `sweeps`"))
    assert [name for name in SEARCHES if f"`{name}`" not in row] == []
