"""What quality costs to tune, train and run."""

from reporting.page.made_up import claim_c, digest, found, gathered

from seqlab.reporting.page.answers.cost import cost


def table_of(conclusion):
    """The table as text: its heads, then its rows."""
    heads = [head for head, _ in conclusion.table.heads]
    return [heads, *([cell.text for cell in row] for row in conclusion.table.rows)]


def test_every_dataset_of_the_users_has_its_costs_beside_quality(tmp_path):
    several = [
        digest(model, overrides={"model": model}, data="mine", bleu=b) for model, b in (("gru", 9), ("lstm", 10))
    ]
    answer = cost(found(tmp_path, [*several, digest(data="other", speed=2000.0)]))
    other, mine = sorted(answer.conclusions, key=lambda one: one.about, reverse=True)
    assert mine.verdict == "lstm (yours), 10.00 token BLEU, and 1 other setting whose costs are known:"
    assert table_of(mine) == [
        ["runs of", "token BLEU", "parameters", "training s", "tokens/s"],
        ["lstm (yours)", "10.00", "100,003", "7", "1,000"],
        ["gru (yours)", "9.00", "100,003", "7", "1,000"],
    ]
    assert other.verdict == "gru (yours), 20.00 token BLEU:"
    assert table_of(other)[1:] == [["gru (yours)", "20.00", "100,003", "4", "2,000"]]
    assert all(one.is_users for one in answer.conclusions) and "had their cores to themselves" in answer.limit


def test_a_table_has_the_best_three_and_leads_to_all(tmp_path):
    answer = cost(gathered(tmp_path, claim_c()))
    (one,) = answer.conclusions
    assert one.verdict.startswith("bahdanau, 28.20 ± 0.10 token BLEU, and 2 other settings whose costs are known:")
    assert [row[0] for row in table_of(one)[1:]] == ["bahdanau", "context_gru", "transformer"]
    assert [id for _, id in answer.links] == ["compare-0"]


def test_all_of_the_users_settings_are_there_beside_better_references(tmp_path):
    """A single one is compared with the references of its data, all of which are better."""
    run = digest("gru", bleu=3.0)
    answer = cost(found(tmp_path, [run], claim_c()))
    names = [[row[0] for row in table_of(one)[1:]] for one in answer.conclusions if one.is_users]
    assert names and all(any("(yours)" in name for name in some) for some in names)


def test_a_row_without_a_cost_gives_way_to_one_that_has_some(tmp_path):
    runs = [digest(model, overrides={"model": model}, bleu=b) for model, b in (("gru", 9), ("lstm", 10))]
    runs[1]["training"] = {}
    (one,) = cost(found(tmp_path, runs)).conclusions
    assert [row[0] for row in table_of(one)[1:]] == ["gru (yours)"]


def test_what_was_not_recorded_is_left_out(tmp_path):
    run = digest(training={})
    (one,) = cost(found(tmp_path, [run])).conclusions
    assert table_of(one) == [["runs of", "token BLEU", "parameters"], ["gru (yours)", "20.00", "100,003"]]
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
    heads, first, second, *_ = table_of(one)
    assert heads[2:] == ["parameters", "memory MiB", "tuning s", "training s", "tokens/s", "outputs/s"]
    assert first[2:] == ["100,003", "300", "1,234", "14", "500", "250.0"]
    assert second[3:5] == ["", ""] and second[-1] == ""
