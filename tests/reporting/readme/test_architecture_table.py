"""README's table of what each architecture buys, from the references of two tasks."""

from seqlab.reporting.readme.architecture_table import architectures

BLEU, BEAM, LONG = "metrics.test.free_running/token_bleu", "metrics.test.beam/token_bleu", "token_bleu_of_length.21-"


def spread(mean, sd=0.25):
    return {"mean": mean, "sd": sd, "values": [mean - sd, mean + sd]}


def group(label, figures, seeds=(1, 2), flops=2e12, **more):
    runs = [{"training": {"flops": flops}, "environment": {"commit": "feed" * 10}} for _ in seeds]
    return {
        "label": label,
        "title": f"a {label}, tuned",
        "figures": figures,
        "seeds": list(seeds),
        "runs": runs,
        **more,
    }


def content(claim, *groups, **more):
    environment = {"device": "cpu", "threads": 1, "torch": "2.13.0"}
    return {"claim": claim, "part_of": "M", "profile": "cpu", "groups": groups, "environment": environment, **more}


GRU = {BLEU: spread(10.0), BEAM: spread(11.0), LONG: spread(2.0), "parameters": spread(1000.0, 0)}
LISTS = {"exact_match_of_length.1-10": spread(0.5, 0.01), "exact_match_of_length.11-20": spread(0.0, 0)}


MIB = {"mebibytes": spread(700.0, 0.5)}


def test_a_row_has_quality_on_both_tasks_and_what_it_cost():
    captions = content(
        "M_multi30k",
        group("gru_tuned", GRU | MIB, search={"flops": 12.34e12}),
        group("gru_untuned", GRU),
        group("gpt_tuned", {BLEU: spread(30.0), "parameters": spread(2000.0, 0)}, (1, 2, 3), None),
        group("conv_tuned", {}, ()),
    )
    text = architectures(captions, content("M_reversal", group("gru_tuned", LISTS)))
    heads, _, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert heads.startswith("| `model=` | captions: BLEU | with a beam of 5 |")
    assert rows == [
        "| `gru`: a gru_tuned | 10.00 ± 0.25 | 11.00 ± 0.25 | 2.000 ± 0.250 | 50.00% ± 1.00% | 0.00% | 2.0 | 12.3 |"
        " 700.0 ± 0.5 | – |",
        "| `gpt`: a gpt_tuned | 30.00 ± 0.25 (2 of 3) | – | – | – | – | – | – | – | – |",
    ]
    assert "over seeds (2 to 3 of captions)" in text and "more than 2,000 parameters" in text
    assert "cpu, threads: 1, torch 2.13.0, commit feedfeedfeed. `make reproduce-M` repeats it." in text
    assert "Not complete" not in text


def test_what_is_not_complete_says_so():
    captions = content("M_multi30k", group("gru_tuned", GRU), partial="3 of 4 runs are not there")
    text = architectures(captions, content("M_reversal"))
    assert "Not complete: of captions, 3 of 4 runs are not there." in text
    assert "(2 of captions)" in text
