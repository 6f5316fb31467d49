"""`model_size=` makes architectures comparable: about as many parameters each, on small vocabularies and on large."""

import functools

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from support import ROOT

from seqlab.config.component import Component

MODELS = sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))
BODY = {"small": 250_000, "base": 4_000_000}
AN_ID = {"small": 3 * 64, "base": 3 * 256}  # of source and target together: two embeddings and the output layer


@functools.cache
def settings(*overrides):
    """The configuration with these overrides: look, don't touch."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", overrides=list(overrides))


def test_every_architecture_has_every_size():
    table = yaml.safe_load((ROOT / "conf/sizes.yaml").read_text(encoding="utf-8"))
    assert {(size, model) for model in table for size in table[model]} == {(s, m) for s in BODY for m in MODELS}


def test_the_options_are_what_omegaconf_reads_in_the_table():
    """The plugin reads it with a faster parser, which takes 1e-3 for a text, and the last of two equal keys."""
    settings()  # the groups are made when a configuration of seqlab is composed
    table = OmegaConf.load(ROOT / "conf/sizes.yaml")
    rows = {f"{size}_{model}.yaml": row for model, sizes in table.items() for size, row in sizes.items()}
    assert {name: one.node for name, one in ConfigStore.instance().repo["sizes"].items()} == rows


def parameters(*overrides, vocabulary=20):
    """The number of them in a model that is configured so."""
    with torch.device("meta"):
        component = Component.of(settings(*overrides).model, "model")
        return sum(p.numel() for p in component.build(source_size=vocabulary, target_size=vocabulary).parameters())


@pytest.mark.parametrize("vocabulary", [20, 6000])
@pytest.mark.parametrize("size", BODY)
@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_about_equal(name, size, vocabulary):
    expected = BODY[size] + AN_ID[size] * (vocabulary - 20)
    found = parameters(f"model={name}", f"model_size={size}", vocabulary=vocabulary)
    assert found == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("mixer", ["min_gru", "gated_linear"])
@pytest.mark.parametrize("size", BODY)
@pytest.mark.parametrize("name", ["transformer", "gpt"])
def test_other_mixers_have_about_as_many_as_attention(name, size, mixer):
    found = parameters(f"model={name}", f"model_size={size}", f"model.mixer={mixer}")
    assert found == pytest.approx(BODY[size], rel=0.04)


def test_an_experiments_model_is_sized_too_and_keeps_the_rest():
    config = settings("experiment=multi30k_bahdanau", "model_size=small")
    assert (config.model.width, config.model.cell, config.model.dropout) == (76, "lstm", 0.3)
    assert config.model_size == "small"
    assert settings("experiment=multi30k_bahdanau").model_size is None


def test_without_a_size_a_model_is_as_it_says():
    assert settings("model=gru").model.width == 256
