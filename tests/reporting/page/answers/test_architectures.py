"""Which is best and which is fastest: the sentences state what the figures show, and no more."""

import pytest
from reporting.page.made_up import claim_c, digest, found, gathered, reference, seeds, sentences, text_of

from seqlab.reporting.page.answers.architectures import best, fastest
from seqlab.reporting.page.answers.carried_context import carried_context
from seqlab.reporting.page.answers.cost import cost
from seqlab.reporting.page.group_names import named
from seqlab.reporting.page.judging import comparable
from seqlab.reporting.page.plots import length_metric
from seqlab.reporting.page.tables import comparisons

UNKNOWN = "not known, as no two are known to have run on one machine."


@pytest.mark.parametrize(
    ("gru", "bahdanau", "text"),
    [
        ((10.0, 11.0, 12.0), (20.0, 21.0, 22.0), "bahdanau (yours), 21.00 ± 1.00 over 3 seeds, has the highest"),
        ((20.0, 21.0, 22.0), (10.0, 11.0, 12.0), "gru (yours), 21.00 ± 1.00 over 3 seeds, has the highest"),
        ((10.0, 12.0, 14.0), (11.0, 13.0, 15.0), "no best: between bahdanau (yours), 13.00 ± 2.00 over 3 seeds, and"),
        (
            (10.0,),
            (20.0,),
            "; one seed of gru (yours) and bahdanau (yours): what another seed would give is not known",
        ),
        ((10.0, 11.0), (20.0,), "; one seed of bahdanau (yours): what another seed would give is not known"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "no difference in token BLEU on test is shown: +0.00"),
        ((0.0,), (0.0,), "no difference in token BLEU on test is shown: +0.00"),
    ],
    ids=["effect", "reverse", "none", "one seed", "one seed of one", "zero", "zero of one seed"],
)
def test_the_best_of_the_users_runs_is_named_only_where_it_is_shown(tmp_path, gru, bahdanau, text):
    answer = best(found(tmp_path, [*seeds("gru", gru), *seeds("bahdanau", bahdanau)]))
    assert text in text_of(answer) and "nan" not in text_of(answer)
    assert sentences(answer)[0].startswith("Multi30k de→en (your runs): ") and not answer.run


def test_of_a_loss_the_lowest_is_best(tmp_path):
    runs = [*seeds("gru", (3.0, 3.1, 3.2), "teacher_forced/loss"), *seeds("gpt", (2, 2.1, 2.2), "teacher_forced/loss")]
    assert "gpt (yours), 2.1000 ± 0.1000 over 3 seeds, has the lowest loss on test: −1 (95" in text_of(
        best(found(tmp_path, runs))
    )


def test_losses_of_other_tokens_are_not_compared(tmp_path):
    runs = [*seeds("gru", (3.0, 3.1), "teacher_forced/loss"), *seeds("gpt", (2, 2.1), "teacher_forced/loss")]
    for run, name in zip(runs, "aabb", strict=True):
        run["identity"] = {"data": {"vocabularies": name}}
    assert sentences(best(found(tmp_path, runs))) == []


def language_model(size, test_set, bits, **data):
    """A run of GPT, whose predicted examples (`test_set`) are of its own tokens."""
    settings = {"model": {"_target_": "seqlab.models.gpt.GPT"}, "data": {"tokenizer": {"size": size}, **data}}
    metrics = {"val": {"teacher_forced/bits_per_byte": bits, "teacher_forced/loss": 7 - bits}}
    typed = {"data.tokenizer.size": str(size)}
    run = digest("gpt", settings=settings, metrics=metrics, test_set=test_set, overrides=typed)
    return {key: value for key, value in run.items() if key != "by_length"}


def test_language_models_of_other_tokenizers_are_compared_where_the_text_is_the_same(tmp_path):
    runs = [language_model(4000, "a", 2.0), language_model(8000, "b", 1.5)]
    material = found(tmp_path, runs)
    assert "data.tokenizer.size=8000 (yours), 1.5000 with one seed, has the lowest bits per byte" in text_of(
        best(material)
    )
    assert comparable(material.groups)
    runs[1] = language_model(8000, "b", 1.5, val_share=0.2)
    material = found(tmp_path / "other text", runs)
    assert not sentences(best(material)) and not comparable(material.groups)


