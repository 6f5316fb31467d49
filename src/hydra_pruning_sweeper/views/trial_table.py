"""The trials of a study as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import TrialState
from rich.console import Console

from hydra_pruning_sweeper.study.lease import LeaseWatch
from hydra_pruning_sweeper.study.pausing import pauses_of, promoted_after
from hydra_pruning_sweeper.text_table import TextTable
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, formatted, shown_values, state_of

PIPED = 10_000  # characters per line for whatever is not a terminal: rows must not be wrapped there


def table_console() -> Console:
    """A console for standard output. A table may be as wide as the terminal, or of any width in a pipe or a file."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPED
    return console


def trial_table(sweep: RecordedSweep, width: int) -> TextTable:
    """A row per trial, with a `*` at all that have the best value, or at the Pareto trials; names of parameters are
    shortened if the full names do not fit into `width` characters."""
    trials, watch = sweep.trials(), LeaseWatch(60.0)
    best = [one.values for one in sweep.best_trials()]
    names = sweep.parameters()
    pauses = ["promoted after"] if any(map(pauses_of, trials)) else []
    heads = ["trial", "state", "step", *sweep.objectives, *pauses, *names]
    table = TextTable(heads, "r" * len(heads))
    for one in trials:
        values = (formatted(one.params[name]) if name in one.params else "" for name in names)
        rungs = [" ".join(map(str, promoted_after(one))) for _ in pauses]
        is_best = one.state == TrialState.COMPLETE and one.values in best
        facts = f"{one.number} *" if is_best else str(one.number), state_of(one, watch), str(one.last_step or 0)
        style = "dim" if one.state == TrialState.FAIL else None
        table.add(*facts, *shown_values(sweep, one), *rungs, *values, style=style)
    if table.width > width:
        short = short_names(names)
        table.heads = [short.get(head, head) for head in table.heads]
    return table


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Each dotted name → its shortest end that no other name has: `lr` for `optimizer.lr`."""
    ends = {name: _ends(name) for name in names}
    every = [end for one in ends.values() for end in one]
    return {name: next((end for end in ends[name] if every.count(end) == 1), name) for name in names}


def _ends(name: str) -> list[str]:
    """A dotted name's ends, the shortest first: `c`, `b.c` and `a.b.c`."""
    words = name.split(".")
    return [".".join(words[at:]) for at in reversed(range(len(words)))]
