"""Typing a multirun's line again continues it: which folder holds the multirun of that line, and whether it still is.

A multirun's folder keeps its line, what each of its runs was composed of, and the code. Only a line that gives the same
runs with the same code continues it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.differences import Difference, differences, listed
from seqlab.config.multirun import GridRun
from seqlab.config.plain import kept_overrides, resolved
from seqlab.errors import InputError
from seqlab.folders import LINE, RESULT
from seqlab.identity import changes_on_resuming
from seqlab.runs.result import RunResult
from seqlab.runs.run_folder import name_and_value


@dataclass(frozen=True)
class TypedLine:
    """The line of a multirun.

    Args:
        overrides: as typed, without Hydra's own settings and those of how runs begin.
        code: the hash of the code.
        runs: what it composes to.
    """

    overrides: tuple[str, ...]
    code: str
    runs: tuple[GridRun, ...]

    def write(self, folder: Path) -> None:
        """Writes it into the folder of the multirun."""
        write_atomically(folder / LINE, json.dumps(asdict(self), ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: Path) -> TypedLine:
        """The line of the multirun in a folder.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        try:
            content = json.loads((folder / LINE).read_text(encoding="utf-8"))
            runs = tuple(
                GridRun(one["number"], tuple(one["overrides"]), one["subfolder"], dict(one["settings"]))
                for one in content["runs"]
            )
            return cls(tuple(content["overrides"]), content["code"], runs)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder / LINE}: not the line of a multirun ({type(error).__name__})") from None

    def varied(self) -> dict[int, tuple[str, ...]]:
        """By the number of each run, those of its overrides that not all runs have."""
        common = set.intersection(*(set(run.overrides) for run in self.runs))
        return {run.number: tuple(one for one in run.overrides if one not in common) for run in self.runs}


def changes_since(folder: Path, line: TypedLine) -> list[Difference] | None:
    """What differs between the multirun in a folder and the one that a line describes now; None if its line is another.

    Settings with which one of its runs was resumed by hand are among it.
    """
    try:
        before = TypedLine.read(folder)
    except InputError:
        return None
    if before.overrides != line.overrides:
        return None
    found = {
        name: Difference(name, one.old, one.new)
        for old, new in zip(before.runs, line.runs, strict=False)
        for one in differences(old.settings, new.settings)
        for name in [one.name]
    }
    found |= {one.name: one for one in differences({"code": before.code}, {"code": line.code})}
    count = differences({"runs": len(before.runs)}, {"runs": len(line.runs)})
    by_hand = [one for run in before.runs for one in _changed_by_hand(folder / run.subfolder, run)]
    return [*found.values(), *count, *by_hand]


def _changed_by_hand(folder: Path, run: GridRun) -> list[Difference]:
    """What was typed beside `resume=` for a run of a multirun."""
    if (folder / RESULT).is_file():
        try:
            resumed = RunResult.read(folder).resumed
        except InputError as error:
            return [Difference(f"run {run.number}", str(error), "a result")]
        return [Difference(f"run {run.number} was resumed", one, "as typed") for one in changes_on_resuming(resumed)]
    more = [one for one in kept_overrides(folder) if one not in run.overrides]
    # Values that the data chose for themselves are added where the settings leave them open.
    typed = [name_and_value(one) for one in more]
    return [
        Difference(f"run {run.number}: {name}", value, before)
        for name, value in typed
        if (before := resolved(run.settings, name)) is not None
    ]


def folder_to_continue(line: TypedLine, folders: Iterable[Path]) -> tuple[Path | None, str | None]:
    """The newest folder whose multirun the line continues.

    Returns:
        That folder, or None; and a sentence on the newest multirun of the same line that it does not continue, if that
        is why there is none.
    """
    why = None
    newest = sorted(folders, key=lambda one: (one / LINE).stat().st_mtime, reverse=True)
    for folder in newest:
        changes = changes_since(folder, line)
        if changes == []:
            return folder, None
        if changes and why is None:
            why = f"{folder} is of this line, but {listed(changes)}"
    return None, why
