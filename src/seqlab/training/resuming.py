"""A run and its checkpoint: what may change when it is resumed, and how a change takes effect.

A checkpoint carries a description of its run. Whoever goes on from it compares that with the run it would be now:
what cannot take effect any more is refused before anything is written, everything else is recorded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer

from hydra_pruning_sweeper.differences import Difference, differences, listed
from seqlab.errors import InputError
from seqlab.identity import HOW_IT_BEGINS, fingerprint
from seqlab.models.base import Seq2Seq
from seqlab.private_parts import position_of
from seqlab.runs.result import RecordedIdentity
from seqlab.training.callbacks.checkpoints import read_checkpoint

KEY = "run"
"""Where a checkpoint keeps the description of its run."""

Rule = Literal["at once", "at the end of an epoch", "other name", "fixed"]

RULES: dict[str, Rule] = {
    **dict.fromkeys(("name", *HOW_IT_BEGINS, "measure", "compile", "find_lr", "weights", "trust"), "at once"),
    **dict.fromkeys(
        ("free_running", "decoding", "callbacks", "logger", "scheduler", "optimizer", "trainer"), "at once"
    ),
    **dict.fromkeys(("optimizer._target_", "optimizer._partial_", "optimizer.fused", "trainer._target_"), "fixed"),
    **dict.fromkeys(("data", "tokenizer", "model", "model_size", "seed"), "fixed"),
    # These act on the first step alone, or need to have been watched from it on.
    **dict.fromkeys(("initialisation", "initial_weights", "freeze", "average"), "fixed"),
    # Files may have moved: what is in them is compared as data.
    **dict.fromkeys(("data.path", "data.validation_path"), "other name"),
    **dict.fromkeys(("data.cache", "data.eval_batch_size"), "at once"),
    # How outputs are measured.
    **dict.fromkeys(("data.source_language", "data.target_language", "data.bleu_tokenizer"), "at once"),
    # Another number of batches, or other ones, or another loss: an epoch is of one kind.
    **dict.fromkeys(("data.batch_size", "data.batch_tokens", "data.pool", "data.order_seed"), "at the end of an epoch"),
    **dict.fromkeys(("objective", "trainer.accumulate_grad_batches"), "at the end of an epoch"),
    **dict.fromkeys(("trainer.limit_train_batches", "trainer.overfit_batches"), "at the end of an epoch"),
}
"""For each setting, or group of settings, what becomes of a change when a run is resumed; the longest name counts."""


OF_TRAINING = (
    *("optimizer", "scheduler", "objective", "callbacks.saver.m", "data.batch", "data.pool", "data.order_seed"),
    *("trainer.accumulate_grad_batches", "trainer.gradient_clip_val", "trainer.limit_train_batches"),
)
"""How the names of settings begin that act in training steps alone."""


def rule_of(name: str) -> Rule:
    """The rule for a setting: that of the longest part of its dotted name that `RULES` knows; "fixed" if none is."""
    while name:
        if name in RULES:
            return RULES[name]
        name = name.rpartition(".")[0]
    return "fixed"


@dataclass(frozen=True)
class Resumption:
    """That a run went on with other settings, or by other code.

    Args:
        step, epochs: optimizer steps and whole epochs that were done by then.
        changed: by dotted name, the setting before and after.
        code: hashes of the code before and after, if they differ.
    """

    step: int
    epochs: int
    changed: dict[str, list[Any]]
    code: list[str] | None = None

    @property
    def epochs_differ(self) -> bool:
        """Whether epochs have another number of steps from here on."""
        return any(rule_of(name) == "at the end of an epoch" for name in self.changed)


@dataclass(frozen=True)
class RunIdentity:
    """What a run says of itself in its checkpoints.

    Args:
        settings: its configuration, unresolved.
        data, model: see `SequenceData.identity` and `model_identity`; None before they are built.
        code: a hash of the code.
        resumed: each time that it went on with something changed.
    """

    settings: dict[str, Any]
    code: str
    data: dict[str, Any] | None = None
    model: dict[str, Any] | None = None
    resumed: tuple[Resumption, ...] = field(default=())


def model_identity(model: Seq2Seq) -> dict[str, Any]:
    """What a model is: its class, and a hash of the names and shapes of its parameters."""
    shapes = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    return {"kind": f"{type(model).__module__}.{type(model).__qualname__}", "shapes": fingerprint(shapes)}


@dataclass(frozen=True)
class RunPosition:
    """How far a checkpoint's run has come: optimizer steps, whole epochs, whether it stands within an epoch."""

    step: int
    epochs: int
    within: bool