def test_models_of_one_text_are_compared_however_it_is_cut_into_blocks(tmp_path):
    blocks = language_model(4000, "a", 2.0, length=128, stride=64, context=0)
    continued = language_model(4000, "b", 1.5, length=64, stride=None, context=64) | {"by_length": {"rows": []}}
    continued["settings"]["model"]["_target_"] = "seqlab.models.conv.Conv"
    material = found(tmp_path, [blocks, continued])
    assert comparable(material.groups)
    assert "conv (yours), 1.5000 with one seed, has the lowest bits per byte" in text_of(best(material))


@pytest.mark.parametrize(("tokenizer", "metric"), [("13a", "token BLEU"), ("zh", "BLEU"), ("char", "BLEU")])
def test_where_nothing_separates_words_token_bleu_is_no_quality(tmp_path, tokenizer, metric):
    """Where a clause is one word, it ranks the worse model first."""
    runs = []
    for model, token_bleu, bleu in (("gru", 9.0, 10.0), ("bahdanau", 1.0, 30.0)):
        metrics = {"free_running/token_bleu": token_bleu, "free_running/bleu": bleu}
        signatures = {"bleu": f"nrefs:1|case:mixed|tok:{tokenizer}|version:2.6.0"}
        runs.append(digest(model, overrides={"model": model}, metrics={"test": metrics}, signatures=signatures))
    material = found(tmp_path, runs)
    assert f"has the highest {metric} on test" in text_of(best(material))
    assert length_metric(material.groups) == ("bleu" if tokenizer == "13a" else "exact_match")


@pytest.mark.parametrize(
    ("reference", "judged"),
    [("cats", "exact match"), ("3 1 2 5", "exact match"), ("1992-05-24", "exact match"), ("a dog jumps", "token BLEU")],
)
def test_bleu_judges_sentences_alone(tmp_path, reference, judged):
    """Of single words and of numbers it counts sequences that are not there: exact match is better."""
    runs = []
    for model, bleu in (("gru", 40.0), ("bahdanau", 20.0)):
        samples = [{"source": "a", "reference": reference, "prediction": "b"}]
        metrics = {
            "free_running/token_bleu": bleu,
            "free_running/bleu": bleu,
            "free_running/exact_match": 1 - bleu / 99,
        }
        runs.append(digest(model, overrides={"model": model}, metrics={"test": metrics}, samples=samples))
    material = found(tmp_path, runs)
    assert f"has the highest {judged} on test" in text_of(best(material))
    (table,) = comparisons(material)
    heads = [head for head, _ in table.heads]
    assert heads[2] == judged and ("BLEU" in heads) == (judged != "exact match")
    assert length_metric(material.groups) == ("bleu" if judged != "exact match" else "exact_match")


def test_what_no_model_does_at_all_does_not_judge_them(tmp_path):
    """No model continues a running text exactly."""
    metrics = {"free_running/exact_match": 0.0}
    runs = [
        digest(model, overrides={"model": model}, metrics={"val": metrics | {"teacher_forced/bits_per_byte": bits}})
        for model, bits in (("gru", 3.4), ("lstm", 3.2))
    ]
    answer = text_of(best(found(tmp_path, runs)))
    assert "lstm (yours), 3.2000 with one seed, has the lowest bits per byte on val" in answer


def test_of_the_references_what_compares_most_architectures_comes_first(tmp_path):
    many = [digest("gru", seed, settings={"model": {"width": width}}) for width in (1, 2, 3) for seed in (1, 2)]
    sizes = {f"gru_{i}": many[2 * i : 2 * i + 2] for i in range(3)} | {"lstm_1": [digest("lstm")]}
    of_one = reference("P", {label: [run | {"data": "running text"} for run in runs] for label, runs in sizes.items()})
    answer = best(gathered(tmp_path, of_one, claim_c()))
    assert [one.about for one in answer.conclusions] == ["Multi30k de→en (reference)", "Running text (reference)"]


