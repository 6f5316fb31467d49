"""A sweep from start to end: from the command line to a study, its trials, and the files that summarise it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import optuna
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_pruning_sweeper.end_of_sweep import call_at_end, on_end_function
from hydra_pruning_sweeper.errors import ExecutionError, UsageError
from hydra_pruning_sweeper.execution.controller import Controller, Plan
from hydra_pruning_sweeper.execution.executor import Executor, ForkExecutor
from hydra_pruning_sweeper.execution.outcome import SlotUse, utilisation
from hydra_pruning_sweeper.execution.slot_count import AUTO, MeasuredSlots, SlotCount
from hydra_pruning_sweeper.execution.slot_policy import SlotPolicy
from hydra_pruning_sweeper.execution.slots import (
    available_cores,
    groups_of_gpus,
    slot_environment,
    slot_threads,
    visible_gpus,
)
from hydra_pruning_sweeper.execution.trial_folders import is_full, is_in_use, rename_to_backup
from hydra_pruning_sweeper.file_lock import file_lock
from hydra_pruning_sweeper.instantiation import created
from hydra_pruning_sweeper.messages import LABEL, labelled, plural, printable, wrapped
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.objectives import Goal
from hydra_pruning_sweeper.quoting import quoted
from hydra_pruning_sweeper.search_from_config import (
    base_of,
    command_of_trials,
    is_basic,
    keep_folder,
    settings_from,
    space_of,
    split_overrides,
)
from hydra_pruning_sweeper.study.addresses import conceal, is_secret, shown
from hydra_pruning_sweeper.study.earlier_knowledge import enqueued, trials_of_studies
from hydra_pruning_sweeper.study.lease import lives, this_process
from hydra_pruning_sweeper.study.pausing import PauseAndPromote
from hydra_pruning_sweeper.study.preflight import check_before_start
from hydra_pruning_sweeper.study.record import RECORD, SweepRecord, known_record
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.rungs import rungs
from hydra_pruning_sweeper.study.sampler import sampler_factory
from hydra_pruning_sweeper.study.search_spec import SearchSpec, description
from hydra_pruning_sweeper.study.shared_study import LeasedTrial, SharedStudy
from hydra_pruning_sweeper.study.storage import StudyStorage, store_url
from hydra_pruning_sweeper.trial.context import TrialContext
from hydra_pruning_sweeper.views.dashboard import how_to_watch
from hydra_pruning_sweeper.views.live_table import LiveTable
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep
from hydra_pruning_sweeper.views.sweep_summary import FILES, about_pauses, how_to_run, write_summary

PRELOAD = "hydra_pruning_sweeper.trial.preload"
# What takes seconds to import is imported once for all trials, if the application has imported it when a sweep begins.
HEAVY = ("torch", "lightning", "lightning.pytorch", "pytorch_lightning")
# Hydra calls this back with the result of a trial's task, whichever launcher has started the trial.
HOOK = "++hydra.callbacks.trial_result._target_=hydra_pruning_sweeper.trial.hydra_callback.TrialResult"


class SweepRun:
    """A sweep as `config.hydra.sweeper` and the command line's `arguments` describe it.

    Args:
        config: composed with the overrides that are no sweeps, Hydra's own settings included.
        arguments: all overrides of the command line.
        context: gives access to Hydra's configuration loader.
        task: the application's main function.

    Raises:
        UsageError: a setting cannot be used, or a check before the first trial fails.
    """

    def __init__(self, config: DictConfig, arguments: list[str], context: HydraContext, task: TaskFunction) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.config, self.context, self.task = config, context, task
        self.settings = settings_from(config)
        self.folder = keep_folder(config, self.settings.study)
        fixed, typed = split_overrides(arguments)
        self.space = space_of(self.settings, fixed, typed, base_of(config))
        self.line = command_of_trials(config, self.settings, fixed)
        self.sampler = sampler_factory(_instantiated(self.settings.sampler, "sampler", _partial_=True))
        self.pruner = _instantiated(self.settings.pruner, "pruner") if self.settings.pruner else None
        self.on_end = on_end_function(self.settings.on_end)
        self._check_checkpoint()
        check_before_start(self.space, self.line, context.config_loader, self.sampler, self.settings.direction)
        self.store = StudyStorage(store_url(self.settings.storage, self.folder))
        if is_secret(self.store.url):
            os.environ[NAMES.storage_variable] = self.store.url  # trials get it in no other way
            conceal(config)

    def run(self) -> float | list[list[float]] | None:
        """Runs trials until the study has enough; returns the best value, or those of all Pareto trials.

        Raises:
            UsageError: the study belongs to another search.
            ExecutionError: too many trials have failed, none is complete, or the disk is full.
        """
        try:
            return self._run()
        except Exception as error:
            if not is_full(error):
                raise
            raise ExecutionError(
                f"{self.folder}: no space left; when there is, the same line continues the search"
            ) from None

    def _check_checkpoint(self) -> None:
        """Checks that trials that are paused can be continued.

        Raises:
            UsageError: they keep no checkpoint.
        """
        if isinstance(self.pruner, PauseAndPromote) and self.settings.checkpoint is None:
            raise UsageError(
                "hydra.sweeper.pruner pauses trials, and continues them from a checkpoint: set hydra.sweeper.checkpoint"
                " to its path within a trial's folder, such as checkpoints/last.ckpt, or choose another pruner"
            )

    def _run(self) -> float | list[list[float]] | None:
        settings = self.settings
        baseline, why_none = self._baseline()
        shared_study = SharedStudy(
            self.store,
            settings.study,
            settings.direction,
            self.space,
            Rules(
                settings.n_trials,
                settings.max_retry,
                settings.max_failure_rate,
                patience=settings.lease,
                stagnation=settings.patience,
            ),
            self.sampler,
            self.pruner,
            settings.seed,
            baseline,
            self._spec(),
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        record = self._record(shared_study.identity)
        with file_lock(self.folder / f"{RECORD}.turn"):
            set_foreign_aside(self.folder, shared_study.identity)
            record.write(self.folder)
        recorded = RecordedSweep(record, self.folder, self.store)
        self._announce(recorded, why_none)
        table = LiveTable(recorded, [one.name for one in self.space.parameters])
        controller = Controller(shared_study, self._executor(), self._plan(), table)
        try:
            controller.run()
        finally:
            table.close()
            self._conclude(recorded, controller.use)
        best = recorded.best_trials()
        if not best:
            return None
        numbers, several = [one.number for one in best], recorded.has_several_objectives
        if self.on_end is not None and self._other_study(recorded) is None:
            call_at_end(self.on_end, self.folder, numbers if several else numbers[0])
        return [one.values for one in best] if several else best[0].value

    def _spec(self) -> SearchSpec:
        settings, folders = self.settings, self.settings.warm_start
        folders = [folders] if isinstance(folders, str) else folders or []
        return SearchSpec(
            description(self.config, settings, self.space, self.line),
            self.line,
            settings.continue_anyway,
            enqueued(settings.enqueue, self.space),
            lambda: trials_of_studies(map(Path, folders), self.space, settings.direction),
        )

    def _baseline(self) -> tuple[dict[str, Any] | None, str | None]:
        """The values of trial 0, if that is the configuration as it is; why it is not, though it should be."""
        if not self.settings.baseline:
            return None, None
        try:
            return self.space.baseline(), None
        except UsageError as error:
            return None, str(error)

    def _record(self, identity: str) -> SweepRecord:
        return SweepRecord(
            study=self.settings.study,
            storage=shown(self.store.url),
            direction=self.settings.direction,
            trials=self.settings.n_trials,
            identity=identity,
            rungs=rungs(self.settings.pruner),
            program=sys.argv[0],
            flags=list(self.line.flags),
            fixed=list(self.line.fixed),
            controller=list(this_process()),
        )

    @property
    def _mode(self) -> list[str]:
        """What makes a trial a single run, also where the application's configuration says MULTIRUN."""
        return ["hydra.mode=RUN"] if is_basic(self.config.hydra.launcher) else []

    def _executor(self) -> Executor:
        if not is_basic(self.config.hydra.launcher):
            from hydra_pruning_sweeper.execution.launchers import LauncherExecutor

            return LauncherExecutor(self.config, self.context, self.task, self.settings.slots)
        entry = self.settings.entry or _typed_entry()
        threads = self._threads()
        preload = [PRELOAD, *(one for one in HEAVY if sys.modules.get(one)), *self.settings.preload]
        return ForkExecutor(entry, sys.argv[0], preload, slot_environment(0, threads, ()))

    def _threads(self) -> int:
        return self.settings.threads or (1 if self.settings.slots == AUTO else slot_threads(self.settings.slots))

    def _slots(self, gpus: int) -> SlotCount:
        if self.settings.slots != AUTO:
            return SlotCount(self.settings.slots)
        cores = int(available_cores() / self._threads())
        return MeasuredSlots(SlotPolicy(cores, gpus, self.settings.n_trials), "trial")

    def _plan(self) -> Plan:
        settings = self.settings
        threads, gpus = self._threads(), groups_of_gpus(visible_gpus(), settings.gpus)
        storage = None if is_secret(self.store.url) else self.store.url
        trial_context = TrialContext(
            settings.study, storage, pruner=settings.pruner or None, direction=settings.direction
        )
        return Plan(
            self.folder,
            self._slots(len(gpus)),
            self.arguments,
            trial_context,
            lambda slot: slot_environment(slot, threads, gpus),
            beat=settings.lease / 4,
            silence=settings.max_silence,
            timeout=settings.timeout,
        )

    def arguments(self, leased: LeasedTrial, folder: Path) -> list[str]:
        """The command line of a trial."""
        folder = folder.resolve()
        path, checkpoint = quoted(str(folder)), folder / (self.settings.checkpoint or "")
        source = folder if self.settings.resume_from == "folder" else checkpoint
        # A search's file may hold the address, with its password, which trials are not to write into their folders.
        storage = ["++hydra.sweeper.storage=null"] if self.settings.storage else []
        resume = [f"{self.settings.resume}={quoted(str(source))}"] if checkpoint.is_file() else []
        return [*leased.line.typed, *resume, *storage, f"hydra.run.dir={path}", HOOK, *self._mode]

    def _announce(self, recorded: RecordedSweep, why_no_baseline: str | None) -> None:
        settings, done = self.settings, len(recorded.trials())
        begun = f", {done} begun" if done else ""
        lines = {
            "study": f"{settings.study}: {plural(settings.n_trials, 'trial')}{begun}",
            "space": ", ".join(one.name for one in self.space.parameters),
            "objectives": _objectives_in_words(settings.direction),
            "sampler": self._drawn_at_random(),
            "baseline": f"none, trial 0 is chosen like all others: {why_no_baseline}" if why_no_baseline else None,
            "pausing" if isinstance(self.pruner, PauseAndPromote) else "pruning": self._rungs_in_words(recorded),
            "slots": f"{self._slots_in_words()}, of {plural(self._threads(), 'thread')} each",
            "kept in": f"{self.folder} and {self.store.shown}",
        }
        for name, text in lines.items():
            if text is not None:
                print(labelled(name, printable(text)))
        if watch := how_to_watch(self.store.shown):
            print(printable(f"{'watch with':<{LABEL}}{watch}"))  # to be copied, so in one line
        sys.stdout.flush()

    def _drawn_at_random(self) -> str | None:
        """What a Gaussian process does not learn: settings that not every trial has."""
        conditional = [one.name for one in self.space.parameters if one.when is not None]
        if not conditional or not str(self.settings.sampler["_target_"]).endswith(".GPSampler"):
            return None
        names = ", ".join(conditional)
        return f"gp draws {names} at random, searched under a condition; hydra/sweeper/sampler=tpe learns that, too"

    def _rungs_in_words(self, recorded: RecordedSweep) -> str | None:
        if not recorded.record.rungs:
            return None
        waits = "waits until it is" if isinstance(self.pruner, PauseAndPromote) else "ends"
        after = ", ".join(map(str, recorded.record.rungs))
        return f"a trial that is not among the best after {after} reported values (the rungs) {waits}"

    def _slots_in_words(self) -> str:
        slots = self.settings.slots
        return "as many as pay, as the first trials show" if slots == AUTO else str(slots)

    def _other_study(self, recorded: RecordedSweep) -> str | None:
        """The study that has taken over the folder in the meantime, if any."""
        now = known_record(self.folder)
        return None if now is None or now.identity == recorded.record.identity else now.study

    def _conclude(self, recorded: RecordedSweep, use: SlotUse) -> None:
        if (other := self._other_study(recorded)) is not None:
            return print(wrapped(printable(f"no summary: {self.folder} now belongs to study {other}")))
        notes = use_notes(use, None if self.settings.slots == AUTO else self.settings.slots)
        lines = write_summary(recorded, notes)
        for note in notes:
            print(wrapped(note))
        if (sentence := about_pauses(recorded.trials())) is not None:
            print(wrapped(sentence))
        if lines:
            best, summary = recorded.best_trials()[0], printable(str(self.folder / "summary.md"))
            value = f"trial {best.number}: {best.values[0]:.6g}"
            shown = recorded.best_in_words() if recorded.has_several_objectives else value
            print(labelled("best", f"{shown}; see {summary}"))
            print("\n".join(how_to_run(recorded, lines)), flush=True)
        return None


