"""Which is best, which is fastest, what the context changes: the sentences say what the figures say."""

import pytest
from reporting.page.made_up import claim_c, digest, gathered, reference

from seqlab.reporting.page.answers.architectures import best, carried, fastest


def said(answer):
    return " ".join(answer.sentences)


def test_the_best_is_named_with_its_lead_and_what_the_test_says(tmp_path):
    text = said(best(gathered(tmp_path, claim_c(best=28.0, p=0.002))))
    # Seeds 1, 2, 3 add 0.1, 0.2, 0.3 to each figure.
    assert text.startswith("bahdanau: 28.20 ± 0.10 token BLEU on test over 3 seeds, 7.00 above the next, context_gru")
    assert (
        "is significant (paired bootstrap over 1,000 test sets, p = 0.002; in 95 % of them it is 6.50 to 7.50)" in text
    )
    assert "ran once" not in text


def test_a_lead_that_is_no_more_than_chance_is_said_to_be_none(tmp_path):
    text = said(best(gathered(tmp_path, claim_c(best=21.1, p=0.4))))
    assert "not significant (paired bootstrap over 1,000 test sets, p = 0.4" in text


def test_another_order_gives_another_best_and_the_interval_is_turned(tmp_path):
    text = said(best(gathered(tmp_path, claim_c(best=20.25))))
    assert text.startswith("context_gru: 21.20")
    assert "it is 0.25 to 1.25)" in text  # of bahdanau's lead: −1.25 to −0.25


def test_what_one_seed_cannot_tell_is_said(tmp_path):
    content = claim_c()
    for group in content["groups"]:
        if group["label"] in ("bahdanau", "context_gru"):
            del group["runs"][1:]
    assert "depends on the seed is open: bahdanau and context_gru ran once." in said(best(gathered(tmp_path, content)))


def test_a_pair_that_nobody_tested_is_said_to_be_untested(tmp_path):
    content = claim_c()
    content["significance"] = []
    assert "has not been tested" in said(best(gathered(tmp_path, content)))


def test_an_answer_from_a_part_of_the_runs_says_what_is_missing(tmp_path):
    answer = best(gathered(tmp_path, claim_c() | {"partial": "2 of 12 runs are not there"}))
    assert (answer.missing, answer.run) == ("2 of 12 runs are not there", "make reproduce-C")
    assert best(gathered(tmp_path, claim_c())).missing == ""


def test_the_fastest_is_by_tokens_a_second_and_what_it_gives_away_is_said(tmp_path):
    text = said(fastest(gathered(tmp_path, claim_c())))
    assert "Multi30k de→en: gru, 1,300 target tokens a second: 1.3 times context_gru" in text
    assert "2.6 times bahdanau, the slowest. It has 14.20 ± 0.10 token BLEU; bahdanau, the best, has 28.20" in text
    assert "machine" not in text


def test_a_dataset_that_more_architectures_saw_comes_second(tmp_path):
    models = ("gru", "lstm", "context_gru", "bahdanau", "transformer")
    runs = {model: [digest(model, data="reversal", speed=700 + 100 * i)] for i, model in enumerate(models)}
    first, second = fastest(gathered(tmp_path, claim_c(), reference("S", runs))).sentences
    assert first.startswith("Multi30k de→en: gru") and second.startswith("Reversal: transformer, 1,100 target tokens")


def test_speeds_of_two_profiles_whose_models_are_of_other_sizes_are_not_compared(tmp_path):
    models = ("gru", "lstm", "context_gru", "bahdanau", "transformer")
    small, large = (
        {model: [digest(model, data="reversal", speed=speed - i)] for i, model in enumerate(models)}
        for speed in (900, 90)
    )
    text = said(fastest(gathered(tmp_path, reference("S", small), reference("S", large, profile="full"))))
    assert text.startswith("Reversal: gru, 900 target tokens a second: 1 times lstm and 1 times transformer")
    assert "full" not in text


def test_figures_of_two_machines_are_marked(tmp_path):
    content = claim_c()
    content["groups"][0]["runs"][0]["environment"]["device"] = "cuda"
    assert "Not all ran on the same machine" in said(fastest(gathered(tmp_path, content)))


@pytest.mark.parametrize(
    ("gru", "word"), [(14.0, "It raised token BLEU by 7.00"), (25.0, "It lowered token BLEU by 4.00")]
)
def test_carrying_the_context_raises_or_lowers(tmp_path, gru, word):
    content = claim_c()
    for run in content["groups"][0]["runs"]:
        run["metrics"]["test"]["free_running/token_bleu"] = gru + run["seed"] / 10
    text = said(carried(gathered(tmp_path, content)))
    assert word in text and "takes 1.30 times as long (77 ms → 100 ms" in text
    assert "with the same cell and width." in text and "weights" not in text


def test_what_else_carrying_the_context_changed_is_said(tmp_path):
    content = claim_c()
    for run in content["groups"][1]["runs"]:
        run["settings"]["model"]["width"] = 512
        run["parameters"] = 200_003
    text = said(carried(gathered(tmp_path, content)))
    assert "with the same cell, but another width." in text
    assert "0.2 million weights instead of 0.1: size may be part of it." in text
