"""From a Hydra command line to an exit code. Nothing here imports torch."""

from __future__ import annotations

import difflib
import errno
import functools
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.errors import ExecutionError, UsageError
from hydra_pruning_sweeper.messages import did_you_mean, error_lines, labelled, printable
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.quoting import quoted
from hydra_pruning_sweeper.study.addresses import hidden
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE
from seqlab import paths
from seqlab.command_help import register_help
from seqlab.command_line import SLOTS_LAUNCHER, searchpath
from seqlab.config.settings import check_files, without_tokenizer
from seqlab.errors import Carried, FailedRunsError, InputError, StoppedError
from seqlab.extras import install_line, not_installed
from seqlab.folders import ERROR, leave_nothing
from seqlab.interrupts import raise_again
from seqlab.private_parts import let_errors_through, run_once, share_config_store, with_hydra_composed

# Errors of a path that cannot be written to: no space, no permission, another file in the way.
UNUSABLE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
}
UNKNOWN_OF_SWEEPER = re.compile(
    r"ConfigKeyError raised while composing config: Key '([^']+)' not in 'ComposedSettings'.*"
)

NOT_A_MULTIRUN = re.compile(
    r"(?:Ambiguous value for argument|Sweep parameters) '(.*)' (1\. To use it as a list, .*|requires --multirun)"
)
DASHED = re.compile(r"--([A-Za-z_][\w.-]*)(?:=(.*))?", re.DOTALL)
"""A setting that is typed like an option of other programs."""
HYDRAS_FLAGS = (
    *("help", "hydra-help", "version", "cfg", "resolve", "package", "run", "multirun", "shell-completion"),
    *("config-path", "config-name", "config-dir", "experimental-rerun", "info"),
)
NO_VALUE = re.compile(r"Error parsing override '([^']*)' missing EQUAL .*")

MISSING = re.compile(r"Missing mandatory value: (\w+).*")
UNKNOWN_SETTING = re.compile(r"Could not override '([^']+)'\. .*To append to your (?:config|default list) use .*")

NULL = re.compile(r"(?<![^=(,])null(?![^),])")
"""A null of a command line: a value, or one of several."""
NO_OPTION = re.compile(r"In '([^']+)': Could not find '(\w+)/([^']+)' Available options in '\w+': (.*)")
PARTS = {"logger": "logger.tensorboard", "callbacks": "callbacks.progress"}
"""Of groups whose parts may be left out, one of these parts."""
NULL_OPTION = "Config group override must be a string or a list. Got NoneType"

RENAMED_SHARED = re.compile(r"(In '[^']+': Could not load '_(\w+)')\.")


def added(arguments: list[str], group: str) -> list[str]:
    """The command line with `++` before settings of `group`, so that ones the configuration lacks are added.

    Hydra would refuse those and advise a `+`; the code that takes the settings names the ones it knows instead.
    """
    return [f"++{argument}" if argument.startswith(f"{group}.") else argument for argument in arguments]


def nulls_named(arguments: list[str], config_name: str) -> list[str]:
    """The command line with options that Hydra knows in place of `GROUP=null`, which it does not take for one.

    A group that the command leaves out, so that `--help` prints it as null, gets its option `none`; without such an
    option the argument does nothing, so it is dropped. Elsewhere null becomes a text, which no option is called: what
    Hydra raises then names the options.
    """
    if not any(NULL.search(argument) for argument in arguments):
        return arguments
    defaults: Any = OmegaConf.to_container(OmegaConf.load(paths.config_dir() / f"{config_name}.yaml"))
    groups = {name: option for one in defaults["defaults"] if isinstance(one, dict) for name, option in one.items()}
    groups |= {"tokenizer": "the dataset's"} if "data" in groups else {}
    groups |= {"sweeps": "one that is added"} if config_name == "train" else {}
    return [new for argument in arguments if (new := _null_named(argument, groups)) is not None]


def _null_named(argument: str, groups: Mapping[str, str | None]) -> str | None:
    group, _, value = argument.partition("=")
    if (name := group.lstrip("+")) not in groups:
        return argument
    if groups[name] not in (None, "none"):
        return group + "=" + NULL.sub("'null'", value)
    if (paths.config_dir() / name / "none.yaml").is_file():
        return f"{group}={NULL.sub('none', value)}"
    return None if value == "null" else argument


