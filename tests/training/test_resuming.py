"""Every setting may either change when a run is resumed, and then takes effect, or is refused."""

import functools
import math
from unittest import mock

import pytest
import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch import LightningModule, Trainer
from omegaconf import OmegaConf
from support import ROOT

from seqlab.errors import InputError
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.training_module import trainable
from seqlab.optim.optimizers import adamw
from seqlab.training.callbacks.checkpoints import EarlyStopping, Saver
from seqlab.training.resuming import (
    RULES,
    ResumeCheckpoint,
    RunIdentity,
    SavesIdentity,
    epochs_before,
    rule_of,
)

TRAINER, MODULE = functools.partial(mock.Mock, spec=Trainer), mock.Mock(spec=LightningModule)

GROUPS = ("data", "model", "optimizer", "scheduler", "trainer", "callbacks", "logger", "decoding", "model_size")

# The whole of what may change but in the groups whose every setting may.
AT_ONCE = {
    *(
        "also_decoding",
        "name",
        "resume",
        "overwrite",
        "measure",
        "compile",
        "cuda_graphs",
        "find_lr",
        "weights",
        "trust",
        "data.cache",
        "data.eval_batch_size",
    ),
    *("data.source_language", "data.target_language", "data.bleu_tokenizer"),
    *("free_running.every_n_epochs", "free_running.samples", "free_running.metrics"),
}
FREE = ("optimizer", "scheduler", "trainer", "callbacks", "logger", "decoding")
AT_AN_END = {
    *("data.batch_size", "data.batch_tokens", "data.pool", "data.order_seed"),
    *("objective.label_smoothing", "objective.teacher_forcing", "trainer.accumulate_grad_batches"),
}
RENAMED = {"data.path", "data.validation_path"}
FIXED_IN_FREE = {f"optimizer.{name}" for name in ("_target_", "_partial_", "fused")} | {"trainer._target_"}
FIXED = ("data", "tokenizer", "model", "model_size", "seed", "initialisation", "initial_weights", "freeze", "average")


def leaves(config, around=""):
    for name, value in config.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{around}{name}.")
        else:
            yield f"{around}{name}"


@pytest.fixture(scope="module")
def settings():
    """The names of all settings of `seqlab-train`, whatever is chosen."""
    names = set()
    options = {group: sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml")) for group in GROUPS}
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for number in range(max(map(len, options.values()))):  # the n-th option of every group together
            config = compose("train", [f"{group}={own[number % len(own)]}" for group, own in options.items()])
            names |= set(leaves(OmegaConf.to_container(config, resolve=False)))
    return names


def test_every_setting_has_a_rule(settings):
    assert {name.partition(".")[0] for name in settings} - RULES.keys() == set()
    by_rule = {rule: {name for name in settings if rule_of(name) == rule} for rule in set(RULES.values())}
    free = {name for name in settings if name.partition(".")[0] in FREE}
    assert by_rule["at the end of an epoch"] == AT_AN_END
    assert by_rule["other name"] == RENAMED
    assert by_rule["at once"] - free == AT_ONCE
    assert free - by_rule["at once"] == FIXED_IN_FREE | (AT_AN_END & free)
    assert {name.partition(".")[0] for name in by_rule["fixed"]} - set(FIXED) == {"optimizer", "trainer"}


def test_a_setting_that_nobody_thought_of_is_fixed():
    assert rule_of("of_my_own") == rule_of("of_my_own.part") == "fixed"
    assert rule_of("trainer.of_my_own") == "at once"


# Refusals -----------------------------------------------------------------------------------------------------

SETTINGS = {
    "data": {"seed": 0, "batch_size": 8, "path": "a"},
    "optimizer": {"_target_": "Adam", "lr": 0.1},
    "trainer": {"max_epochs": 5, "max_steps": -1},
    "resume": None,
}


def at(tmp_path, step=12, epochs=2, within=False, **more):
    """The checkpoint of a run with `SETTINGS`."""
    progress = {"current": {"processed": epochs, "ready": epochs + within}}
    batches = {"current": {"ready": 3}, "is_last_batch": not within}
    content = {
        **{"state_dict": {}, "global_step": step, "epoch": epochs},
        "loops": {"fit_loop": {"epoch_progress": progress, "epoch_loop.batch_progress": batches}},
    }
    identity = RunIdentity(SETTINGS, "code", {"files": "1"}, {"kind": "a"}, **more)
    SavesIdentity(identity).on_save_checkpoint(TRAINER(), MODULE, content)
    torch.save(content, tmp_path / "last.ckpt")
    return ResumeCheckpoint(tmp_path / "last.ckpt", tmp_path)


def now(code="code", files="1", kind="a", **sections):
    merged = OmegaConf.to_container(OmegaConf.merge(SETTINGS, sections))
    return RunIdentity(merged, code, {"files": files}, {"kind": kind})


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"data": {"seed": 5}}, ["data.seed 0 → 5", "new run"]),
        ({"data": {"max_pairs": 300}}, ["data.max_pairs nothing → 300"]),
        ({"optimizer": {"_target_": "SGD", "lr": 0.2}}, ["optimizer._target_ Adam → SGD"]),
        ({"trainer": {"max_epochs": 1}}, ["trainer.max_epochs", "at least the 2 epochs", "but is 1"]),
        ({"trainer": {"max_steps": 11}}, ["trainer.max_steps", "at least the 12 steps", "but is 11"]),
    ],
)
def test_what_cannot_take_effect_is_refused(tmp_path, changed, named):
    with pytest.raises(InputError) as error:
        at(tmp_path).check_settings(now(**changed))
    assert [text for text in named if text not in str(error.value)] == []
    assert "lr" not in str(error.value)  # which may change


