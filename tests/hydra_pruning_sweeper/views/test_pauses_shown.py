"""What is shown of trials that are paused and promoted."""

import csv
import io

import matplotlib
import matplotlib.pyplot
import optuna
import pytest
from matplotlib.colors import to_rgba
from optuna.distributions import FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState, create_trial
from rich.console import Console
from sweeper_support.terminal import table_on_terminal

from hydra_pruning_sweeper.execution.observer import Slot
from hydra_pruning_sweeper.execution.outcome import Outcome
from hydra_pruning_sweeper.study.lease import Lease
from hydra_pruning_sweeper.study.pausing import PAUSES
from hydra_pruning_sweeper.study.record import SweepRecord
from hydra_pruning_sweeper.study.shared_study import LeasedTrial
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.study.trial_command import TrialCommand
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.views import command, sweep_plots
from hydra_pruning_sweeper.views.live_table import LiveTable
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep
from hydra_pruning_sweeper.views.study_list import overview
from hydra_pruning_sweeper.views.sweep_plots import starts_without_gaps
from hydra_pruning_sweeper.views.sweep_summary import about_pauses, summary, trials_csv

NOON = 1_900_000_000.0


@pytest.fixture(autouse=True)
def _utc(monkeypatch):
    monkeypatch.setattr("time.time", lambda: NOON)
    monkeypatch.setenv("TZ", "UTC")
    __import__("time").tzset()
    matplotlib.use("agg")
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture
def sweep(tmp_path):
    """Four trials: complete after two promotions, paused, promoted and paused again, pruned at the end."""
    store = StudyStorage(str(tmp_path / "journal.log"))
    study = optuna.create_study(study_name="s", storage=store.storage)
    rows = [
        (TrialState.COMPLETE, 0.25, {1: 3.0, 3: 1.0, 9: 0.25}, [(1, 10.0, 20.0), (3, 30.0, 40.0)]),
        (TrialState.RUNNING, None, {1: 5.0}, [(1, 50.0, None)]),
        (TrialState.RUNNING, None, {1: 2.0, 3: 1.5}, [(1, 15.0, 25.0), (3, 60.0, None)]),
        (TrialState.PRUNED, 4.0, {1: 4.0}, [(1, 12.0, None)]),
    ]
    for state, value, reported, pauses in rows:
        kept = [{"step": s, "paused": NOON + a, "promoted": b and NOON + b} for s, a, b in pauses]
        study.add_trial(
            create_trial(
                state=state,
                value=value,
                params={"x": 0.5},
                distributions={"x": FloatDistribution(0, 1)},
                intermediate_values=reported,
                user_attrs={PAUSES: kept},
            )
        )
    record = SweepRecord("s", store.url, "minimize", 9, rungs=[1, 3])
    record.write(tmp_path)
    return RecordedSweep(record, tmp_path, store)


