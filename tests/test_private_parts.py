"""The private parts of other libraries still do what seqlab uses them for."""

import io
import subprocess
import sys
from contextlib import redirect_stderr

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch import Callback, Trainer
from omegaconf import read_write
from support import ROOT
from torch import nn

from seqlab import private_parts
from seqlab.data.toy import IntegerPairs
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.objective import Objective
from seqlab.models.training_module import trainable

PROBE = """
import sys, hydra
from seqlab import private_parts
private_parts.{function}()
@hydra.main(version_base="1.3", config_path=None)
def main(config):
    print("ran with", sys.argv[1:])
    if "+fail=true" in sys.argv: raise KeyError("what the task raised")
try:
    main()
except KeyError as error:
    print("came through:", error)
"""


@pytest.fixture
def process(tmp_path):
    """What a process of a program prints."""

    def run(program, *arguments):
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    return run


@pytest.fixture
def hydra():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


def test_an_error_of_a_task_comes_through(process):
    said = process(
        PROBE.format(function="let_errors_through"), "hydra.output_subdir=null", "hydra.run.dir=.", "+fail=true"
    )
    assert "came through: 'what the task raised'" in said


def test_a_process_runs_once_though_its_configuration_is_a_multirun(process):
    arguments = ["hydra.mode=MULTIRUN", "hydra.output_subdir=null", "hydra.run.dir=.", "+key=1,2"]
    assert process(PROBE.format(function="share_config_store"), *arguments).count("ran with") == 2
    single = [one for one in arguments if one != "+key=1,2"]
    assert "Launching" not in process(PROBE.format(function="run_once"), *single)


def test_the_store_of_schemas_is_not_copied(process):
    probe = "import copy; from hydra.core.config_store import ConfigStore; from seqlab import private_parts\n"
    probe += "private_parts.share_config_store(); store = ConfigStore.instance(); print(copy.deepcopy(store) is store)"
    assert process(probe).strip() == "True"
    assert not hasattr(ConfigStore, "__deepcopy__")  # only a command line has it


@pytest.mark.usefixtures("hydra")
def test_options_of_a_group_are_its_files():
    expected = sorted(path.stem for path in (ROOT / "conf/optimizer").glob("*.yaml"))
    assert sorted(private_parts.options_of("optimizer", "train", [])) == expected


@pytest.mark.usefixtures("hydra")
def test_a_configuration_is_composed_with_hydras_own_part():
    config = private_parts.with_hydra_composed("train", [])
    assert config.seed == 1
    assert config.hydra.runtime.choices["model"] == "bahdanau"


@pytest.mark.parametrize(("typed", "value"), [("a=b", "b"), ("a='it, [is]'", "it, [is]"), ('a="x y"', "x y")])
def test_a_value_is_read_without_its_quotes(typed, value):
    assert private_parts.value_of(typed) == value


@pytest.mark.usefixtures("hydra")
def test_hydra_refers_to_the_configuration_that_it_was_told_and_its_part_is_a_copy():
    before = HydraConfig.instance().cfg
    config = compose("train", ["model=gru"], return_hydra_config=True)
    try:
        private_parts.let_hydra_know(config)
        assert HydraConfig.get().runtime.choices["model"] == "gru"
        own = private_parts.hydras_own_configuration()
        assert list(own) == ["hydra"]
        with read_write(own.hydra):
            own.hydra.overrides.task = ["a=1"]
        assert HydraConfig.get().overrides.task == ["model=gru"]
    finally:
        HydraConfig.instance().cfg = before
    assert GlobalHydra.instance().is_initialized()


def test_a_processor_says_whether_it_has_bf16():
    assert isinstance(private_parts.cpu_has_bf16(), bool)


def test_parts_of_a_module_are_its_own_parameters_and_modules():
    model = nn.Sequential(nn.Linear(3, 2, bias=False))
    assert private_parts.parts_of(model) == {"0": model[0]}
    assert private_parts.parts_of(model[0]) == {"weight": model[0].weight, "bias": None}


