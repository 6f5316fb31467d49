"""Resuming a run from its checkpoint: which settings may change, and how a change takes effect.

A checkpoint holds the identity of its run. A resumed run compares its own identity with that one: a change that can no
longer take effect is refused before anything is written, every other change is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer

from hydra_pruning_sweeper.differences import Difference, differences, listed
from hydra_pruning_sweeper.messages import labelled, plural
from seqlab.errors import InputError
from seqlab.folders import RESULT
from seqlab.identity import HOW_IT_BEGINS, fingerprint
from seqlab.models.base import Seq2Seq
from seqlab.private_parts import position_of
from seqlab.runs.result import RunResult
from seqlab.training.callbacks.checkpoints import read_checkpoint

KEY = "run"
"""The key of a checkpoint that holds the identity of its run."""

Rule = Literal["at once", "at the end of an epoch", "other name", "fixed"]

RULES: dict[str, Rule] = {
    **dict.fromkeys(("name", *HOW_IT_BEGINS, "measure", "find_lr", "weights", "trust"), "at once"),
    **dict.fromkeys(("compile", "cuda_graphs"), "at once"),
    **dict.fromkeys(
        ("free_running", "decoding", "also_decoding", "callbacks", "logger", "scheduler", "optimizer", "trainer"),
        "at once",
    ),
    **dict.fromkeys(("optimizer._target_", "optimizer._partial_", "optimizer.fused", "trainer._target_"), "fixed"),
    **dict.fromkeys(("data", "tokenizer", "model", "model_size", "seed"), "fixed"),
    # These act before the first step alone, or need what was gathered since that step.
    **dict.fromkeys(("initialisation", "initial_weights", "freeze", "average"), "fixed"),
    # Files may have moved: their content is compared instead (see `SequenceData.identity`).
    **dict.fromkeys(("data.path", "data.validation_path"), "other name"),
    **dict.fromkeys(("data.cache", "data.eval_batch_size"), "at once"),
    # These affect evaluation alone.
    **dict.fromkeys(("data.source_language", "data.target_language", "data.bleu_tokenizer"), "at once"),
    # These change the batches of an epoch, their number, or the loss: within an epoch they stay the same.
    **dict.fromkeys(("data.batch_size", "data.batch_tokens", "data.pool", "data.order_seed"), "at the end of an epoch"),
    **dict.fromkeys(("objective", "trainer.accumulate_grad_batches"), "at the end of an epoch"),
    **dict.fromkeys(("trainer.limit_train_batches", "trainer.overfit_batches"), "at the end of an epoch"),
}
"""For each setting, or group of settings, whether and when a resumed run may change it; the longest name counts."""


TRAINING_ONLY = (
    *("optimizer", "scheduler", "objective", "callbacks.saver.m", "data.batch", "data.pool", "data.order_seed"),
    *("trainer.accumulate_grad_batches", "trainer.gradient_clip_val", "trainer.limit_train_batches"),
)
"""Prefixes of the settings that affect training steps alone."""


def rule_of(name: str) -> Rule:
    """The rule for a setting: that of the longest prefix of its dotted name in `RULES`; "fixed" if there is none."""
    while name:
        if name in RULES:
            return RULES[name]
        name = name.rpartition(".")[0]
    return "fixed"


@dataclass(frozen=True)
class Resumption:
    """One resumption of a run with changed settings or changed code.

    Args:
        step, epochs: optimizer steps and whole epochs that were done by then.
        changed: the value of each changed setting before and after, by dotted name.
        code: hashes of the code before and after, if they differ.
    """

    step: int
    epochs: int
    changed: dict[str, list[Any]]
    code: list[str] | None = None

    @property
    def epochs_differ(self) -> bool:
        """Whether epochs may have another number of steps from here on."""
        return any(rule_of(name) == "at the end of an epoch" for name in self.changed)


@dataclass(frozen=True)
class RunIdentity:
    """What identifies a run: its checkpoints keep it, and a resumed run is compared with it.

    Args:
        settings: its configuration, unresolved.
        data, model: see `SequenceData.identity` and `model_identity`; None before they are built.
        code: a hash of the code.
        resumed: its resumptions with something changed, oldest first.
    """

    settings: dict[str, Any]
    code: str
    data: dict[str, Any] | None = None
    model: dict[str, Any] | None = None
    resumed: tuple[Resumption, ...] = field(default=())


def model_identity(model: Seq2Seq) -> dict[str, Any]:
    """The identity of a model: its class, and a hash of the names and shapes of its parameters."""
    shapes = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    return {"kind": f"{type(model).__module__}.{type(model).__qualname__}", "shapes": fingerprint(shapes)}


@dataclass(frozen=True)
class RunPosition:
    """How far the run of a checkpoint had come: optimizer steps, whole epochs, whether it was within an epoch."""

    step: int
    epochs: int
    within: bool


class ResumeCheckpoint:
    """The checkpoint from which a run is resumed, with the identity of the run that wrote it.

    Args:
        path: the checkpoint.
        shown: the run's folder as the user types it, for messages.

    Raises:
        InputError: the checkpoint cannot be read, or lacks the identity of its run.
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
                f"{path}: lacks the identity of its run: it is of an earlier seqlab, and this one cannot resume it;"
                " start the run anew"
            ) from None
        self.position = _position(content)
        self.changed: dict[str, list[Any]] = {}

    def check_settings(self, now: RunIdentity) -> None:
        """Finds the settings that changed, and keeps them as `changed`.

        Raises:
            InputError: a setting changed that must not change, or only at the end of an epoch.
        """
        changed = [one for one in differences(self.before.settings, now.settings) if one.name not in HOW_IT_BEGINS]
        too_late = {"weights": "average"}  # its files would have had to be kept from the first epoch on
        if fixed := [one for one in changed if rule_of(one.name) == "fixed" or too_late.get(one.name) == one.new]:
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
        done = {"max_epochs": (self.position.epochs + self.position.within, "epoch")}
        done["max_steps"] = (self.position.step, "step")
        for name, (count, unit) in done.items():
            limit = (settings.get("trainer") or {}).get(name)
            if isinstance(limit, int) and 0 <= limit < count:
                raise InputError(
                    f"trainer.{name} must be at least the {plural(count, unit)} that {self.shown} has begun, but is"
                    f" {limit}"
                )

    def limit_reached(self, now: RunIdentity) -> str | None:
        """The setting to type, with a larger value, if the run has trained as long as its settings allow."""
        done = {"max_steps": self.position.step, "max_epochs": 0 if self.position.within else self.position.epochs}
        trainer = now.settings.get("trainer") or {}
        reached = [name for name, count in done.items() if trainer.get(name) == count > 0]
        return f"trainer.{reached[0]}={2 * done[reached[0]]}" if reached else None

    def resumed(self, now: RunIdentity) -> RunIdentity:
        """The identity of the resumed run: `now`, with earlier resumptions and this one if anything changed.

        Raises:
            InputError: settings, data or model are not those of the checkpoint.
        """
        self.check_settings(now)
        if differing := differences({"data": self.before.data}, {"data": now.data}):
            self._refuse(f"was trained on other data: {listed(differing)}")
        if differing := differences({"model": self.before.model}, {"model": now.model}):
            self._refuse(f"is of another model: {listed(differing)}")
        code = [self.before.code, now.code] if now.code != self.before.code else None
        history = self.before.resumed
        if self.changed or code:
            history += (Resumption(self.position.step, self.position.epochs, self.changed, code),)
        return replace(now, resumed=history)

    def check_steps(self, step: int) -> None:
        """Checks after training, at optimizer step `step`, that the changed settings had an effect.

        Raises:
            InputError: settings of training steps changed, but no step was taken.
        """
        unused = {name: pair for name, pair in self.changed.items() if name.startswith(TRAINING_ONLY)}
        if unused and step == self.position.step:
            changes = listed(Difference(name, *pair) for name, pair in unused.items())
            self._refuse(f"has nothing left to train (raise trainer.max_epochs), so this has no effect: {changes}")

    def _refuse(self, reason: str) -> None:
        raise InputError(
            f"resume={self.shown}: {reason}; leave that as it was, or start a new run: the same without resume="
        )


