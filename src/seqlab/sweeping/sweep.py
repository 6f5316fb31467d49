"""A sweep from Hydra's command line: what was typed becomes a study, its trials command lines like any other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seqlab.errors import InputError
from seqlab.sweeping.controller import Controller, Plan
from seqlab.sweeping.executor import Executor, ForkExecutor, slot_environment, slot_threads, visible_gpus
from seqlab.sweeping.handover import Handover
from seqlab.sweeping.ledger import Ledger, Rules, Taken
from seqlab.sweeping.live import Screen
from seqlab.sweeping.outcome import Use, utilisation
from seqlab.sweeping.proposals import sampler_factory
from seqlab.sweeping.pruning import rungs
from seqlab.sweeping.record import Record
from seqlab.sweeping.record import Sweep as Recorded
from seqlab.sweeping.settings import Settings
from seqlab.sweeping.space import Parameter, Space, parameter
from seqlab.sweeping.storage import Store, store_url
from seqlab.sweeping.summary import write_summary

WARM = "seqlab.sweeping.warm"
HOOK = "++hydra.callbacks.seqlab_sweeper._target_=seqlab.sweeping.hook.TellResult"
OF_THE_SWEEP = (
    "hydra.sweeper",
    "hydra/sweeper",
    "hydra.sweep",
    "hydra.run.dir",
    "hydra.mode",
    "hydra.launcher",
    "hydra/launcher",
)


class Sweep:
    """A study from `config.hydra.sweeper` and the command line's `arguments`.

    Raises:
        InputError: settings that cannot be used.
    """

    def __init__(self, config: DictConfig, arguments: list[str], context: HydraContext, task: TaskFunction) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.config, self.context, self.task = config, context, task
        self.settings = _settings(config)
        self.folder = Path(config.hydra.sweep.dir)
        self.fixed, typed = divided(arguments)
        self.space = space_of(self.settings, self.fixed, typed, base_of(config))
        self.store = Store(store_url(self.settings.storage, self.folder))

    def run(self) -> float | None:
        """Runs the trials that the study lacks; gives the best value."""
        settings = self.settings
        self.folder.mkdir(parents=True, exist_ok=True)
        pruner = instantiate(settings.pruner) if settings.pruner else None
        rules = Rules(settings.n_trials, settings.max_retry, settings.max_failure_rate, patience=settings.lease)
        ledger = Ledger(
            self.store,
            settings.study,
            settings.direction,
            self.space,
            rules,
            sampler_factory(instantiate(settings.sampler, _partial_=True)),
            pruner,
            settings.seed,
            self._baseline(),
        )
        record = self._record()
        record.write(self.folder)
        recorded = Recorded(record, self.folder, self.store)
        self._announce(recorded)
        screen = Screen(recorded)
        controller = Controller(ledger, self._executor(), self._plan(), screen)
        try:
            controller.run()
        finally:
            screen.close()
            self._conclude(recorded, controller.use)
        best = recorded.best()
        return None if best is None else best.value

    def _baseline(self) -> dict[str, Any] | None:
        if not self.settings.baseline:
            return None
        try:
            return self.space.baseline()
        except InputError as error:
            print(f"no baseline: {error}")
            return None

    def _record(self) -> Record:
        flags = typed_flags(sys.argv[1:])
        secret = self.store.shown != self.store.url
        return Record(
            study=self.settings.study,
            storage=None if secret else self.store.url,
            direction=self.settings.direction,
            trials=self.settings.n_trials,
            rungs=rungs(self.settings.pruner),
            program=sys.argv[0],
            config_name=str(self.config.hydra.job.config_name),
            flags=flags,
            fixed=self.fixed,
            choices=dict(self.config.hydra.runtime.choices),
        )

    def _executor(self) -> Executor:
        if "BasicLauncher" not in str(self.config.hydra.launcher.get("_target_")):
            from seqlab.sweeping.launchers import LauncherExecutor

            return LauncherExecutor(self.config, self.context, self.task, self.settings.slots)
        entry = self.settings.entry or _typed_entry()
        threads = self._threads()
        return ForkExecutor(entry, sys.argv[0], [WARM, *self.settings.preload], slot_environment(0, threads, ()))

    def _threads(self) -> int:
        return self.settings.threads or slot_threads(self.settings.slots)

    def _plan(self) -> Plan:
        settings = self.settings
        threads, gpus = self._threads(), visible_gpus()
        handover = Handover(
            settings.study, self.store.url, pruner=settings.pruner or None, direction=settings.direction
        )
        return Plan(
            self.folder,
            settings.slots,
            self.arguments,
            handover,
            lambda slot: slot_environment(slot, threads, gpus),
            beat=settings.lease / 4,
            silence=settings.max_silence,
        )

    def arguments(self, taken: Taken, folder: Path) -> list[str]:
        """The command line of a trial."""
        typed = [str(one) for one in self.config.hydra.overrides.hydra]
        kept = [one for one in typed if not one.lstrip("+~").startswith(OF_THE_SWEEP)]
        into = f"hydra.run.dir='{folder.resolve()}'"
        line = [*typed_flags(sys.argv[1:]), *self.fixed, *self.settings.trial, *self.space.arguments(taken.values)]
        resumed = self.settings.checkpoint is not None and (folder / self.settings.checkpoint).is_file()
        return [*line, *([f"{self.settings.resume}='{folder.resolve()}'"] if resumed else []), *kept, into, HOOK]

    def _announce(self, recorded: Recorded) -> None:
        done = len(recorded.trials())
        print(
            f"study       {self.settings.study}: {self.settings.n_trials} trials" + (f", {done} begun" if done else "")
        )
        print(f"space       {', '.join(one.name for one in self.space.parameters)}")
        if recorded.record.rungs:
            print(f"pruning     after {', '.join(map(str, recorded.record.rungs))}")
        print(f"slots       {self.settings.slots}, of {self._threads()} threads each")
        print(f"kept in     {self.folder} and {self.store.shown}")
        print(f"watch with  optuna-dashboard {self.store.shown}", flush=True)

    def _conclude(self, recorded: Recorded, use: Use) -> None:
        notes = use_notes(use, self.settings.slots)
        line = write_summary(recorded, notes)
        for note in notes:
            print(note)
        best = recorded.best()
        if line is not None and best is not None:
            print(f"best        trial {best.number}: {best.value:.6g}; see {self.folder / 'summary.md'}")
            print(f"run it with {line}", flush=True)


def use_notes(use: Use, slots: int) -> list[str]:
    """How the time was used, in sentences."""
    notes = []
    if (share := utilisation(use, slots)) is not None:
        notes.append(f"Slots were in use {share:.1%} of the time.")
    if use.overheads:
        before, after = (sorted(one)[len(one) // 2] for one in zip(*use.overheads, strict=True))
        notes.append(
            f"A trial takes {before:.2f} s from ask to first step, which holds what any run does before it trains (its"
            f" configuration, data and model), and {after:.2f} s from last step to tell (medians)."
        )
    return notes


def _settings(config: DictConfig) -> Settings:
    try:
        plain = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    except OmegaConfBaseException as error:
        raise InputError(f"hydra.sweeper: {' '.join(str(error).split())}") from None
    assert isinstance(plain, dict)
    settings = Settings(**{str(name): value for name, value in plain.items()})
    if settings.direction not in ("minimize", "maximize"):
        raise InputError(f"hydra.sweeper.direction must be minimize or maximize, but is {settings.direction}")
    for name in ("n_trials", "slots"):
        if getattr(settings, name) < 1:
            raise InputError(f"hydra.sweeper.{name} must be at least 1, but is {getattr(settings, name)}")
    return settings


def divided(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The overrides that are the same for all trials, and the sweeps."""
    parsed = OverridesParser.create().parse_overrides(arguments)
    sweeps = [text for text, one in zip(arguments, parsed, strict=True) if one.is_sweep_override()]
    return [text for text in arguments if text not in sweeps], sweeps