@pytest.mark.parametrize("within", [True, False])
def test_the_batch_size_changes_at_the_end_of_an_epoch_only(tmp_path, within):
    checkpoint = at(tmp_path, within=within)
    if within:
        with pytest.raises(InputError, match=r"end of an epoch only.*within epoch 3: data.batch_size 8 → 4"):
            checkpoint.check_settings(now(data={"batch_size": 4}))
    else:
        checkpoint.check_settings(now(data={"batch_size": 4}))
        assert checkpoint.changed == {"data.batch_size": [8, 4]}


def test_an_epoch_that_has_begun_counts_for_the_end_of_training(tmp_path):
    at(tmp_path).check_settings(now(trainer={"max_epochs": 2}))
    with pytest.raises(InputError, match="at least the 3 epochs"):
        at(tmp_path, within=True).check_settings(now(trainer={"max_epochs": 2}))


def test_an_average_is_gathered_from_the_first_epoch_on(tmp_path):
    at(tmp_path).check_settings(now(weights="last"))
    with pytest.raises(InputError, match="weights nothing → average"):
        at(tmp_path).check_settings(now(weights="average"))


def test_without_a_step_what_acts_in_steps_is_refused(tmp_path):
    checkpoint = at(tmp_path)
    checkpoint.check_settings(now(optimizer={"lr": 0.2}, trainer={"max_epochs": 9}))
    checkpoint.check_steps(13)
    with pytest.raises(InputError, match=r"nothing left to train.*: optimizer.lr 0.1 → 0.2;"):
        checkpoint.check_steps(12)


def test_files_may_move_but_not_change(tmp_path):
    at(tmp_path).resumed(now(data={"path": "b"}))
    with pytest.raises(InputError, match=r"other data: data.files 1 → 2"):
        at(tmp_path).resumed(now(files="2"))
    with pytest.raises(InputError, match=r"another model: model.kind a → b"):
        at(tmp_path).resumed(now(kind="b"))


def test_a_checkpoint_that_does_not_say_what_it_is_of_is_refused(tmp_path):
    at(tmp_path)
    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    del content["run"]
    torch.save(content, tmp_path / "last.ckpt")
    with pytest.raises(InputError, match="lacks the identity of its run"):
        ResumeCheckpoint(tmp_path / "last.ckpt", tmp_path)


def test_what_changed_is_part_of_the_history(tmp_path):
    assert at(tmp_path).resumed(now(resume="here")).resumed == ()
    first = at(tmp_path).resumed(now(optimizer={"lr": 0.2}, code="other")).resumed
    (one,) = first
    assert (one.step, one.epochs, one.changed, one.code) == (12, 2, {"optimizer.lr": [0.1, 0.2]}, ["code", "other"])
    again = at(tmp_path, step=30, epochs=4, resumed=first).resumed(now(data={"batch_size": 3}))
    assert again.resumed[0] == one
    assert epochs_before(again) == (4, 30)  # epochs differ from then on, not since another rate
    assert epochs_before(RunIdentity({}, "", resumed=first)) == (0, 0)


def test_the_patience_of_today_counts():
    stored = EarlyStopping("val/loss", patience=2).state_dict()
    stopping = EarlyStopping("val/loss", patience=7)
    stopping.load_state_dict({**stored, "wait_count": 2, "best_score": torch.tensor(1.5)})
    assert (stopping.patience, stopping.wait_count, float(stopping.best_score)) == (7, 2, 1.5)
    trainer = TRAINER(should_stop=False)
    stopping.on_train_start(trainer, MODULE)
    assert not trainer.should_stop


def test_the_best_of_one_metric_is_not_that_of_another(tmp_path):
    keys = {Saver(tmp_path, monitor, mode).state_key for monitor in ("a", "b") for mode in ("min", "max")}
    assert len(keys) == 4


def test_the_length_of_a_run_counts_epochs_of_other_lengths():
    model = trainable(FixedVector)(5, 5, width=4)
    trainer = model.trainer = TRAINER(
        **{"estimated_stepping_batches": 70, "max_epochs": 10, "max_steps": -1},
        **{"num_training_batches": 7, "accumulate_grad_batches": 2},
    )
    model.configure_training(adamw)
    assert model.total_steps() == 70
    model.configure_training(adamw, epochs_before=(4, 100))
    assert model.total_steps() == 100 + 6 * math.ceil(7 / 2)
    trainer.max_steps = 110
    assert model.total_steps() == 110
