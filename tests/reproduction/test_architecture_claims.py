"""The claims that compare architectures: what all of them share, and that none may be larger than the others."""

import functools
import itertools
import json
import re
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from support import ROOT

from hydra_pruning_sweeper.search_from_config import base_of, space_of
from hydra_pruning_sweeper.study.earlier_knowledge import enqueued
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from seqlab.config.component import Component
from seqlab.reproduction.claim import read_claims
from seqlab.reproduction.search_plan import PlannedSearch

MODELS = ["gru", "lstm", "context_gru", "bahdanau", "luong", "conv", "transformer", "gpt"]
MOST = {  # claim and profile → the most parameters of a model, and the sizes of its vocabularies
    ("M_reversal", "cpu"): (260_000, 19, 19),
    ("M_reversal", "full"): (5_000_000, 19, 19),
    ("M_multi30k", "cpu"): (2_500_000, 3585, 3285),
    ("M_multi30k", "full"): (16_000_000, 7881, 5948),
    ("M_multi30k_fifth", "cpu"): (12_500_000, 2631, 2521),
    ("M_multi30k_pieces", "full"): (15_500_000, 6000, 6000),
    ("M_anki", "full"): (5_300_000, 80, 110),
    ("M_text", "full"): (9_000_000, 4000, 4000),
    ("K2", "cpu"): (400_000, 80, 110),
    ("K2", "full"): (1_100_000, 80, 110),
}
MIXED = [f"{model}_{mixer}" for model in ("gpt", "transformer") for mixer in ("min_gru", "gated_linear")]
WITH_MIXERS = (("M_reversal", "cpu"), ("M_reversal", "full"), ("M_multi30k", "full"), ("M_text", "full"))
SIZES = ("model.layers", "model.width")
TWO_MODELS = "M_multi30k_fifth"


@functools.cache
def searched(name, profile):
    """A claim, and its groups whose settings are searched."""
    (claim,) = read_claims([name], profile)
    return claim, [group for group in claim.groups if group.search is not None]


@pytest.mark.parametrize(("name", "profile"), MOST)
def test_all_architectures_are_searched_alike(name, profile):
    claim, groups = searched(name, profile)
    models = [*MODELS, *(MIXED if (name, profile) in WITH_MIXERS else [])]
    if name == TWO_MODELS:
        models = ["transformer", "luong"]
    assert [group.label for group in groups] == [f"{model}_tuned" for model in models]
    untuned = [group.label for group in claim.groups if group.search is None]
    assert untuned == ([] if name == "K2" else [f"{model}_untuned" for model in models])
    assert len({group.search.words for group in groups}) == 1
    assert {group.search.trials for group in groups} == {8 if profile == "cpu" else 12}
    assert {len(group.seeds) for group in groups} == {3 if name == TWO_MODELS else 5}
    shared = [{key: one for key, one in group.search.space.items() if key not in SIZES} for group in groups]
    assert all(one == shared[0] for one in shared)
    assert list(shared[0]) == ["optimizer.lr", "model.dropout", "objective.label_smoothing", "scheduler.pct_start"]
    epochs = {word for group in claim.groups for word in group.words if word.startswith("trainer.max_epochs")}
    assert len(epochs) == 1


@pytest.mark.parametrize(("name", "profile"), MOST)
def test_every_corner_of_the_space_is_within_the_same_number_of_parameters(name, profile):
    most, sources, targets = MOST[name, profile]
    claim, groups = searched(name, profile)
    for group in claim.groups:
        model_of(chosen(group))  # the untuned ones have to compose, no more
    largest = {}
    for group in groups:
        model = model_of(chosen(group))
        sizes = {
            key.removeprefix("model."): [int(value) for value in re.fullmatch(r"choice\((.*)\)", sweep)[1].split(",")]
            for key, sweep in group.search.space.items()
            if key in SIZES
        }
        corners = [dict(zip(sizes, corner, strict=True)) for corner in itertools.product(*sizes.values())]
        largest[group.label] = max(parameters(model.with_settings(**corner), sources, targets) for corner in corners)
    assert {label: count for label, count in largest.items() if not 0.75 * most < count <= most} == {}


def chosen(group):
    """The words of its command line that choose a model."""
    return tuple(word for word in group.words if word.startswith(("model", "experiment")))


@functools.cache
def model_of(words):
    """The model of a command line with these words."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return Component.of(compose("train", overrides=list(words)).model, "model")


def parameters(model, sources, targets):
    with torch.device("meta"):
        built = model.build(source_size=sources, target_size=targets)
        return sum(p.numel() for p in built.parameters())


@pytest.mark.parametrize(("name", "profile"), MOST)
def test_the_search_composes_with_its_first_trial(name, profile):
    """The same for all architectures but for sizes, so one of them is looked at, and its untuned settings compose."""
    claim, (group, *_) = searched(name, profile)
    search = PlannedSearch("search", claim, group, Path("folder"), 1)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides=search.fixed, return_hydra_config=True)
        for untuned in [one for one in claim.groups if one.search is None][:1]:
            compose("train", overrides=list(untuned.words))
    swept = [f"{setting}={sweep}" for setting, sweep in search.space.items()]
    settings = SweeperSettings(**OmegaConf.to_container(config.hydra.sweeper, resolve=True))
    space = space_of(settings, search.fixed, swept, base_of(config))
    assert set(space.distributions) == set(search.space)
    for setting in search.space:
        OmegaConf.select(config, setting, throw_on_missing=True)
    (first,) = settings.enqueue
    assert enqueued(settings.enqueue, space) == [first]
    assert set(first) == set(search.space) - set(SIZES)
    assert settings.pruner["min_resource"] == config.trainer.max_epochs // 3
    assert (settings.n_trials, settings.slots, settings.baseline) == (group.search.trials, 1, False)


def test_what_is_trained_on_all_captions_is_what_the_search_on_a_fifth_chose():
    searched_on_a_fifth = json.loads((ROOT / "outputs/reference/M_multi30k_fifth.json").read_text(encoding="utf-8"))
    chosen = {one["label"]: one["search"]["chosen"] for one in searched_on_a_fifth["groups"] if "search" in one}
    (claim,) = read_claims(["M_multi30k_whole"])
    assert {group.label for group in claim.groups} == chosen.keys()
    for group in claim.groups:
        assert set(chosen[group.label]) <= set(group.words)
        assert not {word for word in group.words if word.startswith("data.")}