def test_a_search_that_did_not_help_is_named(tmp_path):
    groups = {
        f"{model}_{kind}": [digest(model, seed, bleu=bleu) for seed in (1, 2)]
        for model, pair in (("gru", (9.0, 10.0)), ("lstm", (12.0, 11.0)))
        for kind, bleu in zip(("tuned", "untuned"), pair, strict=True)
    }
    content = reference("C", groups)
    for group in content["groups"][::2]:
        group["search"] = {"trainings": 8, "epochs": 41, "seconds": 1234.5, "chosen": []}
    (one,) = best(gathered(tmp_path, content)).conclusions
    (said,) = [text for text in one.evidence if text.startswith("What a search found is no better")]
    assert "gru_tuned, 9.00" not in said and "gru_tuned 9.00 over 2 seeds against 10.00" in said and "lstm" not in said


def test_groups_of_two_claims_with_the_same_label_are_named_with_their_claim(tmp_path):
    contents = [reference(claim, {"gru": [digest("gru")], "lstm": [digest("lstm")]}) for claim in ("C", "M")]
    named_groups = named(gathered(tmp_path, *contents, reference("R", {"gpt": [digest("gpt")]})).groups)
    assert sorted(named_groups.values()) == ["gpt", *(f"{one}, claim {c}" for one in ("gru", "lstm") for c in "CM")]


def test_runs_on_other_examples_are_named_as_not_compared(tmp_path):
    groups = {model: [digest(model, test_set="a")] for model in ("gru", "lstm")}
    other = digest("gpt", settings={"data": {"length": 256}}, test_set="b")
    del other["by_length"]
    groups["gpt"] = [other]
    evidence = [text for one in best(gathered(tmp_path, reference("C", groups))).conclusions for text in one.evidence]
    assert "Not compared, since evaluated on other examples: runs of gpt." in evidence


def test_cost_stands_right_beside_quality(tmp_path):
    (table,) = comparisons(gathered(tmp_path, claim_c()))
    heads = [head for head, _ in table.heads]
    assert heads[2:7] == ["token BLEU", "p over examples", "parameters", "training s", "tokens/s"]


def runs_beside_copying(reached):
    metrics = {"free_running/token_bleu": 9.0, "beam/token_bleu": 9.5, "copy_nearest/token_bleu": reached}
    return [digest(model, overrides={"model": model}, metrics={"test": metrics}) for model in ("gru", "lstm")]


def test_a_baseline_stands_with_the_evidence_of_the_users_runs(tmp_path):
    (one,) = best(found(tmp_path, runs_beside_copying(4.25))).conclusions
    assert "Without a model, copying the answer of the most similar training source reaches 4.25." in one.evidence
    assert "beats" not in one.verdict


def test_a_baseline_that_no_model_beats_comes_first(tmp_path):
    (one,) = best(found(tmp_path, runs_beside_copying(14.25))).conclusions
    copying = "copying the answer of the most similar training source, which reaches 14.25"
    assert one.verdict.startswith(f"no model beats {copying}; among them ")
    assert not any("Without a model" in text for text in one.evidence)


def test_a_seed_without_the_figure_is_counted(tmp_path):
    runs = [*seeds("gru", (10.0, None, 12.0)), *seeds("bahdanau", (20.0, 21.0, 22.0))]
    assert "gru (yours), 11.00 ± 1.41 over 2 of 3 seeds" in text_of(best(found(tmp_path, runs)))


def test_a_seed_that_ran_twice_is_one_seed(tmp_path):
    runs = [run for value in (10.0, 12.0) for run in seeds("gru", (value,))] + seeds("bahdanau", (20.0,))
    assert "gru (yours), 11.00 with one seed" in text_of(best(found(tmp_path, runs)))


def test_examples_alone_show_nothing_of_seeds(tmp_path):
    """The paired bootstrap of one run each shows as clear a difference as there can be."""
    correct = {"gru": [0] * 97 + [1] * 3, "bahdanau": [1] * 100}
    runs = [
        digest(
            model,
            metrics={"test": {"free_running/exact_match": sum(own) / 100}},
            correct=own,
            test_set="a",
            overrides={"model": model},
        )
        for model, own in correct.items()
    ]
    text = text_of(best(found(tmp_path, runs)))
    assert "+97.00 percentage points (95 %: over test examples +93.00 to +100.00) against the next" in text
    assert "one seed of gru (yours) and bahdanau (yours)" in text and "significant" not in text


