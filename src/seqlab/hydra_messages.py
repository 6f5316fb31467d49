"""Hydra's messages in one line each, with advice that works for seqlab's commands. Nothing here imports torch."""

from __future__ import annotations

import difflib
import re
import sys
from dataclasses import fields
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_pruning_sweeper.messages import did_you_mean, printable
from hydra_pruning_sweeper.study.addresses import hidden
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from seqlab import paths
from seqlab.config.settings import without_tokenizer

MISSING = re.compile(r"Missing mandatory value: (\w+).*")
NO_VALUE = re.compile(r"Error parsing override '([^']*)' missing EQUAL .*")
NOT_A_MULTIRUN = re.compile(
    r"(?:Ambiguous value for argument|Sweep parameters) '(.*)' (1\. To use it as a list, .*|requires --multirun)"
)
RENAMED_SHARED = re.compile(r"(In '[^']+': Could not load '_(\w+)')\.")
NULL_OPTION = "Config group override must be a string or a list. Got NoneType"
NO_OPTION = re.compile(r"In '([^']+)': Could not find '(\w+)/([^']+)' Available options in '\w+': (.*)")
PARTS = {"logger": "logger.tensorboard", "callbacks": "callbacks.progress"}
"""Of groups whose parts may be left out, one of these parts."""
UNKNOWN_OF_SWEEPER = re.compile(
    r"ConfigKeyError raised while composing config: Key '([^']+)' not in 'ComposedSettings'.*"
)
UNKNOWN_SETTING = re.compile(r"Could not override '([^']+)'\. .*To append to your (?:config|default list) use .*")


def one_line(error: Exception) -> str:
    """What an error says, in one line: of Hydra's own, what to type instead."""
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


def without_advice(reason: str, config_name: str) -> str:
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
