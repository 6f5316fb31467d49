"""The settings in `hydra.sweeper` and their defaults."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class SweeperSettings:
    """The settings in `hydra.sweeper`. Each trial is a Hydra run in a folder of `hydra.sweep.dir`."""

    _target_: str = MISSING
    _recursive_: bool = False

    # The study's name is part of the experiment: brackets of Hyperband are drawn from it.
    study: str = "${hydra.job.name}"
    # Whether to continue a study as this search although it was begun as another (space, settings, sampler …).
    continue_anyway: bool = False
    # Of several objectives, without pruning: {NAME: minimize, OTHER: maximize}. The task returns a mapping that has
    # these names, or a number for each. A list, [minimize, maximize], is for a task that returns a list.
    direction: Any = "minimize"
    # Setting → sweep, or → {sweep: …, when: condition, sets: {setting: expression}}. What the command line fixes, or
    # sweeps, wins.
    params: dict[str, Any] = field(default_factory=dict)
    # Conditions over settings that all trials satisfy: model.width % model.heads == 0
    constraints: list[str] = field(default_factory=list)
    # Trials that are to be complete or pruned in the end, in total over restarts and all machines.
    n_trials: int = 20
    # Seconds after which no further trial is started; the same line goes on. null: no limit.
    timeout: Any = None
    # No further trial is started once so many have ended since the best one did. null: no limit.
    patience: Any = None
    # Values to try first, after the baseline: [{setting: value, …}, …]. What an entry does not set is sampled.
    enqueue: list[Any] = field(default_factory=list)
    # Folders of other studies, from whose trials the sampler learns.
    warm_start: Any = None
    # Trials that run at a time; auto: as many as memory, cores and the speed that is measured allow.
    slots: Any = 1
    # GPUs that a trial gets, where there are any.
    gpus: int = 1
    # Whether trial 0 has the configuration's own values.
    baseline: bool = True
    # The search's seed, not that of training.
    seed: int = 0
    # Any of Optuna's samplers. One that takes a seed gets one.
    sampler: Any = field(default_factory=lambda: {"_target_": "optuna.samplers.TPESampler"})
    # Hyperband's max_resource must be the number of validations of a full training; null: no pruning. One that pauses
    # trials (hydra_pruning_sweeper.study.pausing.PauseAndPromote) needs `checkpoint`.
    pruner: Any = None
    # null: a journal in the sweep's folder; the path of one; postgresql://…, mysql://…, sqlite:///FILE, grpc://HOST:PORT
    storage: Any = None
    # Share of n_trials that may fail for good; with more, no further trial is started.
    max_failure_rate: float = 0.2
    # How often a failed trial is retried, under a new number.
    max_retry: int = 1
    # Seconds without output or a report after which a trial counts as hanging; null: never.
    max_silence: Any = None
    # Seconds without a sign of life after which a controller on another machine counts as dead.
    lease: float = 120.0
    # What runs a trial, as package.module:function; null: the command that was typed.
    entry: Any = None
    # Modules that are imported once, in the process from which all trials are forked.
    preload: list[str] = field(default_factory=list)
    # Settings of a run that change what it shows and logs, not its result: controllers of one study may differ in them.
    not_compared: list[str] = field(default_factory=list)
    # Overrides for every trial, besides its values.
    trial: list[str] = field(default_factory=list)
    # How a killed trial continues: if its folder has the file `checkpoint`, the setting `resume` names the folder, or
    # that file where `resume_from` is "checkpoint".
    checkpoint: Any = None
    resume: str = "resume"
    resume_from: str = "folder"
    # package.module:function, called when the search has ended, with its folder and the number of its best trial; of
    # several objectives, with the list of the numbers of its Pareto trials.
    on_end: Any = None
    # Threads per slot; null: the cores divided by the slots, one with slots=auto.
    threads: Any = None


@dataclass
class ComposedSettings(SweeperSettings):
    """The settings as Hydra composes them: with an option of each group below `hydra/sweeper`."""

    defaults: list[Any] = field(default_factory=lambda: ["_self_", {"sampler": "tpe"}, {"pruner": "none"}])
