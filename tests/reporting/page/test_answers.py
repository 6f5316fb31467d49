"""The sentences on top say what the figures say, whichever way they point."""

import pytest
from reporting.page.made_up import claim_c, claim_g, digest, reference, sweep, write_references

from seqlab.reporting.page import answers
from seqlab.reporting.page.sources import Material, gather


@pytest.fixture
def material(tmp_path):
    def of(*contents):
        write_references(tmp_path, *contents)
        return gather(tmp_path, None, {}.__getitem__, {}.__getitem__)

    return of


def said(answer):
    return " ".join(answer.sentences)


def test_the_best_is_named_with_its_lead_and_what_the_test_says(material):
    text = said(answers.best(material(claim_c(best=28.0, p=0.002))))
    # Seeds 1, 2, 3 add 0.1, 0.2, 0.3 to each figure.
    assert text.startswith("bahdanau: 28.20 ± 0.10 token BLEU on test over 3 seeds, 7.00 above the next, context_gru")
    assert "significant (paired bootstrap over 1,000 test sets, p = 0.002)" in text and "not significant" not in text


def test_a_lead_that_is_no_more_than_chance_is_said_to_be_none(material):
    assert "not significant (paired bootstrap over 1,000 test sets, p = 0.4)" in said(
        answers.best(material(claim_c(best=21.1, p=0.4)))
    )


def test_another_order_gives_another_best(material):
    assert said(answers.best(material(claim_c(best=3.0)))).startswith("context_gru: 21.20")


def test_a_pair_that_nobody_tested_is_said_to_be_untested(material):
    content = claim_c()
    content["significance"] = []
    assert "has not been tested" in said(answers.best(material(content)))


def test_the_fastest_is_by_tokens_a_second(material):
    text = said(answers.fastest(material(claim_c())))
    assert "gru trains fastest (Multi30k de→en): 1,300 target tokens a second, 1.3 times context_gru" in text
    assert "2.6 times bahdanau, the slowest" in text and "same machine" not in text


def test_figures_of_two_machines_are_marked(material):
    content = claim_c()
    content["groups"][0]["runs"][0]["environment"]["device"] = "cuda"
    assert "Not all ran on the same machine" in said(answers.fastest(material(content)))


@pytest.mark.parametrize(
    ("gru", "word"), [(14.0, "It raised token BLEU by 7.00"), (25.0, "It lowered token BLEU by 4.00")]
)
def test_carrying_the_context_raises_or_lowers(material, gru, word):
    content = claim_c()
    for run in content["groups"][0]["runs"]:
        run["metrics"]["test"]["free_running/token_bleu"] = gru + run["seed"] / 10
    text = said(answers.carried(material(content)))
    assert word in text and "takes 1.30 times as long (77 ms → 100 ms" in text


def test_where_the_fixed_vector_falls_faster_it_is_said(material):
    text = said(answers.fixed_vector(material(claim_c())))
    assert "from sources of 1–7 to 15–21 tokens, BLEU: gru 18.0 → 6.0" in text
    assert "Every model with a fixed vector loses a larger share" in text


def test_where_attention_falls_as_fast_it_is_said_too(material):
    content = claim_c()
    for group in content["groups"]:
        if group["label"] == "bahdanau":
            for run in group["runs"]:
                run["by_length"]["rows"][-1]["bleu"] = 0.5
    assert "None with a fixed vector lost a larger share" in said(answers.fixed_vector(material(content)))


def test_beyond_training_the_comparison_begins_where_training_ended(material):
    def run(model, values):
        rows = [
            {"from": n, "to": n, "count": 11, "exact_match": value, "token_accuracy": value}
            for n, value in zip((9, 10, 11, 20), values, strict=True)
        ]
        found = digest(model, data="reversal of 1 to 20 integers 1..15", by_length={"split": "test", "rows": rows})
        found["settings"]["data"] = {"max_length": 10, "test_max_length": 20}
        return [found]

    groups = {"lstm": run("lstm", (0.9, 0.8, 0.1, 0.0)), "bahdanau": run("bahdanau", (1.0, 0.9, 0.8, 0.3))}
    text = said(answers.fixed_vector(material(reference("C_lengths", groups))))
    assert (
        "from sources of 10 to 20 tokens (training ended at 10), exact match: lstm 80% → 0%, bahdanau 90% → 30%" in text
    )


def test_a_loss_that_falls_with_what_is_planted_means_little(material):
    text = said(answers.phase_1(material(claim_g(planted=(4.6, 4.4, 3.1)))))
    assert "loss 4.65, with 5.8% of its sentences standing in training" in text
    assert (
        "it is 6.10" in text
        and "planted in training it is 4.60, 4.40, 3.10: such a loss falls" in text
        and "So not by itself" in text
    )


def test_a_loss_that_does_not_is_not_called_memory(material):
    text = said(answers.phase_1(material(claim_g(planted=(4.4, 4.6, 4.5), outside=4.0))))
    assert "it is 4.40, 4.60, 4.50." in text and "such a loss" not in text and "So not by itself" not in text


def test_what_pruning_saved_counts_validations(material):
    text = said(answers.swept(material(sweep())))
    # Reported 4 + 1 + 4 + 1 + 2; in full 5 · 4.
    assert "2 trials complete, 3 pruned; 12 validations instead of 20: 40% saved" in text
    assert "trial 2, came to 0.9; the configuration as it stood to 1.2" in text


def test_what_was_not_measured_is_open_and_says_what_to_run():
    assert all(not one.sentences and one.run.startswith("make ") for one in answers.answers(Material()))
