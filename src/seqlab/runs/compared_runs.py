"""The runs of a multirun, grouped by what they differ in besides their seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra_pruning_sweeper.differences import differences, listed
from hydra_pruning_sweeper.messages import printable
from seqlab.config.plain import kept_overrides
from seqlab.errors import InputError
from seqlab.folders import ERROR, OVERRIDES, RESULT
from seqlab.natural_order import natural_path
from seqlab.runs.description import description
from seqlab.runs.json_checks import read_file
from seqlab.runs.result import RunResult
from seqlab.runs.run_folder import name_and_value
from seqlab.runs.seed_groups import compared_overrides, seed_groups

APART = "apart by"
"""The heading of what differs between runs that have the same overrides."""
Figure = Callable[[RunResult], float | None]
"""A number of a result; None where the result does not have it."""


@dataclass(frozen=True)
class Run:
    """A run that ended: the name of its folder, its overrides, and its result or why it failed."""

    name: str
    overrides: dict[str, str]
    result: RunResult | None
    error: str | None

    @property
    def seed(self) -> str:
        """The seed; that of a failed run as it was typed, "" if it was not."""
        return str(self.result.seed) if self.result else self.overrides.get("seed", "")


@dataclass(frozen=True)
class Setting:
    """Runs that differ in nothing but their seed.

    Args:
        label: by override, the value that sets these runs apart from others; the name of the runs where none does.
    """

    label: dict[str, str]
    runs: list[Run]

    @property
    def results(self) -> list[RunResult]:
        """The results of the runs that finished."""
        return [run.result for run in self.runs if run.result]

    def values(self, figure: Figure) -> list[float]:
        """A figure of every finished run that has it."""
        return [value for result in self.results if (value := figure(result)) is not None]


def settings_of(multirun: Path) -> list[Setting]:
    """The runs below `multirun`, grouped by setting, in the order of the first run of each.

    Raises:
        InputError: there is no run that has finished or failed.
    """
    return grouped(multirun, read_runs(multirun)[0])


def read_runs(multirun: Path) -> tuple[list[Run], list[str]]:
    """The runs that have ended, in natural order, and a line on each run whose files cannot be read."""
    names = [path.parents[1].relative_to(multirun) for path in multirun.rglob(OVERRIDES)]
    runs, unread = [], []
    for name in sorted(names, key=natural_path):
        try:
            runs += [run] if (run := _run(multirun, name)) else []
        except InputError as problem:
            unread.append(printable(str(problem)))
    return runs, unread


def grouped(multirun: Path, runs: Sequence[Run]) -> list[Setting]:
    """The runs by setting, in the order of the first run of each.

    Raises:
        InputError: there are none.
    """
    if not runs:
        raise InputError(f"{multirun}: no runs here that have ended; expected the folder of a multirun")
    overridden = dict.fromkeys(name for run in runs for name in compared_overrides(run.overrides))
    varied = [name for name in overridden if len({run.overrides.get(name) for run in runs}) > 1]
    groups = seed_groups(runs, lambda run: tuple(run.overrides.get(name) for name in varied), lambda run: run.result)
    keys = list(dict.fromkeys(key for key, _ in groups))
    groups.sort(key=lambda group: keys.index(group[0]))
    name = next((run.result.name for run in runs if run.result), "")
    labels = [{n: v or "" for n, v in zip(varied, key, strict=True)} or {"setting": name} for key, _ in groups]
    if len(keys) < len(groups):
        first: dict[tuple[str | None, ...], list[Run]] = {}
        for label, (key, members) in zip(labels, groups, strict=True):
            label[APART] = _differences(first.setdefault(key, members), members)
    return [Setting(label, members) for label, (_, members) in zip(labels, groups, strict=True)]


def _differences(first: Sequence[Run], others: Sequence[Run]) -> str:
    """What sets runs apart from the first ones of the same overrides, such as edited data; "" for these themselves."""
    if others is first:
        return ""
    one, other = (next(run.result for run in runs if run.result) for runs in (first, others))
    return listed(differences(description(one), description(other)))


def _run(multirun: Path, name: Path) -> Run | None:
    """The run in a folder; None while it has neither finished nor failed."""
    folder = multirun / name
    finished = (folder / RESULT).exists()
    if not (finished or (folder / ERROR).exists()):
        return None
    try:
        error = None if finished else read_file(folder / ERROR).decode("utf-8").strip()
    except UnicodeDecodeError as problem:
        raise InputError(f"{folder / ERROR}: not UTF-8 ({problem.reason})") from None
    overrides = dict(map(name_and_value, kept_overrides(folder)))
    return Run(str(name), overrides, RunResult.read(folder) if finished else None, error)
