"""What `--help` prints of a command: its settings, with the comments of their files, and the groups that its
configuration names in `hydra.help.footer`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from hydra_pruning_sweeper.messages import wrapped
from seqlab import paths
from seqlab.command_line import searchpath
from seqlab.private_parts import options_of

WIDTH = 80
"""Columns of the settings, wherever they are printed."""

_SETTING = re.compile(r"( *)(\w+):(.*)")
_COMMENT = re.compile(r"(?:^|\s)# (.*)$")
_LEFT_OUT = ("defaults", "hydra")


def register_help() -> None:
    """Lets configurations write `${seqlab.groups:data,model}` for the options of these groups, a user's among them, and
    `${seqlab.settings:}` for the settings with comments.
    """
    OmegaConf.register_new_resolver("seqlab.groups", _groups, replace=True)
    OmegaConf.register_new_resolver("seqlab.settings", _settings, replace=True)


def _groups(*names: str) -> str:
    hydra: Any = HydraConfig.get()
    options = {name: sorted(options_of(name, hydra.job.config_name, searchpath(hydra))) for name in names}
    lines = [wrapped(f"{name}: {', '.join(some)}", indent=2) for name, some in options.items()]
    return "\n".join(["Groups (choose with group=option):", "", *lines, ""])


def _settings(*, _root_: DictConfig) -> str:
    """The composed settings, each with its comment: behind it where that fits, else above it."""
    own = OmegaConf.masked_copy(_root_, [str(key) for key in _root_ if key != "hydra"])
    comments = _all_comments(HydraConfig.get())
    lines = []
    for path, line in _with_paths(OmegaConf.to_yaml(own).splitlines()):
        comment = comments.get(path, "")
        indent = " " * (len(line) - len(line.lstrip()))
        if comment and len(line) + len(comment) + 4 > WIDTH:
            lines += textwrap.wrap(comment, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
            comment = ""
        lines.append(f"{line}  # {comment}" if comment else line)
    return "\n".join(lines).replace("$", "$$") + "\n"  # Hydra takes a single one for a placeholder of its own


def _with_paths(lines: list[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each line of a YAML text with the names of its setting, from the outermost; () for a line that begins none."""
    outer: list[tuple[int, str]] = []
    for line in lines:
        if (found := _SETTING.match(line)) is None:
            yield (), line
            continue
        indent = len(found[1])
        outer = [one for one in outer if one[0] < indent] + [(indent, found[2])]
        yield tuple(name for _, name in outer), line


def _all_comments(hydra: Any) -> dict[tuple[str, ...], str]:
    """The comments of seqlab's configurations that a command was composed of, by the names of their settings."""
    folder = paths.config_dir()
    chosen = {str(group): str(option) for group, option in hydra.runtime.choices.items() if option is not None}
    comments = _comments(folder / f"{hydra.job.config_name}.yaml", ())
    for group, option in chosen.items():
        comments |= _comments(folder / group / f"{option}.yaml", (group,)) if re.fullmatch(r"\w+", group) else {}
    return comments


def _comments(file: Path, package: tuple[str, ...]) -> dict[tuple[str, ...], str]:
    """The comments of a file's settings, after those of the files that it includes in the same package."""
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8")
    package = () if "@package _global_" in text else package
    included = re.findall(r"/(shared/\w+)@_here_", text)
    included += [f"{file.parent.name}/default"] if "defaults: [default," in text else []
    comments: dict[tuple[str, ...], str] = {}
    for name in included:
        comments |= _comments(paths.config_dir() / f"{name}.yaml", package)
    last: tuple[str, ...] = ()
    for path, line in _with_paths(text.splitlines()):
        found = _COMMENT.search(line)
        if path and path[0] not in _LEFT_OUT:
            last = (*package, *path)
            if found:
                comments[last] = found[1]
        elif found and last in comments and line.lstrip().startswith("#"):
            comments[last] += f" {found[1]}"
        elif path:
            last = ()
    return comments