def space_of(settings: Settings, fixed: list[str], typed: list[str], base: Callable[[str], Any]) -> Space:
    """The space: the settings', but for what the command line fixes, or sweeps in another way.

    Raises:
        InputError: it is empty, or a sweep is none.
    """
    named = {text.partition("=")[0].lstrip("+~") for text in (*fixed, *typed)}
    parameters: list[Parameter] = []
    for key, sweep in settings.space.items():
        if key.lstrip("+") in named:
            continue
        how = sweep if isinstance(sweep, Mapping) else {"sweep": sweep}
        if not {"sweep"} <= set(how) <= {"sweep", "when", "sets"}:
            raise InputError(f"hydra.sweeper.space.{key} must be a sweep, or have the keys sweep, when and sets")
        parameters.append(parameter(key, str(how["sweep"]), how.get("when"), how.get("sets", {})))
    for text in typed:
        key, _, sweep = text.partition("=")
        parameters.append(parameter(key, sweep))
    if not parameters:
        raise InputError("nothing to search: choose +sweeps=NAME, or type KEY=interval(…), choice(…) or range(…)")
    return Space(parameters, settings.constraints, base)


def base_of(config: DictConfig) -> Callable[[str], Any]:
    """Gives the configuration's own value of a setting, or the option of a group."""
    choices = config.hydra.runtime.choices

    def base(name: str) -> Any:
        return choices[name] if name in choices else OmegaConf.select(config, name)

    return base


def typed_flags(arguments: list[str]) -> list[str]:
    """The flags of a command line that say which configurations there are."""
    from hydra._internal.utils import get_args_parser

    typed, _ = get_args_parser().parse_known_args(arguments)
    names = ("config_path", "config_name", "config_dir")
    return [f"--{name.replace('_', '-')}={value}" for name in names if (value := getattr(typed, name))]


def _typed_entry() -> str:
    """What runs when the command line is typed again: a module, or a script."""
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is not None:
        return str(main.__spec__.name)  # type: ignore[union-attr]
    return str(Path(sys.argv[0]).resolve())
