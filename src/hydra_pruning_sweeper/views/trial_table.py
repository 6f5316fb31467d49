"""The trials of a study as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from hydra_pruning_sweeper.study.lease import LeaseWatch
from hydra_pruning_sweeper.study.pausing import pauses_of, promoted_after
from hydra_pruning_sweeper.text_table import TextTable
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, formatted, last_value, state_of

PIPED = 10_000  # characters per line for whatever is not a terminal: rows must not be wrapped there


def table_console() -> Console:
    """A console for standard output. A table may be as wide as the terminal, or of any width in a pipe or a file."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPED
    return console


def trial_table(sweep: RecordedSweep, width: int) -> TextTable:
    """A row per trial, with a `*` at all that have the best value; names of parameters are shortened if the full names
    do not fit into `width` characters."""
    trials, best, watch = sweep.trials(), sweep.best(), LeaseWatch(60.0)
    names = sweep.parameters()
    pauses = ["promoted after"] if any(map(pauses_of, trials)) else []
    heads = ["trial", "state", "step", "value", *pauses, *names]
    table = TextTable(heads, "r" * len(heads))
    for one in trials:
        values = (formatted(one.params[name]) if name in one.params else "" for name in names)
        rungs = [" ".join(map(str, promoted_after(one))) for _ in pauses]
        table.add(*_facts(one, best, watch), *rungs, *values, style="dim" if one.state == TrialState.FAIL else None)
    if table.width > width:
        short = short_names(names)
        table.heads = [short.get(head, head) for head in table.heads]
    return table


def _facts(trial: FrozenTrial, best: FrozenTrial | None, watch: LeaseWatch) -> tuple[str, str, str, str]:
    """Number, state, step and value of a trial; a running one has the value that it reported last."""
    value = last_value(trial)
    is_best = best is not None and trial.state == TrialState.COMPLETE and trial.value == best.value
    number = f"{trial.number} *" if is_best else str(trial.number)
    return number, state_of(trial, watch), str(trial.last_step or 0), "" if value is None else formatted(value)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Each dotted name → its shortest end that no other name has: `lr` for `optimizer.lr`."""
    ends = {name: _ends(name) for name in names}
    every = [end for one in ends.values() for end in one]
    return {name: next((end for end in ends[name] if every.count(end) == 1), name) for name in names}


def _ends(name: str) -> list[str]:
    """A dotted name's ends, the shortest first: `c`, `b.c` and `a.b.c`."""
    words = name.split(".")
    return [".".join(words[at:]) for at in reversed(range(len(words)))]
