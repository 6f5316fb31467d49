"""Recorded learning curves of a grid: `python -m hydra_pruning_sweeper.replay.curves SWEEP FILE` writes a sweep's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import plural
from hydra_pruning_sweeper.study.space import Parameter, Space, parameter
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, open_sweep

DIGITS = 6  # of the recorded values


@dataclass(frozen=True)
class Curve:
    """The learning curve of a training that was not pruned.

    Args:
        settings: setting → value.
        values: the monitored metric after each epoch.
        seconds: the duration of each epoch, with its validation.
    """

    settings: dict[str, Any]
    values: list[float]
    seconds: list[float]


class Grid:
    """Curves of all combinations of some settings' values.

    Settings with three or more numbers are sampled by the numbers' positions, as integers from 0; others by value.

    Raises:
        UsageError: a combination is missing or has two curves, or curves differ in length.
    """

    def __init__(self, curves: Sequence[Curve]) -> None:
        if not curves:
            raise UsageError("no curves")
        self.epochs = len(curves[0].values)
        self.axes = {name: _values(one.settings[name] for one in curves) for name in curves[0].settings}
        self._curves = {self._key(one.settings): one for one in curves}
        size = prod(map(len, self.axes.values()))
        if not size == len(self._curves) == len(curves):
            count = len(self._curves)
            raise UsageError(
                f"{size} combinations must have a curve each, but {len(curves)} curves have {count} different ones"
            )
        if uneven := next((one for one in curves if len(one.values) != self.epochs), None):
            raise UsageError(f"{uneven.settings}: {len(uneven.values)} epochs, but others have {self.epochs}")

    def _key(self, settings: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(settings[name] for name in self.axes)

    @property
    def curves(self) -> list[Curve]:
        """All curves."""
        return list(self._curves.values())

    @property
    def space(self) -> Space:
        """The search space."""
        return Space([self._parameter(name, values) for name, values in self.axes.items()])

    def _parameter(self, name: str, values: list[Any]) -> Parameter:
        if self._is_ordered(name):
            return parameter(name, f"range(0,{len(values)})")
        return parameter(name, f"choice({','.join(map(str, values))})")

    def _is_ordered(self, name: str) -> bool:
        return len(self.axes[name]) > 2 and all(isinstance(one, int | float) for one in self.axes[name])

    def curve(self, chosen: Mapping[str, Any]) -> Curve:
        """The curve of the values that a sampler chose."""
        values = {name: self.axes[name][at] if self._is_ordered(name) else at for name, at in chosen.items()}
        return self._curves[self._key(values)]


def _values(values: Iterable[Any]) -> list[Any]:
    """The different values, numbers by size, others by their text."""
    different = list(dict.fromkeys(values))
    return sorted(different) if all(isinstance(one, int | float) for one in different) else sorted(different, key=str)


def recorded_curves(sweep: RecordedSweep) -> list[Curve]:
    """The curves of a sweep's complete trials."""
    curves = []
    for trial in sweep.trials():
        if trial.state == TrialState.COMPLETE:
            progress = sweep.progress(trial.number)
            steps = sorted(progress.raw)
            times = [progress.first_steps[0], *(progress.times[step] for step in steps)]
            values = [round(progress.raw[step], DIGITS) for step in steps]
            curves.append(Curve(dict(trial.params), values, [round(b - a, 3) for a, b in pairwise(times)]))
    return curves


def write_curves(path: Path, curves: Sequence[Curve]) -> None:
    """Writes a line per curve."""
    lines = sorted(json.dumps(asdict(one)) for one in curves)
    write_atomically(path, "".join(f"{line}\n" for line in lines))


def read_curves(path: Path) -> list[Curve]:
    """The curves in a file of `write_curves`.

    Raises:
        UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return [Curve(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """The command line."""
    sweep, path = map(Path, sys.argv[1:3])
    curves = recorded_curves(open_sweep(sweep))
    write_curves(path, curves)
    print(f"{plural(len(curves), 'curve')} of {sweep} written into {path}")


if __name__ == "__main__":
    main()
