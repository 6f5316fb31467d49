"""Where the fixed vector fails is said where it does, and where it does not."""

import pytest
from reporting.page.made_up import claim_c, digest, gathered, reference

from seqlab.reporting.page.answers.long_sources import fixed_vector


def said(answer):
    return " ".join(answer.sentences)


def reversal(models, data=None):
    """A claim of runs on lengths 9, 10, 11 and 20; `models` is label → exact match at each."""

    def run(model, values):
        rows = [
            {"from": n, "to": n, "count": 11, "exact_match": value, "token_accuracy": value}
            for n, value in zip((9, 10, 11, 20), values, strict=True)
        ]
        found = digest(model, data="reversal of 1 to 20 integers 1..15", by_length={"split": "test", "rows": rows})
        found["settings"]["data"] = data or {}
        return [found]

    return reference("C_lengths", {model: run(model, values) for model, values in models.items()})


def test_where_the_fixed_vector_falls_faster_it_is_said(tmp_path):
    text = said(fixed_vector(gathered(tmp_path, claim_c())))
    assert text.startswith("On long sources. Length costs every model with a fixed vector more")
    assert "BLEU of sources of 15–21 tokens" in text
    # Slopes over the mean, weighted by 101, 102 and 103 examples at 4, 11 and 18 tokens: −0.857 / 12.64 for gru.
    assert "gru 6.0 (−6.8%), context_gru 12.0" in text and "; with attention, bahdanau 27.0 (−0.5%)." in text


def test_where_attention_falls_as_fast_it_is_said_too(tmp_path):
    content = claim_c()
    for group in content["groups"]:
        if group["label"] == "bahdanau":
            for run in group["runs"]:
                run["by_length"]["rows"][-1]["bleu"] = 0.5
    assert said(fixed_vector(gathered(tmp_path, content))).startswith("Length costs none with a fixed vector more")


@pytest.mark.parametrize(
    ("values", "length", "verdict"),
    [
        ((0.95, 0.8, 0.1, 0.0), "9", "Length costs every model"),
        ((0.95, 0.91, 0.1, 0.0), "10", "Length costs none"),
        ((0.8, 0.95, 0.1, 0.0), "none", "Length costs every model"),
    ],
)
def test_of_what_is_right_or_wrong_the_longest_that_is_mastered_counts(tmp_path, values, length, verdict):
    claim = reversal({"lstm": values, "bahdanau": (1.0, 0.9, 0.8, 0.3)})
    text = said(fixed_vector(gathered(tmp_path, claim)))
    assert f"at least 90%: lstm {length}; with attention, bahdanau 10." in text and verdict in text


@pytest.mark.parametrize(("last", "fails"), [(0.05, True), (0.3, False)])
def test_beyond_training_it_is_said_if_all_fail(tmp_path, last, fails):
    models = {"lstm": (0.9, 0.8, 0.1, 0.0), "bahdanau": (1.0, 0.9, 0.8, last)}
    text = said(fixed_vector(gathered(tmp_path, reversal(models, {"max_length": 10, "test_max_length": 20}))))
    assert ("Training ended at 10; at 20 all of them fail." in text) == fails


def test_datasets_that_disagree_have_a_verdict_each(tmp_path):
    models = {"lstm": (1.0, 1.0, 1.0, 1.0), "gru": (1.0, 0.5, 0.1, 0.0), "bahdanau": (1.0, 1.0, 0.8, 0.3)}
    first, second = fixed_vector(gathered(tmp_path, claim_c(), reversal(models))).sentences
    assert first.endswith("Length costs every model with a fixed vector more than the one with attention.")
    assert second.endswith("Length costs only gru more than the one with attention.")
