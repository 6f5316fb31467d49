"""A validation loss on familiar text: the answer states what the seeds show, and no more."""

import pytest
from reporting.page.made_up import claim_g, digest, found, gathered, sentences, text_of

from seqlab.reporting.page.answers.notes import familiar_text


def notes(inside, outside, splits=("val", "val_other"), **data):
    """Digests of a language model whose seeds have these losses on text of the same kind and on other text, the two
    `splits`; `data` are settings of its data.
    """
    return [
        digest(
            "gpt",
            seed,
            data="84 documents in ml; tokens 7",
            metrics={split: {"teacher_forced/loss": loss} for split, loss in zip(splits, pair, strict=True)},
            leakage={split: {"sentences": {"copies": copies}} for split, copies in zip(splits, (0.25, 0), strict=True)},
            overrides={"model": "gpt"},
            settings={"model": {"_target_": "seqlab.models.gpt.GPT"}, "data": data},
        )
        for seed, pair in enumerate(zip(inside, outside, strict=True), 1)
    ]


@pytest.mark.parametrize(
    ("inside", "outside", "text"),
    [
        ((4.6, 4.7, 4.8), (6.0, 6.2, 6.1), "other text costs more, +1.4 (95 %: over seeds +"),
        ((6.0, 6.2, 6.1), (4.6, 4.7, 4.8), "other text costs less, −1.4 (95 %"),
        ((4.0, 5.0, 6.0), (5.0, 4.0, 6.1), "no difference to other text is shown: "),
        (
            (4.6,),
            (6.0,),
            "the loss differs by +1.4 on other text; one seed: what another seed would give is not known.",
        ),
    ],
    ids=["effect", "reverse", "none", "one seed"],
)
def test_the_users_runs_are_answered_about(tmp_path, inside, outside, text):
    answer = text_of(familiar_text(found(tmp_path, notes(inside, outside))))
    assert text in answer and answer.startswith("Notes: ml, gpt (yours): ")


def test_where_a_run_validates_on_other_text_the_losses_and_the_leakage_are_not_taken_for_each_other(tmp_path):
    runs = notes((4.6, 4.7, 4.8), (6.0, 6.2, 6.1), splits=("val_other", "val"), split="folder")
    text = text_of(familiar_text(found(tmp_path, runs)))
    assert "other text costs more, +1.4 (95 %: over seeds +" in text
    assert "4.70 ± 0.10 nats" in text and "(25.0% of them appear in training word for word), 6.10 ± 0.10 on" in text


def test_validation_rows_of_the_same_data_set_are_no_other_text(tmp_path):
    runs = notes((4.6, 4.7), (6.0, 6.2), splits=("val_other", "val"), _target_="seqlab.data.hub_text.HubText")
    assert not familiar_text(found(tmp_path, runs)).conclusions


def test_several_settings_of_the_users_are_told_apart(tmp_path):
    runs = [*notes((4.6,), (6.0,)), *notes((4.7,), (6.1,))]
    for run, width in zip(runs, "79", strict=True):
        run["overrides"] = {"model": "gpt", "model.width": width}
    one, two, reference, *_ = sentences(familiar_text(found(tmp_path, runs, claim_g())))
    assert one.startswith("Notes: ml, gpt, model.width=7 (yours): ") and "4.60 nats" in one
    assert "model.width=9 (yours): " in two and "4.70 nats" in two
    assert reference.startswith("Notes: ml, gpt (reference): ") and "4.65 nats" in reference


def test_of_claim_g_each_part_ran_once(tmp_path):
    text = text_of(familiar_text(gathered(tmp_path, claim_g(planted=(4.6, 4.4, 3.1)))))
    assert text.startswith(
        "Notes: ml, gpt (reference): the loss differs by +1.45 on other text; one seed: what another"
    )
    assert (
        "4.65 nats per token (cross-entropy with natural logarithms) on held-out sentences of the same kind of text"
        " (5.8% of them appear in training word for"
        " word), 6.10 on other text." in text
    )
    assert (
        "planted in training (5 epochs each) the loss is 4.60, 4.40, 3.10: −1.5 from 0% to 50%; one seed: what another"
        in text
    )
    assert "falls" not in text


@pytest.mark.parametrize(
    ("planted", "text"),
    [
        ((4.6, 4.4, 3.1), "it falls with the planted share, −1.5 from 0% to 50%."),
        ((3.1, 4.4, 4.6), "it rises with the planted share, +1.5 from 0% to 50%."),
        ((4.6, 4.4, 4.6), "no effect is shown"),
    ],
)
def test_with_seeds_planting_has_an_effect_or_none(tmp_path, planted, text):
    content = claim_g(planted)
    for group in content["groups"]:
        (run,) = group["runs"]
        loss = run["metrics"]["val"]["teacher_forced/loss"]
        group["runs"] = [
            {**run, "seed": seed, "metrics": {"val": {"teacher_forced/loss": loss + seed / 100}}} for seed in (1, 2)
        ]
    answer = text_of(familiar_text(gathered(tmp_path, content)))
    assert text.partition(" from")[0].rstrip(".") in answer
