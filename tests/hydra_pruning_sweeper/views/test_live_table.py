"""What is shown of a sweep while it goes."""

import io
from unittest.mock import Mock

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from rich.console import Console
from sweeper_support.terminal import table_on_terminal

from hydra_pruning_sweeper.execution.observer import Slot
from hydra_pruning_sweeper.execution.outcome import Outcome
from hydra_pruning_sweeper.study.record import SweepRecord
from hydra_pruning_sweeper.study.shared_study import LeasedTrial
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.views import live_table
from hydra_pruning_sweeper.views.live_table import LiveTable
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep

NAMES = ["x", "model.cell", "data.x"]


@pytest.fixture
def sweep(tmp_path):
    """A sweep of three trials of six: complete, pruned, failed."""
    store = StudyStorage(str(tmp_path / "journal.log"))
    optuna.create_study(study_name="s", storage=store.storage)
    recorded = RecordedSweep(SweepRecord("s", store.url, "minimize", 6, rungs=[1, 3, 9]), tmp_path, store)
    for state, value in ((TrialState.COMPLETE, 0.123456), (TrialState.PRUNED, 2.0), (TrialState.FAIL, None)):
        add_trial(recorded, state, value)
    return recorded


def add_trial(sweep, state, value):
    """Adds a trial of three steps to a sweep's study."""
    optuna.load_study(study_name="s", storage=sweep.store.storage).add_trial(
        create_trial(
            state=state,
            value=value,
            params={"x": 0.5},
            distributions={"x": FloatDistribution(0, 1)},
            intermediate_values={} if value is None else {1: 3.0, 3: value},
        )
    )


@pytest.fixture
def screen(sweep, monkeypatch):
    """Its screen without a terminal, from time 50; its first trial started at 100. `screen.lines()` gives what was
    printed since."""
    monkeypatch.setattr(live_table.time, "time", lambda: 50.0)
    monkeypatch.setenv("COLUMNS", "120")
    one = LiveTable(sweep, NAMES, terminal=False)
    one.console = Console(file=io.StringIO(), highlight=False, soft_wrap=True)

    def lines():
        text = one.console.file.getvalue()
        one.console.file.seek(0)
        one.console.file.truncate()
        return text.splitlines()

    one.lines = lines
    one.preparing()
    monkeypatch.setattr(live_table.time, "time", lambda: 100.0)
    one.started(leased(0), 0)
    assert lines() == ["starting: trials begin when their libraries are loaded", "trial   0  x=0.1235 cell=[gru]"]
    return one


def leased(number, adopted=False):
    values = {"x": 0.123456, "model.cell": "[gru]"}
    return Mock(spec=LeasedTrial, number=number, values=values, adopted=adopted, is_promotion=False)


def test_a_trial_begins_or_goes_on(screen):
    screen.started(leased(3), 0)
    screen.started(leased(14, adopted=True), 1)
    screen.note("[bold] is no markup here")
    assert screen.lines() == [
        "trial   3  x=0.1235 cell=[gru]",
        "trial  14  continued: x=0.1235 cell=[gru]",
        "[bold] is no markup here",
    ]


def test_a_long_line_goes_on_below_its_text(screen, monkeypatch):
    monkeypatch.setenv("COLUMNS", "36")
    screen.started(leased(14, adopted=True), 1)
    assert screen.lines() == ["trial  14  continued: x=0.1235", "           cell=[gru]"]


def test_a_trial_ends(screen, monkeypatch):
    monkeypatch.setattr(live_table.time, "time", lambda: 130.0)
    screen.ended(0, Outcome(TrialState.COMPLETE, 0.123456))
    screen.ended(1, Outcome(TrialState.PRUNED))
    screen.ended(2, Outcome(TrialState.FAIL, error="[x] no"))
    rest = "best 0.1235 (trial 0), 2/6, about 2 min 0 s left"  # one trial took 30 s; four are left
    assert screen.lines() == [
        f"trial   0  complete after 3: 0.1235   {rest}",
        f"trial   1  pruned after 3: 2   {rest}",
        f"trial   2  failed after 0: [x] no   {rest}",
    ]


def test_the_time_left_counts_what_was_done_since_the_start(screen, sweep, monkeypatch):
    left = []
    for at, ended in ((110.0, 0), (120.0, 1), (130.0, 2), (140.0, 1)):  # two had ended before
        monkeypatch.setattr(live_table.time, "time", lambda at=at: at)
        for _ in range(ended):
            add_trial(sweep, TrialState.COMPLETE, 1.0)
        screen.ended(0, Outcome(TrialState.COMPLETE, 0.123456))
        left += [line.partition("(trial 0), ")[2] for line in screen.lines()]
    assert left == ["2/6, about 40 s left", "3/6, about 30 s left", "5/6, about 8 s left", "6/6"]


@pytest.fixture
def terminal(sweep, monkeypatch):
    screen = table_on_terminal(monkeypatch, sweep, NAMES)
    yield screen
    screen.close()


def test_the_table_has_a_row_a_slot(terminal, sweep):
    for step, value in ((1, 0.75), (2, 0.5)):
        TrialEvents(sweep.folder / "7").add("reported", step=step, value=value, raw=value)
    TrialEvents(sweep.folder / "8").add("reported", step=9, value=0.25, raw=0.25)
    terminal.refresh([Slot(0, leased(7)), Slot(1), Slot(2, leased(8)), Slot(3, leased(9))])
    assert terminal.shown() == [
        "slot  trial  step  best  next rung  settings",
        "   0      7     2   0.5          3  x=0.1235 cell=[gru]",
        "   1",
        "   2      8     9  0.25             x=0.1235 cell=[gru]",
        "   3      9     0                1  x=0.1235 cell=[gru]",
    ]


def test_the_table_stands_below_the_lines_until_the_screen_is_closed(terminal):
    table = ["slot  trial  step  best  next rung  settings", "   0      3     0                1  x=0.1235 cell=[gru]"]
    terminal.started(leased(3), 0)
    terminal.refresh([Slot(0, leased(3))])
    assert terminal.shown() == ["trial   3  x=0.1235 cell=[gru]", *table]
    terminal.note("a note")
    assert terminal.shown() == ["trial   3  x=0.1235 cell=[gru]", "a note", *table]
    terminal.close()
    assert terminal.shown() == ["trial   3  x=0.1235 cell=[gru]", "a note"]


def test_without_a_terminal_there_is_no_table(screen):
    screen.refresh([Slot(0, leased(7))])
    screen.close()
    assert screen.lines() == []


def test_the_table_is_drawn_again_once_a_second(sweep, monkeypatch):
    file, now = io.StringIO(), [100.0]
    monkeypatch.setattr(live_table, "Console", lambda **how: Console(file=file, force_terminal=True, width=99, **how))
    monkeypatch.setattr(live_table.time, "monotonic", lambda: now[0])
    screen = LiveTable(sweep, terminal=True)
    drawn = []
    for at in (100.0, 100.5, 101.5):
        now[0], before = at, file.tell()
        screen.refresh([Slot(0, leased(7)), Slot(1)])
        drawn.append("next rung" in file.getvalue()[before:])
    screen.close()
    assert drawn == [True, False, True]