def test_what_was_measured_on_other_examples_is_not_compared(tmp_path):
    runs = [*seeds("gru", (1.0, 2.0), test_set="a"), *seeds("bahdanau", (9.0, 8.0), test_set="b")]
    assert sentences(best(found(tmp_path, runs))) == []


def test_the_users_runs_come_first_and_stand_beside_the_reference_if_they_are_alone(tmp_path):
    one, two = sentences(best(found(tmp_path, seeds("lstm", (40.0, 40.1, 40.2)), claim_c())))
    assert one.startswith("Multi30k de→en (yours beside the reference): lstm (yours), 40.10 ± 0.10 over 3 seeds, has")
    assert "+11.90" in one and "the next, bahdanau (reference), 28.20 ± 0.10 over 3 seeds" in one
    assert two.startswith("Multi30k de→en (reference): bahdanau, 28.20 ± 0.10 over 3 seeds, has the highest")


def test_a_reference_has_the_interval_over_examples_that_it_kept(tmp_path):
    text = text_of(best(gathered(tmp_path, claim_c(best=28.0))))
    # Seeds 1, 2, 3 add 0.1, 0.2, 0.3: standard error sqrt(0.02 / 3), t = 2.776 of four degrees of freedom.
    assert "+7.00 (95 %: over seeds +6.77 to +7.23, over test examples +6.50 to +7.50) against the next" in text
    turned = text_of(best(gathered(tmp_path, claim_c(best=20.25))))
    assert "context_gru, 21.20" in turned and "over test examples +0.25 to +1.25" in turned


def test_a_test_by_the_first_of_several_references_is_no_test_of_that_bleu(tmp_path):
    content = claim_c()
    content["groups"][0]["runs"][0]["references"] = "first"  # of gru, the last but one in the order of BLEU
    (context,) = sentences(carried_context(gathered(tmp_path / "gru", content)))
    assert "(95 %: over seeds +6.77 to +7.23; not tested over examples, which have several references)" in context
    material = gathered(tmp_path, content)
    assert "over test examples" in text_of(best(material))
    (table,) = comparisons(material)
    assert "There is no p where several references were used" in table.note
    exact = [
        digest(model, overrides={"model": model}, correct=correct, test_set="a", references="first")
        for model, correct in (("gru", [0] * 9), ("lstm", [1] * 9))
    ]
    one, two = found(tmp_path / "exact", exact).groups
    assert found(tmp_path / "exact again", exact).significance(one, two, "exact match")["difference"] == 1


def test_an_answer_from_a_part_of_the_runs_says_what_is_missing(tmp_path):
    answer = best(gathered(tmp_path, claim_c() | {"partial": "2 of 12 runs are not there"}))
    assert (answer.missing, answer.run) == ("2 of 12 runs are not there", "make reproduce-C")
    assert best(gathered(tmp_path, claim_c())).missing == ""


# Speed --------------------------------------------------------------------------------------------------------


def timed(model, speeds, device="cpu"):
    return [
        digest(model, seed, speed=speed, environment={"device": device, "threads": 1}, overrides={"model": model})
        for seed, speed in enumerate(speeds, 1)
    ]


@pytest.mark.parametrize(
    ("gru", "lstm", "text"),
    [
        ((900, 910, 920), (500, 510, 520), "gru (yours), 910 ± 10 over 3 seeds, trains fastest"),
        ((500, 510, 520), (900, 910, 920), "lstm (yours), 910 ± 10 over 3 seeds, trains fastest"),
        ((500, 600, 700), (501, 601, 701), "no difference in target tokens per second is shown: +1 (95"),
        ((900,), (500,), "+400 against the next, lstm (yours), 500 with one seed; one seed of lstm (yours) and gru"),
    ],
    ids=["effect", "reverse", "none", "one seed"],
)
def test_the_fastest_is_named_only_where_it_is_shown(tmp_path, gru, lstm, text):
    answer = text_of(fastest(found(tmp_path, [*timed("gru", gru), *timed("lstm", lstm)])))
    assert text in answer and "times" not in answer


