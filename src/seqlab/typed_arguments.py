"""What is typed for a command: checked, and put in the words that Hydra takes. Nothing here imports torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from hydra_pruning_sweeper.messages import did_you_mean
from hydra_pruning_sweeper.quoting import quoted
from seqlab import paths
from seqlab.command_line import searchpath
from seqlab.errors import InputError
from seqlab.private_parts import with_hydra_composed

NULL = re.compile(r"(?<![^=(,])null(?![^),])")
"""A null of a command line: a value, or one of several."""
DASHED = re.compile(r"--([A-Za-z_][\w.-]*)(?:=(.*))?", re.DOTALL)
"""A setting that is typed like an option of other programs."""
HYDRAS_FLAGS = (
    *("help", "hydra-help", "version", "cfg", "resolve", "package", "run", "multirun", "shell-completion"),
    *("config-path", "config-name", "config-dir", "experimental-rerun", "info"),
)


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
