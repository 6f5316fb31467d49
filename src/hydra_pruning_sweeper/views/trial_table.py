"""The trials of a study as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hydra_pruning_sweeper.messages import printable
from hydra_pruning_sweeper.study.lease import LeaseWatch
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, formatted, state_of

PIPED = 10_000  # characters per line for whatever is not a terminal: rows must not be wrapped there


def table_console() -> Console:
    """A console for standard output. A table may be as wide as the terminal, or of any width in a pipe or a file."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPED
    return console


def new_table(columns: Sequence[str], left: Sequence[str] = ()) -> Table:
    """An empty table without lines, whose columns are aligned to the right, except those in `left`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(Text(printable(name)), justify="left" if name in left else "right", overflow="fold")
    return table


def first_fitting(console: Console, tables: Sequence[Table]) -> Table:
    """The first table that is not wider than the console; if all are, the last, whose cells are then wrapped."""
    unlimited = console.options.update(max_width=PIPED)
    fitting = (one for one in tables if console.measure(one, options=unlimited).maximum <= console.width)
    return next(fitting, tables[-1])


def trial_table(sweep: RecordedSweep, console: Console) -> Table:
    """A row per trial, with a `*` at all that have the best value.

    Each parameter has a column, whose name is shortened where the full names do not fit into the console. Where that
    does not fit either, one column has all parameters, wrapped.
    """
    trials, best, watch = sweep.trials(), sweep.best(), LeaseWatch(60.0)
    names = sweep.parameters()
    short = short_names(names)
    columns = ("trial", "state", "step", "value")
    full, brief = new_table([*columns, *names]), new_table([*columns, *(short[name] for name in names)])
    wrapped = new_table([*columns, "settings"], left=["settings"])
    for one in trials:
        facts, style = _facts(one, best, watch), "dim" if one.state == TrialState.FAIL else None
        values = {name: formatted(value) for name, value in one.params.items()}
        cells = [*facts, *(values.get(name, "") for name in names)]
        full.add_row(*map(Text, cells), style=style)
        brief.add_row(*map(Text, cells), style=style)
        settings = " ".join(f"{printable(short[name])}={value}" for name, value in values.items())
        wrapped.add_row(*map(Text, (*facts, settings)), style=style)
    return first_fitting(console, [full, brief, wrapped])


def _facts(trial: FrozenTrial, best: FrozenTrial | None, watch: LeaseWatch) -> tuple[str, str, str, str]:
    """Number, state, step and value of a trial; a running one has the value that it reported last."""
    reported = trial.intermediate_values.get(trial.last_step) if trial.last_step is not None else None
    value = trial.value if trial.value is not None else reported
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