class Checkpoint:
    """The checkpoint that a run goes on from, held against what the run would be now.

    Args:
        path: the checkpoint.
        shown: the run's folder, as it is typed.

    Raises:
        InputError: a checkpoint that cannot be read, or does not say what it is of.
    """

    def __init__(self, path: Path, shown: Path) -> None:
        content = read_checkpoint(path)
        self.path, self.shown = path, shown
        try:
            stored = content[KEY]
            resumed = tuple(Resumption(**one) for one in stored["resumed"])
            self.before = RunIdentity(**{**stored, "resumed": resumed})
        except (KeyError, TypeError):
            raise InputError(
                f"{path}: does not say what it is of: a run of an earlier seqlab, which this one cannot go on with;"
                " start it anew"
            ) from None
        self.position = _position(content)
        self.changed: dict[str, list[Any]] = {}

    def check_settings(self, now: RunIdentity) -> None:
        """Notes the settings that changed.

        Raises:
            InputError: one changed that may not, or not here.
        """
        changed = [one for one in differences(self.before.settings, now.settings) if one.name not in HOW_IT_BEGINS]
        late = {"weights": "average"}  # whose files have to be gathered from the first epoch on
        if fixed := [one for one in changed if rule_of(one.name) == "fixed" or late.get(one.name) == one.new]:
            self._refuse(f"cannot take effect in a run that has begun: {listed(fixed)}")
        if self.position.within and (
            later := [one for one in changed if rule_of(one.name) == "at the end of an epoch"]
        ):
            self._refuse(
                f"can change at the end of an epoch only, and this run stopped within epoch"
                f" {self.position.epochs + 1}: {listed(later)}"
            )
        self._check_end(now.settings)
        self.changed = {one.name: [one.old, one.new] for one in changed}

    def _check_end(self, settings: dict[str, Any]) -> None:
        trainer = settings.get("trainer") or {}
        limits = {
            "max_epochs": (self.position.epochs + self.position.within, "epochs"),
            "max_steps": (self.position.step, "steps"),
        }
        for name, (done, unit) in limits.items():
            limit = trainer.get(name)
            if isinstance(limit, int) and 0 <= limit < done:
                raise InputError(
                    f"trainer.{name} must be at least the {done} {unit} that {self.shown} has begun, but is {limit}"
                )

    def resumed(self, now: RunIdentity) -> RunIdentity:
        """The run as it goes on: what changed is part of its history.

        Raises:
            InputError: data or model are not those of the checkpoint.
        """
        self.check_settings(now)
        if found := differences({"data": self.before.data}, {"data": now.data}):
            self._refuse(f"was trained on other data: {listed(found)}")
        if found := differences({"model": self.before.model}, {"model": now.model}):
            self._refuse(f"is of another model: {listed(found)}")
        code = [self.before.code, now.code] if now.code != self.before.code else None
        history = self.before.resumed
        if self.changed or code:
            history += (Resumption(self.position.step, self.position.epochs, self.changed, code),)
        return replace(now, resumed=history)

    def check_steps(self, step: int) -> None:
        """Holds the steps that are done after training against what changed.

        Raises:
            InputError: no step was taken, though settings changed that only training could bring into effect.
        """
        idle = {name: pair for name, pair in self.changed.items() if name.startswith(OF_TRAINING)}
        if idle and step == self.position.step:
            found = listed(Difference(name, *pair) for name, pair in idle.items())
            self._refuse(f"has nothing left to train (raise trainer.max_epochs), so this has no effect: {found}")

    def _refuse(self, reason: str) -> None:
        raise InputError(
            f"resume={self.shown}: {reason}; leave that as it was, or begin a new run: the same without resume="
        )


def _position(content: dict[str, Any]) -> RunPosition:
    begun, within = position_of(content)
    return RunPosition(content["global_step"], begun - within, within)


def facts_of(identity: RunIdentity) -> dict[str, Any]:
    """What the result of a run keeps of its identity."""
    return {
        "identity": RecordedIdentity(data=identity.data, model=identity.model),
        "resumed": [asdict(one) for one in identity.resumed],
    }


