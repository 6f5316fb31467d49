"""What carrying the context changes: a sign, a size and an interval, or no difference."""

import pytest
from reporting.page.made_up import claim_c, found, gathered, seeds, sentences, text_of

from seqlab.reporting.page.answers.carried_context import carried_context


@pytest.mark.parametrize(
    ("without", "carrying", "text"),
    [
        (
            (14.0, 14.1, 14.2),
            (21.0, 21.1, 21.2),
            "it raised token BLEU, from 14.10 ± 0.10 over 3 seeds (gru (yours)) to",
        ),
        ((21.0, 21.1, 21.2), (14.0, 14.1, 14.2), "it lowered token BLEU, from 21.10 ± 0.10 over 3 seeds"),
        ((14.0, 15.0, 16.0), (14.5, 15.5, 16.5), "no difference in token BLEU is shown"),
        ((14.0,), (21.0,), "+7.00; one seed of gru (yours) and context_gru (yours): what another seed would give is"),
        ((0.0, 0.0), (0.0, 0.0), "no difference in token BLEU is shown"),
    ],
    ids=["effect", "reverse", "none", "one seed", "zero"],
)
def test_the_users_runs_are_answered_about(tmp_path, without, carrying, text):
    answer = carried_context(found(tmp_path, [*seeds("gru", without), *seeds("context_gru", carrying)]))
    assert text in text_of(answer) and sentences(answer)[0].startswith("Multi30k de→en (your runs): ")


def test_the_reference_is_answered_about_too(tmp_path):
    text = text_of(carried_context(gathered(tmp_path, claim_c())))
    assert (
        "+7.00 (95 %: over seeds +6.77 to +7.23, over test examples +6.50 to +7.50); all their other settings are the"
        " same." in text
    )
    assert "million" not in text
    # 7,000 tokens at 1,300 and at 1,000 a second, in 70 steps: 76.9 and 100 ms, the same for all seeds.
    assert "The time of a training step differs by +23.1 ms; all seeds" in text


def test_other_differences_are_listed(tmp_path):
    content = claim_c()
    for run in content["groups"][1]["runs"]:
        run["settings"]["model"]["width"] = 512
        run["parameters"] = 200_003
    text = text_of(carried_context(gathered(tmp_path, content)))
    assert "The two differ in model.width 256 → 512, too, so the context alone does not explain it." in text
    assert "0.2 million parameters instead of 0.1: size may explain a part." in text


def test_what_a_model_without_a_setting_does_differs_from_another_value_of_it(tmp_path):
    """A context GRU has one layer and reads forward."""
    runs = [*seeds("gru", (14.0,)), *seeds("context_gru", (21.0,))]
    runs[0]["settings"]["model"] |= {"layers": 3, "reverse_source": True, "shared": False}
    text = text_of(carried_context(found(tmp_path, runs)))
    assert "The two differ in model.layers 3 → 1, model.reverse_source true → false, too, so the context" in text
    runs[0]["settings"]["model"] |= {"layers": 1, "reverse_source": False}
    assert "all their other settings are the same" in text_of(carried_context(found(tmp_path / "alike", runs)))


def test_any_other_difference_of_the_description_is_listed(tmp_path):
    """Any setting counts, such as the optimizer, but not one that only one of the architectures has."""
    runs = [*seeds("gru", (14.0,)), *seeds("context_gru", (21.0,))]
    for run, dropout, optimizer in zip(runs, (0.9, 0.1), ("torch.optim.SGD", "torch.optim.Adam"), strict=True):
        run["settings"]["model"]["dropout"] = dropout
        run["settings"]["optimizer"] = {"_target_": optimizer}
    runs[0]["settings"]["model"]["reverse_source"] = False
    runs[0]["identity"] = {"data": {"files": "a"}}  # older runs have none
    runs[1]["resumed"] = [{"step": 7, "changed": {"optimizer.lr": [1, 2]}}]
    what = "model.dropout 0.9 → 0.1, optimizer._target_ torch.optim.SGD → torch.optim.Adam, changed after step"
    assert f"The two differ in {what}" in text_of(carried_context(found(tmp_path, runs)))


def test_of_several_settings_those_that_differ_least_are_compared(tmp_path):
    runs = [*seeds("gru", (14.0,)), *seeds("context_gru", (21.0,)), *seeds("context_gru", (90.0,))]
    runs[2]["settings"] = {"model": {**runs[2]["settings"]["model"], "width": 512}}
    text = text_of(carried_context(found(tmp_path, runs[::-1])))
    assert "to 21.00 with one seed" in text and "; all their other settings are the same." in text


def test_times_of_two_machines_are_not_compared(tmp_path):
    content = claim_c()
    for run in content["groups"][0]["runs"]:
        run["environment"] = {**run["environment"], "device": "cuda"}
    assert "They ran on different machines, so their times do not compare." in text_of(
        carried_context(gathered(tmp_path, content))
    )