@pytest.mark.parametrize("kind", ["hook", "pre_hook"])
def test_a_module_with_hooks_is_known(kind):
    model = nn.Linear(3, 2)
    assert not private_parts.has_hooks(model)
    handle = getattr(model, f"register_forward_{kind}")(lambda *_: None)
    assert private_parts.has_hooks(model)
    handle.remove()
    assert not private_parts.has_hooks(model)


def test_a_module_knows_its_trainer_once_it_has_one():
    model = trainable(FixedVector)(5, 7, width=5, embedding=3)
    assert private_parts.trainer_of(model) is None
    trainer = Trainer(logger=False, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False)
    model.trainer = trainer
    assert private_parts.trainer_of(model) is trainer


@pytest.mark.parametrize(("limits", "position"), [({"max_epochs": 3}, (3, False)), ({"max_steps": 4}, (2, True))])
def test_a_checkpoint_says_where_it_stands(tmp_path, limits, position):
    """Three batches an epoch: after four steps the run is within its second."""
    data = IntegerPairs([["1 2", "2 1"]] * 6, batch_size=2, cache=tmp_path)
    data.prepare_data()
    data.setup("fit")
    model = trainable(FixedVector)(data.source_size, data.target_size, width=5, embedding=3)
    model.configure_training(torch.optim.SGD, None, Objective())
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(enable_model_summary=False, use_distributed_sampler=False, limit_val_batches=0, **quiet, **limits)
    with redirect_stderr(io.StringIO()):
        trainer.fit(model, data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=False)
    assert private_parts.position_of(checkpoint) == position


class Foretold(Callback):
    """Notes after which batches a validation was foretold, and after which there was one."""

    def __init__(self):
        self.foretold, self.seen = [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if private_parts.validation_follows(trainer):
            self.foretold.append(trainer.global_step)

    def on_validation_end(self, trainer, pl_module):
        self.seen.append(trainer.global_step)


@pytest.mark.parametrize("has_validation", [True, False])
def test_a_validation_is_foretold(tmp_path, has_validation):
    data = IntegerPairs([["1 2", "2 1"]] * 10, batch_size=2, cache=tmp_path)
    data.prepare_data()
    data.setup("fit")
    if not has_validation:
        del data.examples["val"]
    model = trainable(FixedVector)(data.source_size, data.target_size, width=5, embedding=3)
    model.configure_training(torch.optim.SGD, None, Objective())
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    limits = {"max_steps": 11, "val_check_interval": 3, "check_val_every_n_epoch": None, "num_sanity_val_steps": 0}
    callback = Foretold()
    Trainer(enable_model_summary=False, use_distributed_sampler=False, callbacks=[callback], **quiet, **limits).fit(
        model, data
    )
    assert callback.foretold == callback.seen == ([3, 6, 9] if has_validation else [])


def test_a_grid_has_the_runs_that_hydras_sweeper_would_number():
    with private_parts.hydra_apart(ROOT / "conf") as apart:
        typed = ["model=gru,lstm", "seed=1,2", "hydra.sweep.dir=all"]
        config = apart.hydra.compose_config("train", typed, RunMode.MULTIRUN)
        assert private_parts.is_basic_sweeper(config)
        grid = private_parts.grid_of(config)
        assert grid == [
            ["model=gru", "seed=1"],
            ["model=gru", "seed=2"],
            ["model=lstm", "seed=1"],
            ["model=lstm", "seed=2"],
        ]
        composed = private_parts.composed_run(config, grid[3])
        assert (composed.seed, composed.model.cell, composed.hydra.sweep.dir) == (2, "lstm", "all")


def test_hydra_apart_leaves_what_was_initialised_in_place(hydra):
    before = GlobalHydra.instance().hydra
    with private_parts.hydra_apart(ROOT / "conf") as apart:
        assert GlobalHydra.instance().hydra is apart.hydra is not before
    assert GlobalHydra.instance().hydra is before
    assert compose("train", ["seed=5"]).seed == 5