def check_spelling(arguments: list[str]) -> None:
    """Checks that settings are typed as `name=value`, in one word and without dashes.

    Raises:
        InputError: one is not; the message says what to type.
    """
    for index, argument in enumerate(arguments):
        before = arguments[index - 1] if index else ""
        after = arguments[index + 1] if index + 1 < len(arguments) else ""
        if argument.startswith("="):
            value = argument[1:] or after
            raise InputError(f"{before} {argument}: no blanks around the equals sign; type {before}={value or '…'}")
        if argument.endswith("=") and after and "=" not in after and not after.startswith(("-", "~")):
            raise InputError(f"{argument} {after}: no blanks around the equals sign; type {argument}{after}")
        if (found := DASHED.fullmatch(argument)) and not any(flag.startswith(found[1]) for flag in HYDRAS_FLAGS):
            value = found[2] or ("" if "=" in after or after.startswith("-") else after) or "…"
            raise InputError(f"{argument}: settings have no dashes; type {found[1]}={value}")


def refuse_unknown() -> None:
    """Refuses a setting that was added with a + under a name that the configuration lacks: nothing would read it.

    Raises:
        InputError: no setting or group has such a name.
    """
    run = HydraConfig.get()
    overrides = [one.lstrip("+") for one in run.overrides.task if one.startswith("+")]
    names = {one.partition("=")[0].partition("@")[0].partition(".")[0]: one for one in overrides}
    # Only seqlab-train reads a group that is not among its defaults: that of searches.
    read = _groups(run) if run.job.config_name == "train" else set()
    unknown = {name: one for name, one in names.items() if "/" not in name and name not in read}
    if not unknown:
        return
    plain = with_hydra_composed(run.job.config_name, searchpath(run))
    groups = read or _groups(plain.hydra)
    known = sorted(({str(name) for name in plain} | {name for name in groups if "/" not in name}) - {"hydra"})
    for name, typed in unknown.items():
        if name not in known:
            meant = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise InputError(f"{typed}: no setting or group is named {name}{meant}")


def _groups(hydra: Any) -> set[str]:
    """The groups of which Hydra has composed an option."""
    return {name.partition("@")[0] for name in hydra.runtime.choices}


def verbatim(arguments: list[str], key: str) -> list[str]:
    """The command line with the value of `key=` quoted for Hydra: commas, quotes and brackets are part of the text."""
    start = f"{key}="
    return [start + quoted(one.removeprefix(start)) if one.startswith(start) else one for one in arguments]