def _position(content: dict[str, Any]) -> RunPosition:
    begun, within = position_of(content)
    return RunPosition(content["global_step"], begun - within, within)


def seconds_before(folder: Path, step: int) -> float | None:
    """Seconds of training and validation of the run in a folder, if it was finished before at this optimizer step.

    Its last checkpoint does not know them all, and reading the data anew is no part of them.
    """
    if not (folder / RESULT).is_file():
        return None
    try:
        result = RunResult.read(folder)
    except InputError:
        return None
    return result.seconds.fit if result.steps == step else None


def announce_changes(identity: RunIdentity, before: RunIdentity) -> None:
    """Prints what the resumed run changes, `before` being the identity in its checkpoint."""
    if identity.resumed == before.resumed:
        return
    last = identity.resumed[-1]
    where = f"after step {last.step:,} ({plural(last.epochs, 'epoch')})"
    if last.changed:
        changes = [Difference(name, old, new) for name, (old, new) in last.changed.items()]
        print(labelled("changed", f"{where}: {listed(changes, limit=len(changes))}"), flush=True)
    if last.code:
        print(labelled("changed", f"{where}: seqlab's code {' → '.join(last.code)}"), flush=True)


def epochs_before(identity: RunIdentity) -> tuple[int, int]:
    """The epochs, and their steps, before the number of steps per epoch changed for the last time; else (0, 0)."""
    points = [(one.epochs, one.step) for one in identity.resumed if one.epochs_differ]
    return points[-1] if points else (0, 0)


class SavesIdentity(Callback):
    """Adds the identity of the run to every checkpoint.

    Args:
        keep: writes the configuration of a resumed run into its folder. It is called when the first checkpoint with
            this configuration is saved: until then the configuration in the folder is that of the old checkpoint.
    """

    def __init__(self, identity: RunIdentity, keep: Callable[[], None] | None = None) -> None:
        self.identity, self.keep = identity, keep

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds the identity."""
        checkpoint[KEY] = asdict(self.identity)
        if trainer.is_global_zero:
            self.keep_configuration()

    def keep_configuration(self) -> None:
        """Writes the configuration the first time it is called."""
        keep, self.keep = self.keep, None
        if keep is not None:
            keep()
