"""Length costs something where quality falls with it, over seeds, more than with attention."""

import pytest
from reporting.page.made_up import TARGETS, claim_c, digest, found, gathered, text_of

from seqlab.reporting.page.answers.long_sources import fixed_vector

FALLS, FALLS_LESS = ((20, 12, 4), (21, 12, 4), (20, 12, 3)), ((20, 19, 18), (20, 19, 17), (21, 19, 18))
RISES, RISES_MORE = ((10, 11, 12), (10, 11, 13), (9, 11, 12)), ((5, 11, 17), (5, 11, 18), (4, 11, 17))
NOISY, NOISY_TOO = ((20, 12, 4), (20, 20, 20), (20, 18, 16)), ((20, 13, 5), (20, 19, 19), (20, 17, 16))
NOTHING, BAD = ((0, 0, 0),) * 3, ((2, 2, 2), (2, 2, 1.9), (2, 1.9, 2))


def runs(**models):
    """Digests of models whose seeds have BLEU at 1–7, 8–14 and 15–21 tokens."""
    return [
        digest(model, seed, lengths=values, overrides={"model": model})
        for model, several in models.items()
        for seed, values in enumerate(several, 1)
    ]


@pytest.mark.parametrize(
    ("gru", "bahdanau", "text"),
    [
        (FALLS, FALLS_LESS, "length costs gru (yours) more than bahdanau (yours): +"),
        (FALLS_LESS, FALLS, "length costs bahdanau (yours) more than gru (yours): +"),
        (RISES, RISES_MORE, "quality is not shown to fall with length in gru (yours), so the difference to bahdanau"),
        (NOISY, NOISY_TOO, "between gru (yours) and bahdanau (yours) no difference is shown: "),
        (BAD, FALLS, "length costs bahdanau (yours) more than gru (yours), which is worse on average: +"),
        (FALLS[:1], FALLS_LESS[:1], "one seed: what another seed would give is not known."),
        (NOTHING, FALLS_LESS, "gru (yours) not measurable, as no output is right; bahdanau (yours) −"),
        (NOTHING, NOTHING, "whether length costs gru (yours) more than bahdanau (yours) is not known."),
    ],
    ids=["effect", "reverse", "both rise", "none", "bad at every length", "one seed", "zero", "zero of both"],
)
def test_the_users_runs_are_answered_about(tmp_path, gru, bahdanau, text):
    answer = fixed_vector(found(tmp_path, runs(gru=gru, bahdanau=bahdanau)))
    assert text in text_of(answer) and "nan" not in text_of(answer)
    assert answer.conclusions[0].about == "Multi30k de→en (your runs)"
    assert "Change of BLEU per additional source token" in text_of(answer)
    assert (": length costs" in text_of(answer)) == text.startswith("length costs")


@pytest.mark.parametrize(("references", "says"), [("first", True), ("all", False)])
def test_the_evidence_says_that_only_the_first_reference_counts(tmp_path, references, says):
    made = [one | {"references": references} for one in runs(gru=FALLS, bahdanau=FALLS_LESS)]
    text = text_of(fixed_vector(found(tmp_path, made)))
    assert ("BLEU here is against the first reference alone, as saved predictions hold no others." in text) == says


def test_the_model_with_attention_that_was_trained_most_alike_is_compared_and_differences_are_listed(tmp_path):
    def trained(model, epochs, name):
        own = {"model": {"_target_": TARGETS[model], "cell": "gru"}, "data": {}, "trainer": {"max_epochs": epochs}}
        return [
            digest(model, seed, lengths=values, settings=own, overrides={"model": model}, name=name)
            for seed, values in enumerate(FALLS, 1)
        ]

    gru, short, whole = trained("gru", 9, "a"), trained("bahdanau", 1, "b"), trained("transformer", 9, "c")
    assert "differ, too" not in text_of(fixed_vector(found(tmp_path / "both", [*gru, *short, *whole])))
    text = text_of(fixed_vector(found(tmp_path / "one", [*gru, *short])))
    assert (
        "Other settings differ, too, so length alone does not explain it: gru (yours) and bahdanau (yours) in"
        " trainer.max_epochs 9 → 1." in text
    )