def import_from_here() -> None:
    """Adds the current folder to the module search path, after all installed packages, so that it replaces none."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)


def before_torch_is_loaded() -> None:
    """Sets what torch and its OpenMP read from the environment when they are loaded, unless the user has set it."""
    # torch then allocates large tensors in large pages, which Linux hands out far faster.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # A thread that waits for the others spins for milliseconds by default. Where other work has their cores, it spins
    # through all of its time: beside two busy processes a step of 26 ms took 4.6 s. With a short spin before it sleeps,
    # the step takes 0.08 s there, and on an idle machine as long as before.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def prepare() -> None:
    """Prepares this process for a command: what torch reads, what the sweeper calls things, resolvers."""
    before_torch_is_loaded()
    NAMES.command, NAMES.storage_variable = "seqlab-sweep", "SEQLAB_STORAGE"
    NAMES.install_dashboard, NAMES.install_matplotlib = install_line("optuna_dashboard"), install_line("matplotlib")
    NAMES.check, NAMES.launcher = check_files, SLOTS_LAUNCHER
    share_config_store()
    register_help()


def run_command(config_name: str, task: Callable[[DictConfig], Any], own_code: bool = True) -> None:
    """Composes `conf/<config_name>.yaml` with the command line and calls `task` with it.

    Bad input (a setting, a file) ends with one message and exit code 2, a run that cannot continue with one and exit
    code 1, a stopped run with 130. HYDRA_FULL_ERROR=1 shows the traceback instead, except after a stop. If a run of a
    multirun fails for any reason, the others continue, and the exit code is 1 (see `Comparison`); stopping one run
    stops all. A trial of a sweep raises its error, so that the sweep learns the reason.

    Args:
        own_code: whether modules in the current folder may be imported. Commands that read bundles written by others
            allow it only if the user trusts some package (`import_from_here`).
    """
    if own_code:
        import_from_here()
    full = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")
    let_errors_through()
    prepare()
    if TRIAL_VARIABLE in os.environ:  # a trial is a single run, though its configuration is a search's
        run_once()

    started = False

    @functools.wraps(task)
    def quietly(config: DictConfig) -> Any:
        nonlocal started
        started = True
        if HydraConfig.get().mode == RunMode.MULTIRUN and TRIAL_VARIABLE not in os.environ:
            _announce_run()
        try:
            return call_task(task, config)
        except KeyboardInterrupt:  # before training has begun, or in a command that leaves nothing
            if TRIAL_VARIABLE not in os.environ:
                leave_nothing(Path(HydraConfig.get().runtime.output_dir))
            raise
        except Exception as error:
            foreseen = _exit_code(error) is not None and not full
            multirun = HydraConfig.get().mode == RunMode.MULTIRUN
            leaves = _exit_code(error) == InputError.exit_code or isinstance(error, StoppedError)
            if not multirun and leaves and TRIAL_VARIABLE not in os.environ:
                leave_nothing(Path(HydraConfig.get().runtime.output_dir))
            launched = multirun and TRIAL_VARIABLE in os.environ
            if isinstance(error, BrokenPipeError):  # the reader of the output has gone
                raise Carried(error) from error
            if multirun and not isinstance(error, StoppedError):
                _note_failure(error, foreseen)
                if not launched:
                    return None
            if (multirun or foreseen) and not launched:  # after an Exception Hydra would start the next run
                raise Carried(error) from error
            raise

    try:
        raise_again()
        check_spelling(sys.argv[1:])
        sys.argv[1:] = nulls_named(sys.argv[1:], config_name)
        hydra.main(version_base="1.3", config_path=str(paths.config_dir()), config_name=config_name)(quietly)()
    except (Carried, Exception) as stop:
        error = stop.error if isinstance(stop, Carried) else stop
        if isinstance(error, BrokenPipeError):  # the reader of the output (head, less) has gone
            _drop_output()
            sys.exit(1)
        code = _exit_code(error)
        if code is None and not started and isinstance(error, ValueError):  # Hydra's message about its own flags
            code = InputError.exit_code
        shown = isinstance(error, StoppedError | FailedRunsError)  # a sweep recognises a stop by its code
        if code is None or (full and not shown):
            raise
        try:
            sys.stdout.flush()
        except OSError:  # the disk is full, as the line below says
            _drop_output()
        label = "stopped" if isinstance(error, StoppedError) else "error"
        print(error_lines(reason_of(error, config_name), label), file=sys.stderr)
        sys.exit(code)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(StoppedError.exit_code)


def _announce_run() -> None:
    """Prints which run of a multirun begins, with its settings."""
    run = HydraConfig.get()
    print(*[""] * bool(run.job.num), labelled(f"run {run.job.num}", " ".join(run.overrides.task)), sep="\n", flush=True)


def call_task(task: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    """Calls the task. A missing module of an extra becomes bad input, with the line that installs it."""
    try:
        return task(config)
    except ModuleNotFoundError as error:
        raise not_installed(error, HydraConfig.get().job.name) or error from error


def _drop_output() -> None:
    """Discards what is still to be written to standard output: writing it at exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _note_failure(error: Exception, foreseen: bool) -> None:
    """Reports that one run of a multirun failed, on the screen and in its folder."""
    sys.stdout.flush()
    if not foreseen:
        traceback.print_exception(error)
    reason = _one_line(error) if _exit_code(error) is not None else f"{type(error).__name__}: {_one_line(error)}"
    print(error_lines(f"run {HydraConfig.get().job.num}: {reason}"), file=sys.stderr)
    write_atomically(Path(HydraConfig.get().runtime.output_dir) / ERROR, reason + "\n")


def _exit_code(error: Exception) -> int | None:
    if isinstance(error, (UsageError, ExecutionError)):
        return error.exit_code
    if isinstance(error, OSError) and error.errno in UNUSABLE:
        return InputError.exit_code
    return InputError.exit_code if isinstance(error, (HydraException, OmegaConfBaseException)) else None


def reason_of(error: Exception, config_name: str) -> str:
    """Why a command ends, in one line."""
    return _without_advice(_one_line(error), config_name)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in UNUSABLE:
        return f"{error.filename or 'output'}: {str(error.strerror).lower()}"
    text = " ".join(str(error).split("Config search path:")[0].split())
    text = MISSING.sub(r"\1 is not set; type \1=…", text)
    text = NO_VALUE.sub(r"\1: no value; type \1=…", text)
    text = NOT_A_MULTIRUN.sub(_several_values, text)
    text = RENAMED_SHARED.sub(_shared_now, text)
    text = text.replace(NULL_OPTION, "null is no option of a group; --help names those that there are")
    text = NO_OPTION.sub(_options_named, text)
    return printable(hidden(UNKNOWN_OF_SWEEPER.sub(_nearest_of_sweeper, text)))