def test_times_come_with_their_limit(tmp_path):
    answer = fastest(found(tmp_path, [*timed("gru", (900,)), *timed("lstm", (500,))]))
    assert "runs that had their cores to themselves" in answer.limit
    assert carried_context(gathered(tmp_path / "reference", claim_c())).limit == answer.limit
    apart = [*timed("gru", (900,)), *timed("lstm", (500,), "cuda")]
    assert fastest(found(tmp_path / "apart", apart)).limit == ""


@pytest.mark.parametrize(("waited", "shown"), [(0.0, True), (None, True), (0.5, True), (1.5, False), ("none", False)])
def test_a_run_that_shared_its_cores_has_no_times(tmp_path, waited, shown):
    """A tenth of 7 seconds of training is the most; an earlier run, without the figure, may have waited."""
    runs = [*timed("gru", (1000,)), *timed("lstm", (1000,))]
    for run in runs:
        run["training"]["waited"] = waited
        if waited == "none":
            del run["training"]["waited"]
    material = found(tmp_path, runs)
    assert bool(fastest(material).conclusions) == shown
    (costs,) = (one.table for one in cost(material).conclusions)
    assert ("training s" in [head for head, _ in costs.heads]) == shown


def test_speeds_of_two_machines_are_not_compared(tmp_path):
    runs = [*timed("gru", (900, 901)), *timed("lstm", (90, 91), "cuda")]
    assert text_of(fastest(found(tmp_path, runs))).endswith(
        "not known, as no two are known to have run on one machine."
    )
    runs += timed("bahdanau", (80, 81))
    text = text_of(fastest(found(tmp_path / "more", runs)))
    assert "gru (yours), 900" in text and "bahdanau (yours), 80" in text and "lstm" not in text


def test_a_run_on_a_machine_of_its_own_is_not_left_out_for_the_references(tmp_path):
    one, other = sentences(fastest(found(tmp_path, timed("lstm", (90, 91), "cuda"), claim_c())))
    assert one == f"Multi30k de→en (yours beside the reference): {UNKNOWN}"
    assert other.startswith("Multi30k de→en (reference): ")


def test_a_device_of_the_same_name_may_be_that_of_another_machine(tmp_path):
    beside, _ = sentences(fastest(found(tmp_path, timed("lstm", (90, 91), "cpu (x86_64)"), claim_c())))
    assert beside.endswith(UNKNOWN)
    runs = {model: [digest(model, speed=speed)] for model, speed in (("gru", 900), ("lstm", 700))}
    faster = {"lstm": [digest("lstm", speed=9000)]}
    (text,) = sentences(fastest(gathered(tmp_path / "more", reference("C", runs), reference("M", faster))))
    assert "gru, 900" in text and "9,000" not in text
    both = cost(gathered(tmp_path / "both", reference("C", runs), reference("M", faster)))
    of_one = cost(gathered(tmp_path / "one", reference("C", runs)))
    assert "not known to be of one machine, do not compare" in text_of(both)
    assert "do not compare" not in text_of(of_one)


def test_what_trained_on_fewer_examples_is_named(tmp_path):
    runs = [digest(model, bleu=bleu) for model, bleu in (("gru", 10), ("lstm", 20), ("luong", 30))]
    same = text_of(best(found(tmp_path, runs)))
    assert "examples, but" not in same
    runs[0]["examples"] = {**runs[0]["examples"], "train": 500}
    text = text_of(best(found(tmp_path / "more", runs)))
    assert "The training data have up to 1,009 examples, but gru (yours) on 500." in text


def test_speeds_of_two_profiles_whose_models_are_of_other_sizes_are_not_compared(tmp_path):
    small, large = (
        {model: [digest(model, data="reversal", speed=speed - i)] for i, model in enumerate(("gru", "lstm"))}
        for speed in (900, 90)
    )
    one, two = sentences(fastest(gathered(tmp_path, reference("S", small), reference("S", large, profile="full"))))
    assert one.startswith("Reversal (reference): gru, 900") and two.startswith("Reversal (reference, full): gru, 90 ")


def test_models_of_different_sizes_are_mentioned(tmp_path):
    runs = [*timed("gru", (900,)), *timed("lstm", (500,))]
    assert "size" not in text_of(fastest(found(tmp_path, runs)))
    runs[0]["parameters"] = 2_000_000
    assert "differ in size: 0.1 to 2 million parameters." in text_of(fastest(found(tmp_path / "more", runs)))


