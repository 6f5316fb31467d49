"""The runs of a multirun side by side: finished ones are kept, interrupted ones go on, missing ones are run."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.execution.slot_count import MeasuredSlots, SlotCount
from hydra_pruning_sweeper.execution.slot_policy import SlotPolicy
from hydra_pruning_sweeper.execution.slots import available_cores, groups_of_gpus, slot_threads, visible_gpus
from hydra_pruning_sweeper.messages import labelled, printable
from hydra_pruning_sweeper.quoting import quoted
from hydra_pruning_sweeper.trial.events import LOG
from seqlab.config.multirun import GridRun, LaunchSettings
from seqlab.config.plain import keep_overrides
from seqlab.errors import Carried, InputError, StoppedError
from seqlab.folders import CHECKPOINT, ERROR, RANGE_TEST, RESULT, TRAINING_COST, clear_run, has_begun
from seqlab.multiruns.pace_estimate import PaceEstimate
from seqlab.multiruns.pool import Pool, RunEnd, locked, slots_in_words
from seqlab.multiruns.pool_progress import PoolProgress
from seqlab.multiruns.typed_line import TypedLine
from seqlab.runs.comparison import write

PRELOAD = (
    *("seqlab.training.run", "seqlab.training.callbacks.progress"),
    *("seqlab.training.callbacks.monitors", "torch.utils.tensorboard", "torch._dynamo", "beartype.door"),
)
"""What runs would import one after another, before they are forked."""


@dataclass(frozen=True)
class SlotRun:
    """A run of a multirun.

    Args:
        name: its number, and what sets it apart from the others.
        folder: where it is kept.
        shared: arguments of all runs, before its own.
    """

    name: str
    folder: Path
    run: GridRun
    shared: tuple[str, ...]

    @property
    def log(self) -> Path:
        """The file with what it prints."""
        return self.folder / LOG

    def arguments(self, resumes: bool) -> list[str]:
        """The arguments of `seqlab-train`, which make it a single run in its folder."""
        folder = quoted(str(self.folder))
        if resumes:
            return [f"resume={folder}"]
        return [*self.shared, *self.run.overrides, f"hydra.run.dir={folder}", "hydra.mode=RUN"]

    def has_ended(self) -> bool:
        """Whether it is finished: measured, or trained if it is not to be measured, or tested for its rate."""
        return any((self.folder / name).exists() for name in (RESULT, TRAINING_COST, RANGE_TEST))

    def can_be_resumed(self) -> bool:
        """Whether it has saved a checkpoint."""
        return (self.folder / CHECKPOINT).is_file()


def launch(settings: LaunchSettings, numbers: Collection[int]) -> None:
    """Runs those runs of a multirun that are not finished. One that fails stops no other.

    Raises:
        Carried: (of an `InputError`) another command works in the folder; (of a `StoppedError`) there was an interrupt.
    """
    try:
        with locked(settings.folder) as lock:
            _launch(settings, numbers, lock)
    except (InputError, StoppedError) as error:  # Hydra would turn it into its own message
        raise Carried(error) from error


def _launch(settings: LaunchSettings, numbers: Collection[int], lock: int) -> None:
    line = TypedLine.read(settings.folder)
    runs = [run for run in _slot_runs(settings, line) if run.run.number in numbers]
    todo = [run for run in runs if not run.has_ended()]
    resumed = {run.name for run in todo if run.can_be_resumed()}
    slots, threads, gpus = _slots(settings, len(line.runs))
    _announce(settings.folder, runs, todo, resumed, slots, threads, gpus)
    estimate = PaceEstimate(
        {run.name: run.folder for run in todo}, {run.name: run.run.overrides for run in runs}, resumed
    )
    progress = PoolProgress([run.name for run in todo], len(runs) - len(todo), slots.allowed, estimate)
    pool: Pool[SlotRun] = Pool(slots, threads, gpus, lock, PRELOAD)

    def begin(run: SlotRun) -> bool:
        if run.name in resumed:
            return True
        clear_run(run.folder)
        return False

    def on_end(end: RunEnd[SlotRun]) -> None:
        if end.run.has_ended() or end.run.can_be_resumed():
            has_begun(settings.folder)
        if end.error is not None:
            keep_overrides(end.run.folder, end.run.run.overrides)
            write_atomically(end.run.folder / ERROR, end.error + "\n")
        progress.ended(end)
        for text in _suggestion(end.run):
            progress.line(text)
        with contextlib.suppress(InputError):  # the search for a learning rate leaves nothing to compare
            write(settings.folder)

    if not pool.run(list(todo), begin, on_end, progress):
        if any(run.can_be_resumed() for run in todo):  # it was stopped, and has saved its state
            has_begun(settings.folder)
        raise StoppedError("what ran is saved, and the same line goes on")


def _slot_runs(settings: LaunchSettings, line: TypedLine) -> list[SlotRun]:
    varied = line.varied()
    return [
        SlotRun(
            printable(" ".join([f"run {run.number}", *varied[run.number]])),
            settings.folder / run.subfolder,
            run,
            settings.arguments,
        )
        for run in line.runs
    ]


def _slots(settings: LaunchSettings, runs: int) -> tuple[SlotCount, int, list[str]]:
    """How many run at a time, the threads of each, and the GPUs that are dealt out to them.

    Threads follow from how many runs there are in all, not from how many are left: with other threads a run that goes
    on would not be the same to the bit.
    """
    gpus = groups_of_gpus(visible_gpus(), settings.gpus) if settings.gpus else []
    if settings.slots is not None:
        return SlotCount(settings.slots), settings.threads or slot_threads(settings.slots), gpus
    threads = settings.threads or slot_threads(min(runs, available_cores()))
    policy = SlotPolicy(max(1, available_cores() // threads), len(gpus), runs)
    return MeasuredSlots(policy, "run"), threads, gpus


def _announce(
    folder: Path,
    runs: Sequence[SlotRun],
    todo: Sequence[SlotRun],
    resumed: Collection[str],
    slots: SlotCount,
    threads: int,
    gpus: Sequence[str],
) -> None:
    parts = [f"{len(runs) - len(todo)} finished"] if len(todo) < len(runs) else []
    parts += [f"{len(resumed)} to resume"] if resumed else []
    parts += [f"{len(todo) - len(resumed)} to start"] if len(todo) > len(resumed) else []
    print(labelled("multirun", printable(str(folder))))
    text = f"{len(runs)}: {', '.join(parts)}"
    if todo:
        text += f"; {slots_in_words(slots, threads, gpus)}"
    print(labelled("runs", text), flush=True)


def _suggestion(run: SlotRun) -> list[str]:
    """What a range test printed of the learning rate that it suggests; nothing for other runs."""
    if not (run.folder / RANGE_TEST).is_dir():
        return []
    lines = run.log.read_text(encoding="utf-8", errors="replace").splitlines()
    begins = [number for number, text in enumerate(lines) if text.startswith("suggested")]
    return lines[begins[-1] :] if begins else []
