"""The figures of a sweep show its numbers where they belong."""

import optuna
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
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
    axes = Figure().subplots()
    assert draw(sweep, axes)
    return axes


def points(line):
    return list(zip(map(float, line.get_xdata()), map(float, line.get_ydata()), strict=True))


@pytest.mark.parametrize(
    ("direction", "best"),
    [("minimize", [(0, 5), (1, 3), (3, 2), (4, 2)]), ("maximize", [(0, 5), (1, 5), (3, 5), (4, 6)])],
)
def test_the_history_shows_the_best_complete_trial_so_far(made, direction, best):
    axes = drawn(sweep_plots.history, made(direction))
    assert points(axes.lines[0]) == best
    complete, pruned = (one.get_offsets().tolist() for one in axes.collections)
    assert complete == [[0, 5], [1, 3], [3, 2], [4, 6]]
    assert pruned == [[2, 4]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["complete", "pruned", "best so far"]


def test_curves_show_every_step_and_the_rungs(made):
    axes = drawn(sweep_plots.curves, made())
    assert [points(line) for line in axes.lines[:5]] == [
        [(1, 9.0 - number), (3, value)] for number, value in enumerate(VALUES)
    ]
    assert [line.get_xdata()[0] for line in axes.lines[5:]] == [1, 3]
    assert [to_rgba(line.get_color()) == to_rgba("tab:orange") for line in axes.lines[:5]] == [
        number == 2 for number in range(5)
    ]


@pytest.mark.parametrize(
    ("direction", "order"), [("minimize", [6.0, 5.0, 4.0, 3.0, 2.0]), ("maximize", [2.0, 3.0, 4.0, 5.0, 6.0])]
)
def test_coordinates_stand_between_the_bounds_and_the_best_is_the_darkest(made, direction, order):
    axes = drawn(sweep_plots.coordinates, made(direction))
    where = {  # value → rate in powers of ten, width, cell
        5.0: [0, 0, 0],
        3.0: [0.5, 0.25, 0.5],
        4.0: [1, 0.5, 1],
        2.0: [0.75, 0.75, 0],
        6.0: [0.25, 1, 0.5],
    }
    assert [line.get_ydata() for line in axes.lines] == [pytest.approx(where[value]) for value in order]
    shades = [line.get_alpha() for line in axes.lines]
    assert shades == sorted(shades)
    assert shades[-1] == 1
    labels = {(text.get_position()[0], text.get_text().strip()): text.get_position()[1] for text in axes.texts}
    assert labels == {
        **{(0, "0.0001"): 0, (0, "1"): 1, (1, "10"): 0, (1, "30"): 1},
        **{(2, "gru"): 0, (2, "lstm"): 0.5, (2, "rnn"): 1},
    }


def test_a_parameter_of_one_value_stands_in_the_middle():
    trial = create_trial(value=1.0, params={"width": 7}, distributions={"width": IntDistribution(7, 7)})
    assert sweep_plots._places("width", [trial])(7) == 0.5


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
        (sweep_plots.history, ("trial", "value")),
        (sweep_plots.curves, ("validation", "best so far")),
        (sweep_plots.importance, ("importance (PED-ANOVA)", "")),
    ],
)
def test_axes_are_named(made, draw, names):
    axes = drawn(draw, made())
    assert (axes.get_xlabel(), axes.get_ylabel()) == names


@pytest.mark.parametrize(
    ("draw", "title"),
    [
        (sweep_plots.curves, "learning curves; orange: pruned; dotted: rungs"),
        (sweep_plots.coordinates, "parallel coordinates; orange: pruned; the darker the better"),
    ],
)
def test_a_title_says_how_a_figure_is_read(made, draw, title):
    assert drawn(draw, made()).get_title() == title
