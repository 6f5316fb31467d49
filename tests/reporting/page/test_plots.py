"""Curves over seeds, against epochs, compute and time; quality by length."""

from dataclasses import replace

import pytest
from reporting.page.made_up import digest

from seqlab.reporting.page.figures import EMPHASISED, REST
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.plots import by_length, learning, over_seeds


def group(model, *runs, id=None):
    return RunGroup(id or model, "C", model, model, False, False, "seqlab-train", list(runs))


def test_a_line_over_seeds_is_their_mean_as_far_as_all_came():
    points, band = over_seeds([[(1, 2.0), (2, 4.0)], [(1, 4.0), (2, 5.0), (3, 9.0)]])
    assert points == [(1, 3.0), (2, 4.5)] and band == [(2.0, 4.0), (4.0, 5.0)]


def test_one_seed_has_no_band():
    assert over_seeds([[(1, 2.0)]]) == ([(1, 2.0)], [])


def test_loss_is_shown_against_epochs_compute_and_time():
    figures = {one.id.split("-")[0]: one for one in learning([group("gru", digest("gru", 1), digest("gru", 3))])}
    assert list(figures) == ["train", "val", "compute", "time"]
    assert [row[0] for row in figures["val"].rows] == ["1", "2", "3", "4", "5"]
    assert figures["val"].rows[0][1] == "5.52"  # the mean of 5.51 and 5.53
    assert [row[0] for row in figures["compute"].rows] == ["1", "2", "3", "4", "5"]  # TFLOP
    assert [row[0] for row in figures["time"].rows] == ["7", "14", "21", "28", "35"]


def test_runs_without_a_curve_have_no_plot():
    assert learning([group("gru", digest(curve=[]))]) == []


def test_quality_by_length_has_a_line_an_architecture():
    (figure,) = by_length(
        [group("gru", digest("gru")), group("bahdanau", digest("bahdanau", lengths=(30.0, 29.0, 28.0)))]
    )
    assert figure.heads == ["source tokens", "gru", "bahdanau"]
    assert figure.rows == [["1–7", "22", "30"], ["8–14", "20", "29"], ["15–21", "18", "28"]]
    assert figure.note == "test split; examples per length: 1–7: 101, 8–14: 102, 15–21: 103"


@pytest.mark.parametrize(("shortest", "says"), [(0, True), (1, False), (None, False)])
def test_a_plot_says_why_the_shortest_lengths_are_not_there(shortest, says):
    """The first bucket begins at 1."""
    run = digest()
    run["settings"]["data"] = {"min_length": shortest}
    (figure,) = by_length([group("gru", run)])
    assert ("so few that training has them all" in figure.note) == says


@pytest.mark.parametrize(
    ("references", "metric", "says"), [("first", "bleu", True), ("first", "exact_match", False), ("all", "bleu", False)]
)
def test_a_plot_says_that_only_the_first_reference_counts(references, metric, says):
    run = digest(references=references)
    for row in run["by_length"]["rows"]:
        del row["bleu" if metric != "bleu" else "token_accuracy"]
    (figure,) = by_length([group("gru", run)])
    assert (
        figure.note.endswith("; BLEU here is against the first reference alone, as saved predictions hold no others")
        == says
    )


def test_counts_that_hardly_differ_are_said_once():
    run = digest(lengths=(22.0, 20.0))
    (figure,) = by_length([group("gru", run)])
    assert figure.note == "test split; examples per length: 101 or 102"


def test_of_many_lines_eight_are_emphasised_those_of_the_user_and_of_several_seeds_first():
    groups = [group("gru", digest("gru"), id=f"once {n}") for n in range(9)]
    groups.append(group("lstm", digest("lstm", 1), digest("lstm", 2), id="seeds"))
    groups.append(replace(group("gpt", digest("gpt"), id="mine"), is_users=True))
    for figure in (*learning(groups), *by_length(groups)):
        *front, rest = figure.legend
        assert len(front) == EMPHASISED and rest == ("3 more, in grey", REST)
        assert [name.split(" ")[0].rstrip(",") for name, _ in front[:2]] == ["gpt", "lstm"]
        assert len(figure.heads) == 1 + len(groups)


@pytest.mark.parametrize("settings", [{}, {"max_length": 7, "test_max_length": 21}])
def test_where_training_ended_is_marked(settings):
    run = digest()
    run["settings"]["data"] = settings
    (figure,) = by_length([group("gru", run)])
    assert ("longer than in training (7)" in str(figure.svg)) == bool(settings)
