"""What tests spare Hydra changes nothing that it composes."""

from unittest import mock

import pytest
from fast_hydra import LOAD_CONFIG, composed_once, files_read_once
from hydra import initialize_config_dir
from hydra._internal.config_repository import ConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf
from support import ROOT


def composed(overrides):
    """Whether a multirun is asked for, and the whole configuration with Hydra's own part, nothing resolved."""
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        hydra = GlobalHydra.instance().hydra
        mode = hydra.get_mode("train", overrides)
        config = hydra.compose_config("train", overrides, run_mode=mode or RunMode.RUN)
    return mode, OmegaConf.to_container(config)


@pytest.mark.parametrize(
    ("overrides", "mode"),
    [
        (["data=reversal", "model=gpt", "trainer.max_epochs=3"], None),
        (["hydra.mode=MULTIRUN", "seed=1,2"], RunMode.MULTIRUN),
        (["+sweeps=reversal_bahdanau"], None),
    ],
)
def test_a_composition_is_equal_with_and_without(overrides, mode):
    with mock.patch.object(ConfigRepository, "load_config", LOAD_CONFIG):
        plain = composed(overrides)
    assert plain[0] == mode
    with files_read_once() as known, composed_once(overrides):
        assert composed(overrides) == plain
        assert "data/reversal" in {path for _, path in known}
        read = set(known)
        assert composed(overrides) == plain
        assert set(known) == read
