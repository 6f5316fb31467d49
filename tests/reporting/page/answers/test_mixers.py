"""Other mixers stand beside the same model with self-attention."""

from reporting.page.made_up import digest, found, gathered, reference, sentences

from seqlab.reporting.page.answers.mixers import mixers


def run(mixer, seed, bleu, model="gpt", **settings):
    chosen = {"_target_": "seqlab.models.gpt.GPT", **({"mixer": mixer} if mixer else {}), **settings}
    return digest(model, seed, bleu=bleu, overrides={"model.mixer": mixer, **settings}, settings={"model": chosen})


def test_a_mixer_is_compared_with_attention_in_the_model_that_differs_least(tmp_path):
    """A run of an earlier version, which does not record a mixer, has attention."""
    runs = [run(None, seed, 20.0 + seed / 10, width=64) for seed in (1, 2, 3)]
    runs += [run("attention", seed, 40.0 + seed / 10, width=128) for seed in (1, 2, 3)]
    runs += [run("min_gru", seed, 25.0 + seed / 10, width=64) for seed in (1, 2, 3)]
    (text,) = sentences(mixers(found(tmp_path, runs)))
    assert "token BLEU is higher with gpt, " in text and "+5.00" in text
    assert "Other settings" not in text


def test_of_several_sizes_the_largest_is_compared_and_a_tuned_one_before_it(tmp_path):
    groups = {}
    for size, better in (("1", 1.0), ("2", 2.0)):
        for mixer in ("attention", "min_gru"):
            own = [run(mixer, seed, 20.0 + better * (mixer == "min_gru"), size=size) for seed in (1, 2)]
            groups[f"gpt{'_min_gru' * (mixer == 'min_gru')}_{size}"] = [
                one | {"parameters": 1000 * int(size)} for one in own
            ]
    content = reference("P", groups)
    (text,) = sentences(mixers(gathered(tmp_path, content)))
    assert "+2.00" in text and "+1.00" not in text
    for group in content["groups"][:2]:
        group["search"] = {"trainings": 8, "epochs": 41, "seconds": 1234.5, "chosen": []}
    (text,) = sentences(mixers(gathered(tmp_path / "tuned", content)))
    assert "+1.00" in text and "+2.00" not in text and "A tuned model has the settings that" in text


def test_what_else_sets_the_two_apart_is_said(tmp_path):
    runs = [run("attention", seed, 20.0 + seed / 10, layers=3) for seed in (1, 2, 3)]
    runs += [run("min_gru", seed, 25.0 + seed / 10, layers=2) for seed in (1, 2, 3)]
    (text,) = sentences(mixers(found(tmp_path, runs)))
    assert "Other settings differ, too, so the mixer alone does not explain it: gpt, " in text
    assert text.endswith(" in model.layers 3 → 2.")


def test_without_another_mixer_nothing_is_said(tmp_path):
    answer = mixers(found(tmp_path, [run("attention", seed, 20.0) for seed in (1, 2)]))
    assert not answer.conclusions and answer.run
