"""What `hydra.sweeper` holds, with its defaults: the schema of `hydra/sweeper=seqlab`."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class SweeperSettings:
    """What `hydra.sweeper` holds. Trials are Hydra runs in `hydra.sweep.dir`, in folders named by their numbers."""

    _target_: str = MISSING
    _recursive_: bool = False

    # The study's name is part of the experiment: brackets of Hyperband are drawn from it.
    study: str = "sweep"
    # Whether a study that was begun as another search (space, settings, sampler …) goes on as this one.
    continue_anyway: bool = False
    direction: Any = "minimize"
    # Setting → sweep, or → {sweep: …, when: condition, sets: {setting: expression}}. What the command line fixes, or
    # sweeps, wins.
    space: dict[str, Any] = field(default_factory=dict)
    # Expressions over settings that all trials keep to: model.width % model.heads == 0
    constraints: list[str] = field(default_factory=list)
    # Trials that are complete or pruned in the end, in total: over restarts and over all machines.
    n_trials: int = 20
    # Trials at a time.
    slots: int = 1
    # Whether trial 0 is the configuration as it stands.
    baseline: bool = True
    # Of the search, not of training.
    seed: int = 0
    # Any of Optuna's. A sampler that takes a seed gets one.
    sampler: Any = field(default_factory=lambda: {"_target_": "optuna.samplers.TPESampler"})
    # Hyperband's max_resource must be the number of validations of a full training; null: no pruning.
    pruner: Any = None
    # null: a journal in the sweep's folder; the path of one; postgresql://…, mysql://…, sqlite:///FILE, grpc://HOST:PORT
    storage: Any = None
    # Share of n_trials that may fail for good; after that nothing more is begun.
    max_failure_rate: float = 0.2
    # How often a trial that failed is tried again, under a new number.
    max_retry: int = 1
    # Seconds without a line of output or a report after which a trial counts as hanging; null: it never does.
    max_silence: Any = None
    # Seconds after which a controller on another machine that gives no sign counts as dead.
    lease: float = 120.0
    # What runs a trial, package.module:function; null: what was typed.
    entry: Any = None
    # Modules that all trials' processes have imported already.
    preload: list[str] = field(default_factory=list)
    # Settings of a run that change what it shows and logs, not its result: controllers of one study may differ in them.
    not_compared: list[str] = field(default_factory=list)
    # Overrides that every trial gets besides its own.
    trial: list[str] = field(default_factory=list)
    # How a trial that died goes on: when the file (in its folder) is there, the setting is given the folder.
    checkpoint: Any = None
    resume: str = "resume"
    # Cores, and cards, are divided among the slots.
    threads: Any = None
