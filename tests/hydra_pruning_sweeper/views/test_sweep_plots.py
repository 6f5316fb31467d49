"""The figures of a sweep show its numbers where they belong."""

import matplotlib.pyplot
import optuna
import pytest
from matplotlib.colors import to_rgba
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from hydra_pruning_sweeper.study.record import SweepRecord
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.views import sweep_plots
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep

KINDS = {
    "rate": FloatDistribution(1e-4, 1.0, log=True),
    "width": IntDistribution(10, 30),
    "cell": CategoricalDistribution(["gru", "lstm", "rnn"]),
}
VALUES = [5.0, 3.0, 4.0, 2.0, 6.0]


@pytest.fixture
def made(tmp_path):
    """A sweep of five trials, the third of them pruned, as it is read from its folder."""

    def make(direction="minimize"):
        store = StudyStorage(str(tmp_path / direction / "journal.log"))
        study = optuna.create_study(study_name="s", storage=store.storage, direction=direction)
        rows = zip(
            VALUES, (1e-4, 1e-2, 1.0, 1e-1, 1e-3), (10, 15, 20, 25, 30), ("gru", "lstm", "rnn") * 2, strict=False
        )
        for number, (value, rate, width, cell) in enumerate(rows):
            study.add_trial(
                create_trial(
                    state=TrialState.PRUNED if number == 2 else TrialState.COMPLETE,
                    value=value,
                    params={"rate": rate, "width": width, "cell": cell},
                    distributions=KINDS,
                    intermediate_values={1: 9.0 - number, 3: value},
                )
            )
        return RecordedSweep(SweepRecord("s", store.url, direction, 5, rungs=[1, 3]), tmp_path / direction, store)

    return make


def drawn(draw, sweep):
    with matplotlib.rc_context():
        axes = draw(sweep)
    assert axes is not None
    return axes


@pytest.fixture(autouse=True)
def _no_windows():
    matplotlib.use("agg")
    yield
    matplotlib.pyplot.close("all")


def points(line):
    return list(zip(map(float, line.get_xdata()), map(float, line.get_ydata()), strict=True))


@pytest.mark.parametrize(
    ("direction", "best"),
    [("minimize", [5, 3, 3, 2, 2]), ("maximize", [5, 5, 5, 5, 6])],
)
def test_the_history_shows_the_best_complete_trial_so_far(made, direction, best):
    axes = drawn(sweep_plots.history, made(direction))
    assert points(axes.lines[0]) == list(enumerate(best))
    offsets = [one.get_offsets().tolist() for one in axes.collections]
    assert [[0, 5], [1, 3], [3, 2], [4, 6]] in offsets
    assert offsets[-1] == [[2, 4]]  # the pruned one


def test_curves_show_every_step_and_the_rungs(made):
    axes = drawn(sweep_plots.curves, made())
    assert [points(line) for line in axes.lines[:5]] == [
        [(1, 9.0 - number), (3, value)] for number, value in enumerate(VALUES)
    ]
    assert [line.get_xdata()[0] for line in axes.lines[5:]] == [1, 3]
    assert [to_rgba(line.get_color()) == to_rgba("tab:orange") for line in axes.lines[:5]] == [
        number == 2 for number in range(5)
    ]


def test_coordinates_have_a_line_per_complete_trial(made):
    axes = drawn(sweep_plots.coordinates, made())
    (lines,) = axes.collections
    assert len(lines.get_segments()) == 4
    assert sorted(lines.get_array().tolist()) == [2, 3, 5, 6]
    assert [text.get_text() for text in axes.get_xticklabels()][1:] == ["cell", "rate", "width"]


def test_importance_has_a_bar_per_parameter(made):
    axes = drawn(sweep_plots.importance, made())
    assert {text.get_text() for text in axes.get_yticklabels()} == set(KINDS)


def test_slots_have_their_trials_from_start_to_end(made, monkeypatch):
    sweep = made()
    for number, slot, times in ((0, 0, (100.0, 103.0)), (1, 1, (101.0, 105.0)), (2, 0, (104.0, 106.0))):
        for event, at in zip(("started", "last_step"), times, strict=True):
            monkeypatch.setattr("time.time", lambda at=at: at)
            facts = {"attempt": 1, "slot": slot, "owner": "here:1:a"} if event == "started" else {}
            TrialEvents(sweep.folder / str(number)).add(event, **facts)
    axes = drawn(sweep_plots.slots, sweep)
    bars = [(bar.get_x(), bar.get_width(), bar.get_y() + bar.get_height() / 2) for bar in axes.patches]
    assert bars == [pytest.approx(one) for one in ((0, 3, 0), (1, 4, 1), (4, 2, 0))]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["here:1 slot 0", "here:1 slot 1"]
    assert [text.get_text().strip() for text in axes.texts] == ["0", "1", "2"]
    assert axes.get_xlabel() == "seconds"


def test_nothing_is_drawn_of_nothing(tmp_path):
    store = StudyStorage(str(tmp_path / "journal.log"))
    optuna.create_study(study_name="s", storage=store.storage)
    assert sweep_plots.write_plots(RecordedSweep(SweepRecord("s", store.url, "minimize", 5), tmp_path, store)) == []


def test_plots_may_be_written_again(tmp_path):
    store = StudyStorage(str(tmp_path / "journal.log"))
    optuna.create_study(study_name="s", storage=store.storage)
    sweep = RecordedSweep(SweepRecord("s", store.url, "minimize", 5), tmp_path, store)
    assert [sweep_plots.write_plots(sweep) for _ in range(2)] == [[], []]
    assert (tmp_path / "plots").is_dir()


@pytest.mark.parametrize(
    ("draw", "names"),
    [
        (sweep_plots.history, ("Trial", "Objective Value")),
        (sweep_plots.curves, ("validation", "best so far")),
    ],
)
def test_axes_are_named(made, draw, names):
    axes = drawn(draw, made())
    assert (axes.get_xlabel(), axes.get_ylabel()) == names


@pytest.mark.parametrize(
    ("draw", "title"),
    [
        (sweep_plots.history, "s: history; orange: pruned"),
        (sweep_plots.curves, "learning curves; orange: pruned; dotted: rungs"),
        (
            sweep_plots.importance,
            "importance among complete trials only: biased, as trials that were pruned early are left out",
        ),
    ],
)
def test_a_title_says_how_a_figure_is_read(made, draw, title):
    assert drawn(draw, made()).get_title() == title