def test_a_tuned_model_is_compared_with_a_tuned_one_and_what_was_tuned_is_not_listed(tmp_path):
    content = claim_c()
    search = {"trainings": 8, "epochs": 41, "seconds": 1234.5, "chosen": [], "space": {"optimizer.lr": "interval(0,1)"}}
    tuned = [group | {"label": f"{group['label']}_tuned", "search": search} for group in content["groups"][1:]]
    content["groups"] += tuned
    for i, group in enumerate(content["groups"]):
        # The schedule takes the rate's value; the embedding was not searched for.
        model = {"embedding": 32 + i} if group["label"] == "context_gru_tuned" else {"embedding": 32}
        own = {
            "optimizer": {"lr": i},
            "scheduler": {"max_lr": i},
            "also_decoding": {"beam": {"size": i}} if i else {},
        }
        group["runs"] = [
            run | {"settings": run["settings"] | own | {"model": run["settings"]["model"] | model}}
            for run in group["runs"]
        ]
    text = text_of(fixed_vector(gathered(tmp_path, content)))
    assert ": the cost of length above that of bahdanau_tuned: context_gru_tuned +" in text
    assert "Of others, the cost of length above that of bahdanau: gru +" in text
    assert "Settings that were tuned differ, too: each model has those that a search found for it." in text
    (listed,) = [part for part in text.split(". ") if "Other settings differ, too" in part]
    assert "gru and bahdanau in optimizer.lr 0 → 2, scheduler.max_lr 0 → 2;" in listed
    assert "context_gru_tuned and bahdanau_tuned in model.embedding 36 → 32" in listed
    assert listed.count("optimizer.lr") == 2 and "also_decoding" not in listed


def test_the_figures_are_those_by_hand(tmp_path):
    # Slopes over the mean, weighted by 101, 102 and 103 examples at 4, 11 and 18 tokens: −0.857 / 12.64 for gru.
    text = text_of(fixed_vector(gathered(tmp_path, claim_c())))
    assert "gru −6.8% over 3 seeds;" in text and "bahdanau −0.5% over 3 seeds." in text
    assert "the cost of length above that of bahdanau: gru +6.3 percentage points per source token, context_gru" in text


def reversals(models, **data):
    """Digests on lengths 9, 10, 11 and 20; `models` is label → exact match at each, of each seed."""

    def run(model, seed, values):
        rows = [
            {"from": n, "to": n, "count": 11, "exact_match": value, "token_accuracy": value}
            for n, value in zip((9, 10, 11, 20), values, strict=True)
        ]
        made = digest(model, seed, data="reversal of 1 to 20 integers", by_length={"split": "test", "rows": rows})
        made["settings"]["data"], made["overrides"] = data, {"model": model}
        return made

    return [run(model, seed, values) for model, several in models.items() for seed, values in enumerate(several, 1)]


SHORT, LONG, ALL = (0.95, 0.8, 0.1, 0.0), (1.0, 0.9, 0.8, 0.3), (1.0,) * 4


@pytest.mark.parametrize(
    ("lstm", "bahdanau", "text"),
    [
        ([SHORT, SHORT, LONG], [ALL] * 3, "lstm (yours) masters shorter sources than bahdanau (yours): −10.7 tokens"),
        ([ALL] * 3, [SHORT, SHORT, LONG], "bahdanau (yours) masters shorter sources than lstm (yours): −10.7 tokens"),
        ([SHORT] * 2, [LONG] * 2, "lstm (yours) −1 tokens; all seeds of a side have the"),
        ([LONG] * 2, [LONG] * 2, "no difference is shown: +0 tokens"),
        ([SHORT], [LONG], "against bahdanau (yours): lstm (yours) −1 tokens; one seed: what another seed would"),
        ([(0.0,) * 4] * 2, [(0.0,) * 4] * 2, "lstm (yours) 0 over 2 seeds; bahdanau (yours) 0 over 2 seeds."),
        ([(0.8, 0.95, 0.1, 0.0)] * 2, [LONG] * 2, "lstm (yours) 0 over 2 seeds; bahdanau (yours) 10 over"),
    ],
    ids=["effect", "reverse", "seeds alike", "none", "one seed", "zero", "a length below that is not mastered"],
)
def test_where_outputs_are_right_or_wrong_the_longest_mastered_length_counts(tmp_path, lstm, bahdanau, text):
    assert text in text_of(fixed_vector(found(tmp_path, reversals({"lstm": lstm, "bahdanau": bahdanau}))))


@pytest.mark.parametrize(("last", "fails"), [(0.05, True), (0.3, False)])
def test_a_sentence_says_if_all_fail_beyond_the_lengths_of_training(tmp_path, last, fails):
    models = {"lstm": [SHORT], "bahdanau": [(1.0, 0.9, 0.8, last)]}
    text = text_of(fixed_vector(found(tmp_path, reversals(models, max_length=10, test_max_length=20))))
    assert ("Training ended at 10 tokens; at 20 less than 10% is right in every run." in text) == fails
