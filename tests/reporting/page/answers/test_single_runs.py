"""A run that nothing stands beside: what it reached, and the command that makes something to compare it with."""

import pytest
from reporting.page.made_up import claim_c, digest, found, sentences

from seqlab.reporting.page.answers import answers
from seqlab.reporting.page.answers.single_runs import second_model, single_runs


def alone(model="gru", typed="model=gru data=anki", **more):
    return digest(model, data="mine", command=f"seqlab-train {typed}", **more)


def test_a_single_run_states_what_it_reached_beside_the_baseline_and_how_to_go_on(tmp_path):
    metrics = {"test": {"free_running/token_bleu": 12.5, "copy_nearest/token_bleu": 14.25}}
    (text,) = sentences(single_runs(found(tmp_path, [alone(metrics=metrics)], claim_c())))
    assert text == (
        "Mine (your runs): gru (yours) reached 12.50 with one seed as its token BLEU on test (more is better), where"
        " copying the answer of the most similar training source reaches 14.25; to compare it, train a second model on"
        " the same data: `seqlab-train data=anki model=bahdanau`."
    )


def test_a_run_without_a_baseline_names_none(tmp_path):
    (text,) = sentences(single_runs(found(tmp_path, [alone()])))
    assert "where" not in text and "20.00 with one seed" in text


def test_where_runs_can_be_compared_the_question_is_not_asked(tmp_path):
    runs = [alone(model, overrides={"model": model}) for model in ("gru", "lstm")]
    asked = [one.question for one in answers(found(tmp_path, runs))]
    assert "What did your run reach?" not in asked
    assert answers(found(tmp_path / "one", runs[:1]))[0].question == "What did your run reach?"


@pytest.mark.parametrize(
    ("model", "typed", "command"),
    [
        (
            "gru",
            "model=gru model_size=small model.width=9 'data.path=a b' seed=3",
            "model_size=small 'data.path=a b' seed=3 model=bahdanau",
        ),
        ("bahdanau", "experiment=dates hydra.run.dir=x overwrite=true", "experiment=dates model=gru"),
        ("bahdanau", "experiment=reversal_bahdanau", "experiment=reversal_bahdanau model.cell=lstm"),
    ],
    ids=["another architecture", "an experiment of any", "an experiment of one"],
)
def test_the_second_model_has_the_data_of_the_first(tmp_path, model, typed, command):
    (group,) = found(tmp_path, [alone(model, typed)]).groups
    assert second_model(group) == f"seqlab-train {command}"


def test_a_language_model_gets_another_number_of_layers(tmp_path):
    run = alone("gpt", "model=gpt data=notes model.layers=4", metrics={"val": {"teacher_forced/loss": 3.0}})
    run["settings"]["model"] = {"_target_": "seqlab.models.gpt.GPT", "layers": 4}
    (group,) = found(tmp_path, [run]).groups
    assert second_model(group) == "seqlab-train model=gpt data=notes model.layers=2"


def test_a_command_with_an_open_quotation_mark_is_not_repeated(tmp_path):
    (text,) = sentences(single_runs(found(tmp_path, [alone(typed="data.path='a")])))
    assert "train a second" not in text