def test_status_says_where_each_trial_was_promoted_from(sweep, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    command.status(sweep)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[:5] == [
        ["trial", "state", "step", "value", "promoted", "after", "x"],
        ["0", "*", "complete", "9", "0.25", "1", "3", "0.5"],
        ["1", "paused", "1", "5", "0.5"],
        ["2", "paused", "3", "1.5", "1", "0.5"],
        ["3", "pruned", "1", "4", "0.5"],
    ]
    assert [" ".join(line) for line in lines[6:]] == [
        "2 of 9 trials finished, 2 paused, 0 failed; best: 0.25 (trial 0)",
        "4 trials were paused, 2 of them promoted; 2 of them still are.",
    ]


def test_the_page_ends_with_what_was_paused(sweep):
    text = summary(sweep, {}, [])
    assert "1 trial complete, 1 pruned, 0 failed, 0 running, 2 paused, of 9; 7 validations in all. Paused after" in text
    assert text.split("\n\n")[-2:] == [
        "| trial | paused after | value there | paused at | promoted at |\n"
        "| ---: | ---: | ---: | --- | --- |\n"
        "| 0 | 1 | 3 | 2030-03-17 17:46:50 | 2030-03-17 17:47:00 |\n"
        "| 3 | 1 | 4 | 2030-03-17 17:46:52 |  |\n"
        "| 2 | 1 | 2 | 2030-03-17 17:46:55 | 2030-03-17 17:47:05 |\n"
        "| 0 | 3 | 1 | 2030-03-17 17:47:10 | 2030-03-17 17:47:20 |\n"
        "| 1 | 1 | 5 | 2030-03-17 17:47:30 |  |\n"
        "| 2 | 3 | 1.5 | 2030-03-17 17:47:40 |  |",
        "4 trials were paused, 2 of them promoted; 2 of them still are.\n",
    ]
    assert about_pauses([]) is None


def test_the_file_has_every_pause_and_the_seconds_in_a_slot(sweep, monkeypatch):
    for at, event, owner in (
        *((0.0, "started", "me"), (4.0, "told", "me")),
        *((9000.0, "started", "me"), (9003.5, "told", "me")),
    ):
        monkeypatch.setattr("time.time", lambda at=at: NOON + at)
        TrialEvents(sweep.folder / "0").add(event, owner=owner, slot=0)
    rows = list(csv.DictReader(io.StringIO(trials_csv(sweep))))
    assert [row["state"] for row in rows] == ["complete", "paused", "paused", "pruned"]
    assert [row["paused after"] for row in rows] == ["1;3", "1", "1;3", "1"]
    assert rows[2]["paused at"] == "2030-03-17 17:46:55;2030-03-17 17:47:40"
    assert [row["promoted at"] for row in rows[2:]] == ["2030-03-17 17:47:05;", ""]
    assert [row["seconds"] for row in rows] == ["7.5", "", "", ""]


def test_the_list_of_studies_counts_them(sweep):
    assert overview(sweep.folder).states == {"complete": 1, "paused": 2, "pruned": 1}


@pytest.fixture
def screen(sweep, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    one = LiveTable(sweep, terminal=False)
    one.console = Console(file=io.StringIO(), highlight=False, soft_wrap=True)
    return one


def leased(number, *promoted, **more):
    lease = Lease("me", "here", 1, None)
    return LeasedTrial(number, {"x": 0.5}, TrialCommand(), lease, adopted=True, promoted=promoted, **more)


def test_a_line_says_that_a_trial_is_paused_or_promoted(screen):
    screen.started(leased(0, 1, 3, is_promotion=True), 0)
    screen.started(leased(0, 1, 3), 0)  # it had died
    screen.ended(2, Outcome(TrialState.RUNNING, paused_after=3))
    first, second, third = screen.console.file.getvalue().splitlines()
    assert first == "trial   0  promoted after 3: x=0.5"
    assert second == "trial   0  continued: x=0.5"
    assert third.startswith("trial   2  paused after 3: 1.5   best 0.25 (trial 0), 2/9, 2 paused, about ")


def test_the_live_table_ends_with_the_paused_trials(sweep, monkeypatch):
    screen = table_on_terminal(monkeypatch, sweep)
    screen.refresh([Slot(0, leased(0, 1, is_promotion=True)), Slot(1)])
    head, *rows = screen.shown()
    screen.close()
    assert [row[head.index("settings") :] for row in rows] == ["promoted after 1: x=0.5", "", "paused: 1, 2"]


def test_the_history_goes_to_the_last_trial(sweep):
    with matplotlib.rc_context(), pytest.warns(ExperimentalWarning):
        axes = sweep_plots.history(sweep)
    (best,) = axes.lines
    assert (list(best.get_xdata()), list(best.get_ydata())) == ([0, 1, 2, 3], [0.25] * 4)
    assert axes.collections[-1].get_offsets().tolist() == [[1, 5], [2, 1.5], [3, 4]]
    assert axes.get_title() == "s: history; orange: pruned or paused"


def test_curves_have_a_circle_per_pause(sweep):
    axes = sweep_plots.curves(sweep)
    circles = [(one.get_offsets().tolist()[0], one.get_facecolor()[0].tolist()) for one in axes.collections]
    full, empty = to_rgba("tab:blue"), to_rgba("white")
    assert [at for at, _ in circles] == [[1, 3], [3, 1], [1, 5], [1, 2], [3, 1.5], [1, 4]]
    assert [tuple(face) for _, face in circles[:3]] == [full, full, empty]
    assert axes.get_title().endswith("pruned or paused; dotted: rungs; circles: paused, full ones: promoted")


def test_the_use_of_slots_leaves_out_the_time_when_nobody_ran(sweep, monkeypatch):
    for at, event, owner in (
        *((-5.0, "started", "here:1:a"), (10.0, "told", "here:1:a")),  # paused
        *((20.5, "started", "here:1:a"), (22.0, "told", "here:1:a")),  # promoted
        *((9020.0, "started", "here:2:b"), (9024.0, "told", "here:2:b")),  # promoted again
        *((9024.5, "started", "here:2:b"), (9030.0, "told", "here:2:b")),  # continued after a kill
    ):
        monkeypatch.setattr("time.time", lambda at=at: NOON + at)
        TrialEvents(sweep.folder / "0").add(event, owner=owner, slot=0)
    axes = sweep_plots.slots(sweep)
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert bars == [pytest.approx(one) for one in ((0, 15), (25.5, 1.5), (27, 4), (31.5, 5.5))]
    assert [text.get_text() for text in axes.texts] == [" 0", " 0↑", " 0↑", " 0"]
    assert [line.get_xdata()[0] for line in axes.lines] == [27]


def test_only_long_gaps_are_left_out():
    assert starts_without_gaps([(0.0, 10.0), (5.0, 8.0), (70.0, 80.0)]) == [(0.0, 0.0)]
    spans = [(100.0, 110.0), (105.0, 200.0), (1000.0, 1010.0), (1005.0, 1006.0), (2000.0, 2001.0)]
    assert starts_without_gaps(spans) == [(100.0, 0.0), (1000.0, 100.0), (2000.0, 110.0)]