def _several_values(found: re.Match[str]) -> str:
    """Hydra's message about several values without -m, which takes several lines, in one."""
    name, _, values = found[1].partition("=")
    what = "a search" if any("sweeps=" in one for one in sys.argv[1:]) else "one run per value"
    advice = f"{found[1]}: several values; add -m for {what}"
    is_group = (paths.config_dir() / name.lstrip("+")).is_dir()
    if is_group or not found[2].startswith("1."):
        return advice
    return f"{advice}, or type {name}=[{values}] for a list, \"{name}='{values}'\" for a text with commas"


def _shared_now(found: re.Match[str]) -> str:
    """Hydra's message about a missing file, with its new name if experiments share it: those files were moved."""
    is_shared = (paths.config_dir() / "shared" / f"{found[2]}.yaml").is_file()
    return f"{found[1]}; it is now shared/{found[2]}" if is_shared else found[0]


def _options_named(found: re.Match[str]) -> str:
    """Hydra's message about an unknown option of a group, with the options in a sentence."""
    inside, group, option, known = found.groups()
    options = ", ".join(one for one in known.split() if option != "null" or one != "none")
    where = f"{inside}: " if "/" in inside else ""
    if option == "null":
        part = f"; {PARTS[group]}=null leaves out a part of it" if group in PARTS else ""
        return f"{group}=null: this group cannot be left out; choose one of {options}{part}"
    return f"{where}{group}={option}: no such option; choose one of {options}{did_you_mean(option, known.split())}"


def _without_advice(reason: str, config_name: str) -> str:
    """A reason without Hydra's advice to add an unknown setting with a +, which would be refused.

    The most similar known name is given instead.
    """
    if (found := UNKNOWN_SETTING.fullmatch(reason)) is None:
        return reason
    parts, at = found[1].split("."), 0
    try:
        with initialize_config_dir(str(paths.config_dir()), version_base="1.3"):
            if parts[0] == "tokenizer" and (chosen := _chosen_data(config_name)) is not None:
                return without_tokenizer(chosen)
            known: Any = compose(config_name)
        while at < len(parts) - 1 and OmegaConf.is_dict(known) and parts[at] in known:
            known, at = known[parts[at]], at + 1
    except (HydraException, OmegaConfBaseException):
        known = None
    names = list(map(str, known)) if OmegaConf.is_dict(known) else []
    before, after = ("".join(f"{one}." for one in parts[:at]), "".join(f".{one}" for one in parts[at + 1 :]))
    meant = did_you_mean(parts[at], names, before, after)
    if len(parts) == 1 and not meant and OmegaConf.is_dict(known):
        meant = _deeper(parts[0], known)
    if options := _options_with(parts):
        meant = f"; {parts[0]}={', '.join(options)} {'has' if len(options) == 1 else 'have'} it"
    return f"no setting or group is named {found[1]}{meant}"


def _deeper(name: str, known: Any) -> str:
    """A setting of a group that is named nearly so: `epochs` is `trainer.max_epochs`."""
    groups: Any = OmegaConf.to_container(known)  # with interpolations, which may be resolved in a run only
    inner = {str(key): f"{group}.{key}" for group, part in groups.items() if isinstance(part, dict) for key in part}
    nearest = difflib.get_close_matches(name, inner, n=1)
    return f"; did you mean {inner[nearest[0]]}?" if nearest else ""


def _options_with(parts: list[str]) -> list[str]:
    """The options of a group that have a setting which the chosen one lacks."""
    if len(parts) != 2:
        return []
    files = sorted((paths.config_dir() / parts[0]).glob("*.yaml"))
    return [file.stem for file in files if f"\n{parts[1]}:" in file.read_text(encoding="utf-8")]


def _chosen_data(config_name: str) -> str | None:
    """The option of `data` that the command line chooses; None if the command has no such group."""
    others = [one for one in sys.argv[1:] if "=" in one and not one.lstrip("+").startswith(("tokenizer", "-"))]
    hydras: Any = compose(config_name, others, return_hydra_config=True).hydra
    return hydras.runtime.choices.get("data")


def _nearest_of_sweeper(found: re.Match[str]) -> str:
    """Hydra's message about an unknown setting in a search's file, worded as the sweeper's about a typed one."""
    known = [one.name for one in fields(SweeperSettings)]
    return f"hydra.sweeper.{found[1]}: no such setting{did_you_mean(found[1], known)}"
