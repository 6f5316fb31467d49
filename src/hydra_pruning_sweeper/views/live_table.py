"""The display of a running sweep: a line per event, and on a terminal a table of the slots below them."""

from __future__ import annotations

import bisect
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from optuna.trial import TrialState
from rich.console import Console
from rich.live import Live
from rich.text import Text

from hydra_pruning_sweeper.execution.observer import Slot, SweepObserver
from hydra_pruning_sweeper.execution.outcome import Outcome
from hydra_pruning_sweeper.messages import duration, printable, wrapped
from hydra_pruning_sweeper.study.pausing import is_paused
from hydra_pruning_sweeper.study.shared_study import LeasedTrial
from hydra_pruning_sweeper.text_table import TextTable
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, formatted, last_value
from hydra_pruning_sweeper.views.trial_table import short_names

WORDS = {
    **{TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"},
    TrialState.RUNNING: "paused",  # which Optuna does not know
}
EVERY = 1.0  # seconds between two updates of the table


class LiveTable(SweepObserver):
    """Displays a running sweep.

    Args:
        sweep: the sweep.
        names: the names of all its parameters, which lines and table shorten.
        terminal: whether to show the table; None: if standard output is a terminal.
    """

    def __init__(self, sweep: RecordedSweep, names: Sequence[str] = (), terminal: bool | None = None) -> None:
        self.sweep = sweep
        self._short = short_names(names)
        self.console = Console(highlight=False, soft_wrap=True)
        self._live: Live | None = None
        if sys.stdout.isatty() if terminal is None else terminal:
            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()
        self._updated = 0.0
        self._start: float | None = None
        self._done_before: int | None = None

    def preparing(self) -> None:
        """Prints why nothing runs yet."""
        self._line("starting: trials begin when their libraries are loaded")

    def started(self, leased: LeasedTrial, slot: int) -> None:
        """Prints a trial's values."""
        self._start = self._start or time.time()  # what was loaded before takes no part in the time left
        self._line(f"trial {leased.number:>3}  {_how_it_starts(leased)}{self._settings(leased)}")

    def ended(self, number: int, outcome: Outcome) -> None:
        """Prints how a trial ended or where it was paused, the best so far, and how many trials are done."""
        trials = self.sweep.trials()
        trial = trials[number]
        values = trial.values
        if outcome.paused_after is not None and (last := last_value(trial)) is not None:
            values = [last]
        after = f"after {trial.last_step or 0}{'' if values is None else f': {self.sweep.in_words(values)}'}"
        text = f"trial {number:>3}  {WORDS[outcome.state]} {after}"
        if outcome.error:
            text += f": {outcome.error}"
        done = sum(one.state in (TrialState.COMPLETE, TrialState.PRUNED) for one in trials)
        best = self.sweep.best_in_words(listed=0)
        shown = "none complete yet" if best is None else best if self.sweep.has_several_objectives else f"best {best}"
        paused = sum(map(is_paused, trials))
        waiting = f", {paused} paused" if paused else ""
        self._line(f"{text}   {shown}, {done}/{self.sweep.record.trials}{waiting}{self._left(done + paused)}")

    def note(self, text: str) -> None:
        """Prints a line."""
        self._line(text)

    def refresh(self, slots: Sequence[Slot]) -> None:
        """Updates the table, at most once per second."""
        if self._live is not None and time.monotonic() - self._updated > EVERY:
            self._updated = time.monotonic()
            self._live.update(self._table(slots).cut_to_fit(self.console.width), refresh=True)

    def close(self) -> None:
        """Removes the table."""
        if self._live is not None:
            self._live.stop()

    def _line(self, text: str) -> None:
        self.console.print(Text(wrapped(printable(text), indent=len("trial   0  "))))

    def _settings(self, leased: LeasedTrial) -> str:
        """A trial's values in one line."""
        return " ".join(f"{self._short.get(name, name)}={formatted(value)}" for name, value in leased.values.items())

    def _left(self, done: int) -> str:
        if self._done_before is None:
            self._done_before = done - 1
        now = time.time()
        each = (now - (self._start or now)) / (done - self._done_before or 1)
        seconds = each * (self.sweep.record.trials - done)
        return f", about {duration(seconds)} left" if done < self.sweep.record.trials else ""

    def _table(self, slots: Sequence[Slot]) -> TextTable:
        value = "reported" if self.sweep.has_several_objectives else "best"
        table = TextTable(["slot", "trial", "step", value, "next rung", "settings"], "rrrrrl")
        for slot in slots:
            if slot.leased is None:
                table.add(str(slot.number))
                continue
            reported = TrialEvents(Path(self.sweep.folder) / str(slot.leased.number)).read().reported
            step = max(reported, default=0)
            rungs = self.sweep.record.rungs
            ahead = rungs[bisect.bisect_right(rungs, step) :]
            best = formatted(reported[step]) if step else ""
            row = (slot.number, slot.leased.number, step, best, ahead[0] if ahead else "")
            table.add(*map(str, row), f"{_how_it_starts(slot.leased)}{self._settings(slot.leased)}")
        if paused := [str(one.number) for one in self.sweep.trials() if is_paused(one)]:
            table.add(*[""] * 5, f"paused: {', '.join(paused)}")
        return table


def _how_it_starts(leased: LeasedTrial) -> str:
    """What is written before a trial's settings; nothing before those of a new one."""
    if leased.is_promotion:
        return f"promoted after {leased.promoted[-1]}: "
    return "continued: " if leased.adopted else ""
