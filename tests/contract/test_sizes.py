"""`model_size=` makes architectures comparable: about as many parameters each, on small vocabularies and on large."""

import functools

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
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


@pytest.mark.parametrize("vocabulary", [20, 6000])
@pytest.mark.parametrize("size", BODY)
@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_about_equal(name, size, vocabulary):
    config = settings(f"model={name}", f"model_size={size}").model
    with torch.device("meta"):
        model = Component.of(config, "model").build(source_size=vocabulary, target_size=vocabulary)
    expected = BODY[size] + AN_ID[size] * (vocabulary - 20)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(expected, rel=0.06)


def test_an_experiments_model_is_sized_too_and_keeps_the_rest():
    config = settings("experiment=multi30k_bahdanau", "model_size=small")
    assert (config.model.width, config.model.cell, config.model.dropout) == (76, "lstm", 0.3)
    assert config.model_size == "small"
    assert settings("experiment=multi30k_bahdanau").model_size is None


def test_without_a_size_a_model_is_as_it_says():
    assert settings("model=gru").model.width == 256
