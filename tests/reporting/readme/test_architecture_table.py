"""README's tables of what each architecture buys, from the references of the tasks."""

from seqlab.reporting.readme.architecture_table import architectures

BLEU, BEAM, LONG = "metrics.test.free_running/token_bleu", "metrics.test.beam/token_bleu", "token_bleu_of_length.21-"


def spread(mean, sd=0.25):
    return {"mean": mean, "sd": sd, "values": [mean - sd, mean + sd]}


def group(label, figures, seeds=(1, 2), waited=0.0, command="seqlab-train experiment=some", **more):
    runs = [{"training": {"seconds": 60.0 * seed, "waited": waited}} for seed in seeds]
    title = f"a {label}, tuned"
    return {
        "label": label,
        "title": title,
        "command": command,
        "figures": figures,
        "seeds": list(seeds),
        "runs": runs,
        **more,
    }


GRU = {BLEU: spread(10.0), BEAM: spread(11.0), LONG: spread(2.0), "parameters": spread(1000.0, 0)}
MACHINE = {"device": "cpu", "threads": 1}
CAPTIONS = {
    "environment": MACHINE,
    "groups": [
        group("gru_tuned", GRU | {"mebibytes": spread(700.0, 0.5)}, search={"seconds": 741.0}),
        group("gru_untuned", GRU),
        group("gpt_tuned", {BLEU: spread(30.0), "parameters": spread(2000.0, 0)}, (1, 2, 3), waited=99.0),
        group("conv_tuned", {}, ()),
    ],
}


def rows_of(text):
    heads, _, *rows = [line for line in text.splitlines() if line.startswith("|")]
    return heads, rows


def test_a_row_has_quality_and_what_it_cost_the_best_first():
    text = architectures({"M_multi30k.json": CAPTIONS})
    heads, rows = rows_of(text)
    assert heads.startswith("| `model=` | token BLEU | with a beam of 5 |")
    assert rows == [
        "| `gpt`: a gpt_tuned | 30.00 ± 0.25 (2 of 3) | – | – | – | – | – | – |",
        "| `gru`: a gru_tuned | 10.00 ± 0.25 | 11.00 ± 0.25 | 2.000 ± 0.250 | 12.3 | 1.5 | 700.0 ± 0.5 | – |",
    ]
    assert "(2 to 3 seeds, at most 2,000 parameters, cpu, threads: 1)." in text and "not complete" not in text


def test_what_is_not_complete_says_so():
    captions = {"environment": MACHINE, "groups": [group("gru_tuned", GRU)], "partial": "3 of 4 runs are not there"}
    text = architectures({"M_multi30k.json": captions})
    assert "(2 seeds, at most 1,000 parameters, cpu, threads: 1; not complete: 3 of 4 runs are not there)" in text


def test_a_task_has_a_table_once_it_was_run():
    lists = {"exact_match_of_length.1-10": spread(0.5, 0.01), "exact_match_of_length.11-20": spread(0.0, 0)}
    command = "seqlab-train model=gpt model.mixer=min_gru model.width=8"
    reversal = {
        "environment": MACHINE,
        "groups": [group("gpt_min_gru_tuned", lists | {"parameters": spread(1000.0, 0)}, command=command)],
    }
    _, rows = rows_of(architectures({"M_reversal.json": reversal}))
    assert rows == ["| `gpt model.mixer=min_gru`: a gpt_min_gru_tuned | 50.00% ± 1.00% | 0.00% | – | 1.5 | – | – |"]
    assert architectures({"M_reversal.json": reversal, "M_multi30k.json": CAPTIONS}).count("`model=`") == 2


def test_without_a_searched_group_there_is_neither_table_nor_note():
    untuned = {"environment": MACHINE, "groups": [group("gru_untuned", GRU)]}
    assert architectures({}) == "" == architectures({"M_multi30k.json": untuned})
    mixed = {"environment": MACHINE, "groups": [group("gpt_min_gru_tuned", GRU, command="seqlab-train model.mixer=x")]}
    assert "| `gpt_min_gru`: a" in architectures({"M_multi30k.json": mixed})