def announce(identity: RunIdentity, before: RunIdentity) -> None:
    """Prints what a run goes on with that has changed since its checkpoint."""
    if identity.resumed == before.resumed:
        return
    last = identity.resumed[-1]
    where = f"after step {last.step:,} ({last.epochs} epochs)"
    if last.changed:
        found = [Difference(name, old, new) for name, (old, new) in last.changed.items()]
        print(f"changed     {where}: {listed(found, limit=len(found))}", flush=True)
    if last.code:
        print(f"changed     {where}: seqlab's code {' → '.join(last.code)}", flush=True)


def epochs_before(identity: RunIdentity) -> tuple[int, int]:
    """Whole epochs and their steps that went before the last change of how many steps an epoch has."""
    points = [(one.epochs, one.step) for one in identity.resumed if one.epochs_differ]
    return points[-1] if points else (0, 0)


class KeepsIdentity(Callback):
    """Has every checkpoint say what it is of.

    Args:
        keep: writes down the configuration of a run that was resumed. Called before the first checkpoint that is of
            this configuration: until then the old one is what the checkpoint is of.
    """

    def __init__(self, identity: RunIdentity, keep: Callable[[], None] | None = None) -> None:
        self.identity, self.keep = identity, keep

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds the description."""
        checkpoint[KEY] = asdict(self.identity)
        if trainer.is_global_zero:
            self.keep_configuration()

    def keep_configuration(self) -> None:
        """Writes the configuration, unless that is done."""
        keep, self.keep = self.keep, None
        if keep is not None:
            keep()


class ChangedRates(Callback):
    """Has the optimizer and the schedule of a resumed run go by today's settings.

    Lightning restores all numbers of both from the checkpoint. This keeps what the optimizer has learnt of the
    gradients, takes its numbers from the configuration, and leads the schedule to where it would be now, had it been
    this one from the beginning. A schedule that follows a metric keeps its counts if it is the same; where the rate
    itself did not change, so does the rate that it had lowered.

    Args:
        changed: all settings that changed, by name.
    """

    COUNTS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")
    KIND = (
        *("scheduler", "scheduler._target_", "scheduler.monitor", "scheduler.mode"),
        *("callbacks.saver.monitor", "callbacks.saver.mode"),  # which the schedule's own are taken from
    )

    def __init__(self, changed: Collection[str]) -> None:
        self.changed = changed
        self._stored: list[dict[str, Any]] = []
        self._today: list[list[dict[str, Any]]] = []

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Takes the schedules' states out of the checkpoint: they may be of another kind."""
        self._stored, checkpoint["lr_schedulers"] = checkpoint["lr_schedulers"], []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the numbers of the optimizers as they were just built, before those of the checkpoint come."""
        self._today = [list(map(_numbers, optimizer.param_groups)) for optimizer in trainer.optimizers]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts them back, and goes through the schedule up to the step that is next."""
        lowered = [[group["lr"] for group in optimizer.param_groups] for optimizer in trainer.optimizers]
        for optimizer, groups in zip(trainer.optimizers, self._today, strict=True):
            for group, today in zip(optimizer.param_groups, groups, strict=True):
                for name in _numbers(group).keys() - today.keys():
                    del group[name]  # of a schedule that is no more
                group.update(today)
        for config, stored in zip_longest(trainer.lr_scheduler_configs, self._stored):
            if config is None:  # there is no schedule any more
                continue
            if hasattr(config.scheduler, "monitor"):
                self._follow(trainer, config.scheduler, stored or {}, lowered)
            else:
                _replay(config.scheduler, trainer.global_step)

    def _follow(self, trainer: Trainer, scheduler: Any, stored: dict[str, Any], lowered: list[list[float]]) -> None:
        """A schedule that follows a metric goes on counting."""
        if any(name in self.changed for name in self.KIND):
            return
        for name in self.COUNTS:
            setattr(scheduler, name, stored[name])
        if "optimizer.lr" not in self.changed:
            for optimizer, rates in zip(trainer.optimizers, lowered, strict=True):
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate


def _numbers(group: dict[str, Any]) -> dict[str, Any]:
    """The settings of a group of parameters."""
    return {name: value for name, value in group.items() if name not in ("params", "param_names")}


def _replay(scheduler: Any, steps: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch wants optimizer steps between those of a schedule
        for _ in range(steps):
            scheduler.step()
