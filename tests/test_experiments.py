"""Every experiment composes, is named like its file, and names a model that can be built and data that there is."""

import functools

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import OmegaConf, open_dict
from support import ROOT

from seqlab.config.component import Component

EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf/experiment").glob("*.yaml") if path.stem != "none")
MODELS = sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))


@functools.cache
def settings(experiment, *overrides):
    """An experiment's configuration: look, don't touch."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", overrides=[f"experiment={experiment}", *overrides])


@pytest.fixture(scope="module")
def _of_a_run(tmp_path_factory):
    """What configurations refer to as `hydra:`, which a run has."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", ["experiment=toy_gru"], return_hydra_config=True)
    with open_dict(config):
        config.hydra.runtime.output_dir = str(tmp_path_factory.mktemp("run"))
    known = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)
    yield
    HydraConfig.instance().cfg = known


@pytest.mark.usefixtures("_of_a_run")
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_composes_and_its_parts_can_be_built(experiment):
    config = settings(experiment)
    assert OmegaConf.to_container(config, resolve=True)["name"] == experiment
    with torch.device("meta"):
        model = Component.of(config.model, "model").build(source_size=23, target_size=23)
    assert callable(Component.of(config.optimizer, "optimizer").build())
    assert get_object(config.data._target_)
    assert sum(p.numel() for p in model.parameters()) > 0


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["multi30k", "multi30k_pieces"])
def test_every_architecture_has_its_experiments_on_multi30k_under_the_same_conditions(kind, model):
    config, other = settings(f"{kind}_{model}"), settings(f"{kind}_gru")
    assert config.model._target_ == settings(f"multi30k_{model}").model._target_
    assert config.data == other.data
    assert config.tokenizer == other.tokenizer
    assert config.trainer == other.trainer
    assert (config.trainer.max_epochs, config.data.batch_size, config.tokenizer.lower) == (10, 128, True)


def test_claim_c_changes_only_the_decoder():
    fixed, carried = settings("multi30k_gru"), settings("multi30k_context_gru")
    for name in ("cell", "width", "embedding", "dropout"):
        assert fixed.model[name] == carried.model[name]
    assert fixed.model.layers == 1
    assert (fixed.optimizer, fixed.scheduler) == (carried.optimizer, carried.scheduler)


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name.endswith("_gpu")])
def test_an_experiment_for_a_gpu_is_larger_and_its_trainer_alone_changes_nothing_else(name):
    small, large = settings(name.removesuffix("_gpu")), settings(name)
    assert large.model.width > small.model.width
    assert (large.data._target_, large.trainer.accelerator) == (small.data._target_, "gpu")
    on_gpu = settings(name.removesuffix("_gpu"), "trainer=gpu")
    assert {group for group in on_gpu if on_gpu[group] != small[group]} == {"trainer"}
    assert {key for key in on_gpu.trainer if on_gpu.trainer[key] != small.trainer[key]} == {"accelerator"}