def test_what_a_search_cost_stands_in_the_table_of_its_runs(tmp_path):
    content = claim_c()
    content["groups"][0]["search"] = {"trainings": 8, "epochs": 41, "seconds": 1234.5, "flops": 2.5e12, "chosen": []}
    (table,) = comparisons(gathered(tmp_path, content))
    heads = [head for head, _ in table.heads]
    places = [heads.index(f"tuning {what}") for what in ("s", "trials", "epochs", "TFLOP")]
    assert places[0] < heads.index("training s") < places[1]  # beside quality stand seconds alone
    (costs,) = [[row[place].text for place in places] for row in table.rows if row[0].text == "gru"]
    assert costs == ["1,234", "8", "41", "2.5"]
    assert {row[place].text for row in table.rows if row[0].text != "gru" for place in places} == {""}


def test_memory_and_the_speed_of_generation_stand_beside_quality_where_runs_record_them(tmp_path):
    content = claim_c()
    first = content["groups"][0]
    for i, run in enumerate(first["runs"][:2]):
        run["training"] = run["training"] | {"peak_memory": (300 + 100 * i) * 2**20}
        shared = {"waited": 9.0 * i}  # the second run had to wait for a core
        run["generation"] = {"free_running": {"outputs": 1, "seconds": 10.0, "per_second": 250.0} | shared}
    (table,) = comparisons(gathered(tmp_path, content))
    heads = [head for head, _ in table.heads]
    places = [heads.index(name) for name in ("memory MiB", "outputs/s")]
    cells = {row[0].text: [row[place].text for place in places] for row in table.rows}
    assert cells.pop(first["label"]) == ["350 ± 71", "250.0"]
    assert set(map(tuple, cells.values())) == {("", "")}


def test_a_verdict_says_how_large_the_models_are_and_how_long_they_were_trained(tmp_path):
    runs = [digest(model, overrides={"model": model}) for model in ("gru", "lstm")]
    (one,) = best(found(tmp_path / "alike", runs)).conclusions
    assert one.verdict.endswith("; both with 0.1 million parameters, after 5 epochs.")
    runs[0] |= {"parameters": 2_000_000}
    (one,) = best(found(tmp_path / "sizes", runs)).conclusions
    assert one.verdict.endswith("; both with 0.1 to 2 million parameters, after 5 epochs.")
    runs[0] |= {"epochs": 6}
    (one,) = best(found(tmp_path / "epochs", runs)).conclusions
    assert one.verdict.endswith(
        "; the first with 2 million parameters, after 6 epochs, the other with 0.1 million parameters, after 5 epochs."
    )


def test_where_test_goes_beyond_training_quality_is_said_for_both(tmp_path):
    runs = []
    for model, values in (("gru", (1.0, 0.5, 0.25)), ("lstm", (0.9, 0.4, 0.0))):
        run = digest(model, overrides={"model": model}, lengths=[100 * value for value in values])
        run["settings"]["data"] = {"max_length": 14, "test_max_length": 21}
        runs.append(run)
    # Examples: 101 of 1–7 tokens, 102 of 8–14, 103 beyond.
    evidence = best(found(tmp_path, runs)).conclusions[0].evidence
    assert "gru (yours): exact match 74.88% up to 14 tokens, as in training, 25.00% beyond." in evidence
    assert "lstm (yours): exact match 64.88% up to 14 tokens, as in training, 0.00% beyond." in evidence


def test_a_name_is_that_of_the_table_even_where_only_some_are_timed(tmp_path):
    content = claim_c()
    tuned = [group | {"label": f"{group['label']}_tuned"} for group in content["groups"]]
    for group in content["groups"]:
        group["runs"] = [run | {"training": {}} for run in group["runs"]]
    content["groups"] += tuned
    text = text_of(fastest(gathered(tmp_path, content)))
    assert "gru_tuned, 1,300" in text
    assert f"{len(tuned)} of {2 * len(tuned)} settings have times of their own on one machine." in text
    (table,) = comparisons(gathered(tmp_path / "again", content))
    assert {row[0].text for row in table.rows} >= {"gru", "gru_tuned"}