def _objectives_in_words(goal: Goal) -> str | None:
    """Several objectives with their directions; None if there is only one."""
    if isinstance(goal, str):
        return None
    return ", ".join(f"{direction} {name}" for name, direction in goal.items())


def use_notes(use: SlotUse, slots: int | None) -> list[str]:
    """Sentences on how busy the slots were, if their number was fixed, and what a trial costs besides its training."""
    notes = []
    if slots is not None and (share := utilisation(use, slots)) is not None:
        notes.append(f"Slots were in use {share:.1%} of the time.")
    if use.overheads:
        before, after = (sorted(one)[len(one) // 2] for one in zip(*use.overheads, strict=True))
        notes.append(
            f"A trial takes {before:.2f} s from ask to first step, which includes what any run does before training"
            f" (its configuration, data and model), and {after:.2f} s from last step to tell (medians)."
        )
    return notes


def _instantiated(setting: Any, name: str, **more: Any) -> Any:
    """The object that `hydra.sweeper.<name>` describes.

    Raises:
        UsageError: it cannot be created.
    """
    try:
        return created(setting, **more)
    except Exception as error:  # Hydra's, or of the class that is instantiated
        reason = " ".join(str(error.__cause__ or error).split())
        raise UsageError(f"hydra.sweeper.{name}: {reason}") from None


def set_foreign_aside(folder: Path, identity: str) -> None:
    """Renames the files that another study has left in a sweep's folder, and prints their new names.

    Raises:
        UsageError: that study still runs on this machine.
    """
    before = known_record(folder)
    if before is not None and before.identity == identity:
        return
    running = before is not None and bool(before.controller) and lives((*before.controller,))
    if running or any(is_in_use(one) for one in folder.iterdir() if one.name.isdecimal()):
        raise UsageError(f"{folder}: a running sweep of another study writes here; choose another hydra.sweep.dir")
    moved = [rename_to_backup(folder / name).name for name in (RECORD, *FILES) if (folder / name).exists()]
    if moved:
        print(wrapped(f"{folder} belongs to another study: its files are renamed to {', '.join(moved)}"))


def _typed_entry() -> str:
    """The module or script that typing the same command line again would run."""
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is not None:
        return str(main.__spec__.name)  # type: ignore[union-attr]
    return str(Path(sys.argv[0]).resolve())
