"""All questions together: where something is missing, no figure is invented."""

import copy
import re

import pytest
from reporting.page.made_up import claim_c, claim_g, digest, found, gathered, replay, sentences, sweep, text_of
from support import ROOT

from seqlab.reporting.page.answers import answers
from seqlab.reporting.page.render import render
from seqlab.reporting.page.sources import Material, gather

MODELS = ("gru", "context_gru", "bahdanau", "gpt")
ODD = re.compile(r"\b(nan|NaN|inf|None)\b|Traceback")


def texts(material):
    return [text for one in answers(material) for text in (one.question, *sentences(one), one.missing)]


def test_what_was_not_measured_is_open_and_says_what_to_run():
    *measured, rerun = answers(Material())
    assert len(measured) == 9 and all(not one.conclusions and one.run.startswith("make ") for one in measured)
    assert rerun.conclusions and not rerun.command


def own_runs():
    return [
        digest(
            model,
            seed,
            overrides={"model": model},
            metrics=digest()["metrics"]
            | {"val": {"teacher_forced/loss": 3.0}, "val_other": {"teacher_forced/loss": 4.0 + number}},
        )
        for number, model in enumerate(MODELS)
        for seed in (1, 2)
    ]


def test_the_users_runs_answer_every_question_that_they_can(tmp_path):
    """But for mixers, compute and searches, of which they have none."""
    *answered, rerun = answers(found(tmp_path, own_runs(), claim_c(), claim_g()))
    others = ("mixers", "ten times the compute", "searches")
    for one in (*(one for one in answered if not any(word in one.question for word in others)), rerun):
        assert one.conclusions and not one.run and "(yours)" in text_of(one), one.question


def test_reference_runs_are_not_marked_as_the_users(tmp_path):
    assert "yours" not in " ".join(texts(gathered(tmp_path, claim_c(), claim_g())))


FIELDS = sorted({*digest()} - {"name", "seed", "metrics", "command"})  # which every run has: see `schemas.DIGEST`


def test_missing_fields_make_no_figure(tmp_path):
    """Each run lacks another field: no answer fails, and none contains NaN or None."""
    runs = [run for _ in range(3) for run in own_runs()]
    for run, missing in zip(runs, FIELDS, strict=False):
        run["overrides"] = {**run["overrides"], "without": missing}
        del run[missing]
    assert len(FIELDS) <= len(runs)
    material = found(tmp_path, runs)
    assert not [text for text in texts(material) if ODD.search(text)]
    assert not re.search(r">\s*(nan|inf|None)\b", render(material, tmp_path / "report.html"))


@pytest.mark.parametrize("missing", FIELDS)
def test_a_field_that_all_runs_miss_makes_no_figure(tmp_path, missing):
    runs = own_runs()
    for run in runs:
        del run[missing]
    assert not [text for text in texts(found(tmp_path, runs)) if ODD.search(text)]


def test_empty_parts_and_figures_of_nothing_make_no_figure(tmp_path):
    runs = own_runs()
    parts = (("training",), ("metrics", "val"), ("metrics", "test"), ("leakage", "val"), ("by_length", "rows"))
    for run, (*path, last) in zip(runs, parts, strict=False):
        place = run
        for key in path:
            place = place[key]
        place[last] = type(place[last])()
    runs[-1]["training"] = dict.fromkeys(runs[-1]["training"])
    runs[-2]["metrics"] = {split: dict.fromkeys(values) for split, values in runs[-2]["metrics"].items()}
    material = found(tmp_path, runs)
    assert not [text for text in texts(material) if ODD.search(text)]
    render(material, tmp_path / "report.html")


def test_zeros_everywhere_are_no_effect(tmp_path):
    def zeroed(content):
        if isinstance(content, dict):
            return {
                key: zeroed(one) if key not in ("seed", "from", "to", "rule", "settings", "environment") else one
                for key, one in content.items()
            }
        if isinstance(content, list):
            return [zeroed(one) for one in content]
        return type(content)(0) if isinstance(content, int | float) and not isinstance(content, bool) else content

    material = found(tmp_path, [zeroed(copy.deepcopy(run)) for run in own_runs()])
    text = " ".join(texts(material))
    assert not ODD.search(text) and "no difference in token BLEU on test is shown: +0.00" in text
    render(material, tmp_path / "report.html")


def written(material):
    """All sentences of the answers."""
    parts = [
        part
        for one in answers(material)
        for part in (one.question, *(text for each in one.conclusions for text in (each.verdict, *each.evidence)))
    ]
    return [sentence for part in parts for sentence in re.split(r"(?<=[.?]) (?=[A-Z“])", part)]


def test_no_sentence_appears_twice(tmp_path):
    for material in (
        gather(ROOT / "outputs", [], {}.__getitem__, {}.__getitem__),
        found(tmp_path, own_runs(), claim_c(), claim_g(), sweep(), replay()),
    ):
        stated = written(material)
        assert len(stated) > 20 and [one for one in {*stated} if stated.count(one) > 1] == []


def test_a_verdict_is_one_sentence_with_a_figure(tmp_path):
    for material in (
        gather(ROOT / "outputs", [], {}.__getitem__, {}.__getitem__),
        found(tmp_path, own_runs(), claim_c(), claim_g(), sweep(), replay()),
    ):
        *measured, _ = answers(material)
        for one in (each for answer in measured for each in answer.conclusions):
            assert re.search(r"\d", one.verdict) and len(re.split(r"(?<=[.?]) (?=[A-Z“])", one.verdict)) == 1


def test_no_sentence_calls_a_thing_significant(tmp_path):
    text = " ".join(texts(gathered(tmp_path, claim_c(p=0.04995), claim_g(), sweep(), replay())))
    assert "significant" not in text
