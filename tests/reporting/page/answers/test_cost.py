"""What quality costs to tune, train and run."""

from reporting.page.made_up import claim_c, digest, found, gathered, sentences

from seqlab.reporting.page.answers.cost import cost


def test_every_dataset_of_the_users_has_its_costs_beside_quality(tmp_path):
    several = [
        digest(model, overrides={"model": model}, data="mine", bleu=b) for model, b in (("gru", 10), ("lstm", 9))
    ]
    answer = cost(found(tmp_path, [*several, digest(data="other", speed=2000.0)]))
    assert sorted(sentences(answer)) == [
        "Mine (your runs): gru (yours), 10.00 token BLEU: 100,003 parameters, 7 s of training, 1,000 target tokens per"
        " second; lstm (yours), 9.00 token BLEU: 100,003 parameters, 7 s of training, 1,000 target tokens per second.",
        "Other (your runs): gru (yours), 20.00 token BLEU: 100,003 parameters, 4 s of training, 2,000 target tokens per"
        " second.",
    ]
    assert all(one.own for one in answer.conclusions) and "had their cores to themselves" in answer.limit


def test_a_verdict_lists_the_best_three_and_the_evidence_the_others(tmp_path):
    (one,) = cost(gathered(tmp_path, claim_c())).conclusions
    assert one.verdict.startswith("bahdanau, 28.20 ± 0.10 token BLEU: ") and "gru, 14" not in one.verdict
    assert one.evidence[0].startswith("Cost of the others: gru, 14.20 ± 0.10 token BLEU: 100,003 parameters")


def test_what_was_not_recorded_is_left_out(tmp_path):
    run = digest(training={})
    assert "gru (yours), 20.00 token BLEU: 100,003 parameters." in sentences(cost(found(tmp_path, [run])))[0]
    del run["parameters"]
    assert not cost(found(tmp_path / "nothing", [run])).conclusions


def test_memory_tuning_and_the_speed_of_generation_are_said_where_they_are_known(tmp_path):
    content = claim_c()
    group = content["groups"][2]
    group["search"] = {"trainings": 8, "epochs": 41, "seconds": 1234.5, "chosen": []}
    for run in group["runs"]:
        run["training"] = run["training"] | {"peak_memory": 300 * 2**20}
        cost_of_outputs = {"outputs": 1000, "seconds": 4.0, "waited": None, "per_second": 250.0}
        run["generation"] = {"free_running": cost_of_outputs}
    (one,) = cost(gathered(tmp_path, content)).conclusions
    assert one.verdict.startswith(
        "bahdanau, 28.20 ± 0.10 token BLEU: 100,003 parameters, 300 MiB of memory, 1,234 s of tuning, 14 s of training,"
        " 500 target tokens per second, 250.0 outputs generated per second;"
    )
