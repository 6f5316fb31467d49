"""The table of a multirun, from folders written by hand."""

import csv
import json
import math
import os
import re
import subprocess
import sys

import pytest
from processes import unwrapped

from hydra_pruning_sweeper.text_table import TextTable
from seqlab.errors import InputError
from seqlab.runs.compared_runs import read_runs, settings_of
from seqlab.runs.comparison import LEAST_IMPORTANT, fitting, main, markdown, show, table, write

ENVIRONMENT = {"device": "cpu", "threads": 1}
TRAINING = {"tokens": 1000, "seconds": 2.0, "tokens_per_second": 500.0, "flops": 3e12}


def make_run(multirun, name, overrides, loss=1.0, seed=1, error=None, **changes):
    """A run's folder: with a result, or why it failed; with neither where `loss` is None."""
    folder = multirun / str(name)
    (folder / ".hydra").mkdir(parents=True)
    lines = "".join(f"- {override}\n" for override in overrides) or "[]\n"
    (folder / ".hydra/overrides.yaml").write_text(lines, encoding="utf-8")
    if error is not None:
        (folder / "error.txt").write_text(error + "\n", encoding="utf-8")
    elif loss is not None:
        metrics = {split: {"teacher_forced/loss": loss, "free_running/exact_match": loss / 4} for split in SPLITS}
        result = {"name": "reversal_gru", "seed": seed, "parameters": 1234, "training": TRAINING, "signatures": {}}
        result |= {"metrics": metrics, "environment": ENVIRONMENT, **changes}
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


SPLITS = ("train", "val", "test")


def rows_of(multirun):
    """The table's rows by their heads."""
    compared = table(settings_of(multirun))
    return [dict(zip(compared.heads, row, strict=True)) for row in compared.rows]


def csv_of(multirun):
    write(multirun)
    with (multirun / "comparison.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert all(None not in row and None not in row.values() for row in rows)  # as many cells as heads in each
    return rows


def labels(multirun):
    return [setting.label for setting in settings_of(multirun)]


# Settings -----------------------------------------------------------------------------------------------------


def test_runs_that_differ_in_their_seed_alone_are_one_setting(tmp_path):
    for i, (model, seed) in enumerate([("gru", 1), ("gru", 2), ("lstm", 1), ("lstm", 2)]):
        make_run(tmp_path, i, ["data=reversal", f"model={model}", "model.width=8", f"seed={seed}"], seed=seed)
    settings = settings_of(tmp_path)
    assert [setting.label for setting in settings] == [{"model": "gru"}, {"model": "lstm"}]
    assert [[run.seed for run in setting.runs] for setting in settings] == [["1", "2"], ["1", "2"]]


def test_the_order_is_that_of_the_runs_numbers(tmp_path):
    for i in (10, 2, 0, 1):
        make_run(tmp_path, i, [f"model.width={i + 7}"])
    assert labels(tmp_path) == [{"model.width": width} for width in ("7", "8", "9", "17")]


def test_folders_may_have_names_and_folders_below(tmp_path):
    for name in ("b/10", "b/9", "a"):
        make_run(tmp_path, name, [f"model={name}"])
    assert labels(tmp_path) == [{"model": name} for name in ("a", "b/9", "b/10")]


def test_all_that_varies_is_named(tmp_path):
    for i, (experiment, rate) in enumerate([("a", "0.1"), ("a", "0.2"), ("b", "0.1"), ("b", "0.2")]):
        make_run(tmp_path, i, ["trainer=cpu", f"+experiment={experiment}", f"optimizer.lr={rate}"])
    assert [tuple(label.values()) for label in labels(tmp_path)] == [
        *(("a", "0.1"), ("a", "0.2"), ("b", "0.1"), ("b", "0.2"))
    ]
    assert list(labels(tmp_path)[0]) == ["experiment", "optimizer.lr"]


def test_overrides_that_add_or_take_out_are_named_without_their_signs(tmp_path):
    make_run(tmp_path, 0, ["+model.width=8", "scheduler=none"])
    make_run(tmp_path, 1, ["++model.width=9", "~scheduler"])
    make_run(tmp_path, 2, ["model.width=8"])
    assert labels(tmp_path) == [
        {"model.width": "8", "scheduler": "none"},
        {"model.width": "9", "scheduler": "removed"},
        {"model.width": "8", "scheduler": ""},
    ]


def test_a_value_of_nothing_is_another_than_no_override(tmp_path):
    make_run(tmp_path, 0, ["name="])
    make_run(tmp_path, 1, [])
    assert len(settings_of(tmp_path)) == 2


def test_an_override_may_refer_to_another(tmp_path):
    make_run(tmp_path, 0, ["model.width=8", "model.embedding=${model.width}"])
    make_run(tmp_path, 1, ["model.width=9", "model.embedding=${model.width}"])
    assert labels(tmp_path) == [{"model.width": "8"}, {"model.width": "9"}]


def test_values_with_quotes_commas_and_brackets_stay_whole(tmp_path, capsys, monkeypatch):
    values = ("[[1 2,2 1]]", "'a, \"b\" = [red]c'")
    for i, value in enumerate(values):
        make_run(tmp_path, i, [json.dumps(f"pairs={value}")])
    assert [label["pairs"] for label in labels(tmp_path)] == list(values)
    assert [row["pairs"] for row in csv_of(tmp_path)] == list(values)
    monkeypatch.setenv("COLUMNS", "200")
    show(tmp_path)
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith(values)] != []


def test_a_run_that_was_resumed_is_no_setting_of_its_own(tmp_path):
    make_run(tmp_path, 0, ["model=gru", "seed=1"])
    make_run(tmp_path, 1, ["model=gru", "seed=2", f"resume={tmp_path}/1"])
    assert [len(setting.runs) for setting in settings_of(tmp_path)] == [2]


def test_memory_and_the_speed_of_generation_are_columns_where_runs_record_them(tmp_path):
    make_run(tmp_path, 0, ["model=gru"])
    assert "MiB" not in markdown(settings_of(tmp_path)) and "outputs/s" not in markdown(settings_of(tmp_path))
    generation = {"free_running": {"per_second": 12.5}, "beam": {"per_second": 3.0}}
    make_run(tmp_path, 1, ["model=lstm"], training=TRAINING | {"peak_memory": 300 * 2**20}, generation=generation)
    text = markdown(settings_of(tmp_path))
    assert "| – | – |" in text and "| 300 | 12.5 |" in text
    assert "MiB: of memory, held at most in training" in text and "outputs/s: outputs generated per second" in text


# Figures ------------------------------------------------------------------------------------------------------


def test_mean_and_sample_standard_deviation_are_those_by_hand(tmp_path):
    for i, loss in enumerate((1.0, 2.0, 4.0)):  # mean 7/3; deviations −4/3, −1/3, 5/3: variance 42/9 / 2 = 7/3
        training = TRAINING | {"seconds": 10.0 * loss, "tokens_per_second": 1000 * loss, "flops": 6e15}
        training["peak_memory"] = 7 * 2**20
        generation = {"beam": {"per_second": 100.0 * loss}}
        make_run(tmp_path, i, [f"seed={i + 1}"], loss, i + 1, training=training, generation=generation)
    (row,) = rows_of(tmp_path)
    assert row == {
        "setting": "reversal_gru",
        "runs": "3",
        "parameters": "1,234",
        "val loss": "2.3333 ± 1.5275",
        "test exact match": "58.33% ± 38.19%",
        "tokens/s": "2,333 ± 1,528",
        "training s": "23.3 ± 15.3",
        "TFLOP": "6,000",
        "MiB": "7.00",
    }
    (cells,) = csv_of(tmp_path)
    assert (cells["setting"], cells["runs"], cells["failed"], cells["seeds"]) == ("reversal_gru", "3", "0", "1 2 3")
    assert float(cells["val/teacher_forced/loss mean"]) == pytest.approx(7 / 3)
    assert float(cells["val/teacher_forced/loss sd"]) == pytest.approx(math.sqrt(7 / 3))
    assert float(cells["train/free_running/exact_match mean"]) == pytest.approx(7 / 12)
    assert float(cells["training/seconds mean"]) == pytest.approx(70 / 3)
    assert float(cells["training/flops sd"]) == 0
    assert float(cells["training/peak_memory mean"]) == 7 * 2**20
    assert float(cells["generation/beam/per_second mean"]) == pytest.approx(700 / 3)


def test_what_leaks_stands_beside_the_loss(tmp_path):
    sides = {"sources": {"copies": 0.25}, "targets": {"copies": 0.5}, "pairs": {"copies": None}}
    make_run(tmp_path, 0, ["data=a"], leakage={"val": sides, "test": {"targets": {"copies": 1.0}}})
    make_run(tmp_path, 1, ["data=b"], leakage={"val": {"sentences": {"copies": 0.0}}})
    make_run(tmp_path, 2, ["data=c"])
    assert [row["val leaks"] for row in rows_of(tmp_path)] == ["50.0%", "0.0%", "–"]


def test_a_single_run_has_no_deviation(tmp_path):
    make_run(tmp_path, 0, ["model=gru"], 2.0)
    (row,) = rows_of(tmp_path)
    assert (row["setting"], row["runs"], row["val loss"]) == ("reversal_gru", "1", "2.0000")


@pytest.mark.parametrize(
    ("flops", "shown"),
    [(6.39e7, "0.0000639"), (1.5e12, "1.50"), (23.46e12, "23.5"), (1.23456e16, "12,346"), (0, "0.00")],
)
def test_sizes_of_any_order_are_read_without_exponents(tmp_path, flops, shown):
    make_run(tmp_path, 0, [], training=TRAINING | {"flops": flops})
    assert rows_of(tmp_path)[0]["TFLOP"] == shown


def test_validation_is_compared_where_not_all_have_a_test_split(tmp_path):
    make_run(tmp_path, 0, ["data=a"], 1.0)
    make_run(tmp_path, 1, ["data=b"], metrics={"val": {"teacher_forced/loss": 3.0, "free_running/exact_match": 0.5}})
    make_run(tmp_path, 2, ["data=c"], metrics={"train": {"teacher_forced/loss": 4.0}})
    rows = rows_of(tmp_path)
    assert [row["val loss"] for row in rows] == ["1.0000", "3.0000", "–"]
    assert [row["val exact match"] for row in rows] == ["25.00%", "50.00%", "–"]
    assert [row["test/teacher_forced/loss mean"] for row in csv_of(tmp_path)] == ["1.0", "", ""]


def test_a_metric_that_some_do_not_have_is_left_empty_for_them(tmp_path):
    make_run(tmp_path, 0, ["data=a"], metrics={"test": {"free_running/bleu": 12.344, "free_running/exact_match": 0}})
    make_run(tmp_path, 1, ["data=b"], metrics={"test": {"free_running/exact_match": 0.25}})
    assert [row["test bleu"] for row in rows_of(tmp_path)] == ["12.34", "–"]


def test_a_mean_of_some_runs_alone_says_so(tmp_path):
    """A run that has diverged records null: the mean of the others is no mean of all."""
    make_run(tmp_path, 0, ["seed=1"], metrics={"val": {"teacher_forced/loss": None}})
    make_run(tmp_path, 1, ["seed=2"], 1.0, 2)
    assert rows_of(tmp_path)[0]["val loss"] == "1.0000 (1 of 2)"


# Failures -----------------------------------------------------------------------------------------------------


def test_runs_that_failed_are_counted_and_listed(tmp_path, capsys):
    make_run(tmp_path, 0, ["model=gru", "seed=1"], 1.0, 1)
    make_run(tmp_path, 1, ["model=gru", "seed=2"], 3.0, 2)
    make_run(tmp_path, 2, ["model=gru", "seed=3"], error="step 7: the loss is nan [bold]")
    make_run(tmp_path, 3, ["model=lstm", "seed=1"], error="out of memory")
    gru, lstm = rows_of(tmp_path)
    assert (gru["runs"], gru["val loss"]) == ("2 of 3", "2.0000 ± 1.4142")
    assert (lstm["runs"], lstm["val loss"], lstm["parameters"]) == ("0 of 1", "–", "–")
    text = markdown(settings_of(tmp_path))
    assert "\nFailed:\n\n- run 2, model=gru, seed=3: step 7: the loss is nan [bold]\n- run 3, model=lstm" in text
    assert "seeds 1, 2;" in text
    show(tmp_path)
    printed = capsys.readouterr().out
    assert "\nfailed: run 2, model=gru, seed=3: step 7: the loss is nan [bold]\nfailed: run 3" in printed
    assert [(row["runs"], row["failed"], row["seeds"]) for row in csv_of(tmp_path)] == [
        ("2", "1", "1 2"),
        ("0", "1", ""),
    ]


@pytest.mark.parametrize(("waited", "says"), [(None, False), (0.2, False), (0.9, True)])
def test_runs_that_shared_their_cores_say_so(tmp_path, capsys, waited, says):
    make_run(tmp_path, 0, ["model=gru"], training=TRAINING)
    make_run(tmp_path, 1, ["model=lstm"], training=TRAINING | {"waited": waited})
    sentence = "imes do not compare: runs waited for a core for up to 45% of their seconds"
    assert (sentence in markdown(settings_of(tmp_path))) == says
    show(tmp_path)
    assert (sentence in " ".join(capsys.readouterr().out.split())) == says


def test_only_failed_runs_make_a_table_too(tmp_path):
    make_run(tmp_path, 0, ["model=gru"], error="no")
    make_run(tmp_path, 1, ["model=lstm"], error="no")
    assert [row["runs"] for row in rows_of(tmp_path)] == ["0 of 1", "0 of 1"]
    assert [row["failed"] for row in csv_of(tmp_path)] == ["1", "1"]
    assert markdown(settings_of(tmp_path)).endswith("- run 0, model=gru: no\n- run 1, model=lstm: no\n")


def test_a_failed_run_that_was_resumed_and_finished_has_finished(tmp_path):
    make_run(tmp_path, 0, ["model=gru"])
    (tmp_path / "0/error.txt").write_text("out of memory\n")
    assert rows_of(tmp_path)[0]["runs"] == "1"


def test_runs_that_have_not_ended_are_left_out(tmp_path):
    make_run(tmp_path, 0, ["model=gru"])
    make_run(tmp_path, 1, ["model=lstm"], loss=None)
    (tmp_path / "2/.hydra").mkdir(parents=True)
    assert [row["runs"] for row in rows_of(tmp_path)] == ["1"]


# What is read -------------------------------------------------------------------------------------------------


def test_the_signatures_of_the_metrics_of_texts_are_named_once_each(tmp_path):
    for i, case in enumerate(("mixed", "lc", "mixed")):
        signatures = {"bleu": f"nrefs:1|case:{case}|tok:13a", "token_bleu": "nrefs:1|case:lc|tok:none"}
        make_run(tmp_path, i, [f"model.width={i}"], signatures=signatures)
    assert markdown(settings_of(tmp_path)).endswith(
        "\n\nsacrebleu's signatures of bleu: `nrefs:1|case:mixed|tok:13a` and `nrefs:1|case:lc|tok:13a`;"
        " token bleu: `nrefs:1|case:lc|tok:none`.\n"
    )


def test_without_texts_no_signature_is_named(tmp_path):
    make_run(tmp_path, 0, [])
    assert "signature" not in markdown(settings_of(tmp_path))


def test_markdown_cells_may_hold_bars(tmp_path):
    for i, value in enumerate(("a|b", "c")):
        make_run(tmp_path, i, [f"pairs={value}"])
    lines = markdown(settings_of(tmp_path)).splitlines()
    assert lines[2].startswith("| a\\|b | 1 | 1,234 | ")
    assert {line.replace("\\|", "").count("|") for line in lines[:4]} == {len(table(settings_of(tmp_path)).heads) + 1}


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_no_figure_is_cut_or_folded_on_a_narrow_screen(tmp_path, capsys, monkeypatch, width):
    for i in range(4):
        make_run(tmp_path, i, [f"model={'gru' if i < 2 else 'transformer'}", f"seed={i}"], 1 + i % 2, i)
    monkeypatch.setenv("COLUMNS", str(width))
    show(tmp_path)
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert max(map(len, lines[:-2])) <= width  # before the path of the files, which is longer
    for row in rows_of(tmp_path):
        own = [line for line in lines if line.startswith(row["model"])]
        shown = [
            cell for name, cell in row.items() if width == 200 or name not in [one.head for one in LEAST_IMPORTANT]
        ]
        assert [cell for cell in shown if not any(cell in line for line in own)] == []
    left_out = {40: "val leaks, tokens/s, training s", 80: "val leaks", 100: None, 200: None}[width]
    assert (f"left out, as they do not fit {width} columns" in " ".join(printed.split())) == bool(left_out)
    assert len([line for line in lines if line.startswith("gru")]) == {40: 2, 80: 1, 100: 1, 200: 1}[width]
    assert " ".join(printed.split()).endswith(f"kept in {tmp_path}/comparison.md and comparison.csv")


def test_long_labels_leave_room_for_figures(tmp_path, capsys, monkeypatch):
    for i in range(2):
        make_run(tmp_path, i, [f"data.path=/{'long/' * 40}{i}"])
    monkeypatch.setenv("COLUMNS", "80")
    show(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[:-2])) <= 80
    assert any(re.search(r"\b\d\.\d{4}\b", line) for line in lines)


# The command line ---------------------------------------------------------------------------------------------


def command(*arguments):
    process = [sys.executable, "-m", "seqlab.runs.comparison", *map(str, arguments)]
    return subprocess.run(process, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


def test_the_command_makes_the_table_anew(tmp_path):
    make_run(tmp_path, 0, ["model=gru"], 2.0)
    done = command(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2.0000" in done.stdout
    assert {"comparison.md", "comparison.csv"} <= {path.name for path in tmp_path.iterdir()}


def test_a_folder_without_runs_is_refused_in_one_line(tmp_path, monkeypatch, capsys):
    make_run(tmp_path / "broken", 0, ["model=gru"])
    (tmp_path / "broken/0/result.json").write_text("{")
    for arguments in ([tmp_path / "nothing"], [tmp_path / "broken"], []):
        monkeypatch.setattr(sys, "argv", ["comparison", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        assert (stopped.value.code, printed.out) == (2, "")
        assert printed.err.startswith("error: ") and len(unwrapped(printed.err).splitlines()) == 1
        assert all(str(argument) in unwrapped(printed.err) for argument in arguments)


ODD = {
    "a list": "[]",
    "not closed": "{",
    "no metrics": '{"name": "a", "seed": 1, "metrics": {}}',
    "metrics of another kind": '{"name": "a", "seed": 1, "metrics": {"val": [1]}}',
    "a seed of another kind": '{"name": "a", "seed": "1", "metrics": {"val": {}}}',
    "an infinity": '{"name": "a", "seed": 1, "metrics": {"val": {"loss": Infinity}}}',
    "a huge number": f'{{"name": "a", "seed": 1, "metrics": {{"val": {{"loss": 1{"0" * 400}}}}}}}',
    "a number of 9,999 digits": f'{{"name": "a", "seed": 1{"0" * 9999}, "metrics": {{"val": {{}}}}}}',
    "nesting": f'{{"name": "a", "seed": 1, "metrics": {{"val": {{}}}}, "settings": {{"a": {"[" * 99}{"]" * 99}}}}}',
    "endless nesting": "[" * 200_000,
    "no UTF-8": b'{"name": "\xff"}',
    "leakage of another kind": '{"name": "a", "seed": 1, "metrics": {"val": {}}, "leakage": {"val": {"a": 3}}}',
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_an_odd_result_is_listed_and_the_others_are_compared(tmp_path, content, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    make_run(tmp_path, 0, ["model=gru"])
    make_run(tmp_path, 1, ["model=lstm"])
    (tmp_path / "1/result.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    show(tmp_path)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not read: ")]
    assert "1/result.json: " in line
    assert line.removeprefix("not read: ") in (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert labels(tmp_path) == [{"setting": "reversal_gru"}]


def test_a_folder_in_place_of_a_file_is_listed(tmp_path):
    make_run(tmp_path, 0, ["model=gru"])
    make_run(tmp_path, 1, ["model=lstm"], loss=None)
    make_run(tmp_path, 2, ["model=gru"])
    (tmp_path / "1/result.json").mkdir()
    (tmp_path / "2/.hydra/overrides.yaml").write_text("- [")
    runs, unread = read_runs(tmp_path)
    assert [run.name for run in runs] == ["0"]
    assert [line.partition(": ")[0].removeprefix(f"{tmp_path}/") for line in unread] == [
        "1/result.json",
        "2/.hydra/overrides.yaml",
    ]


@pytest.mark.parametrize(
    ("identity", "settings", "what"),
    [
        ({"data": {"files": "aa"}}, {"model": {"width": 7}}, "data.files 00 → aa"),
        (
            {"data": {"files": "00"}, "model": {"source_size": 9}},
            {"model": {"width": 7}},
            "model.source_size nothing → 9",
        ),
        ({"data": {"files": "00"}}, {"model": {"width": 8}}, "settings.model.width 7 → 8"),
    ],
)
def test_runs_of_the_same_line_but_of_other_data_or_settings_are_no_seeds_of_one(tmp_path, identity, settings, what):
    first = {"identity": {"data": {"files": "00"}}, "settings": {"model": {"width": 7}, "seed": 1}}
    make_run(tmp_path, 0, ["model=gru", "seed=1"], seed=1, **first)
    make_run(tmp_path, 1, ["model=gru", "seed=2"], seed=2, **first | {"settings": {"model": {"width": 7}, "seed": 2}})
    make_run(tmp_path, 2, ["model=gru", "seed=3"], seed=3, identity=identity, settings=settings)
    settings = settings_of(tmp_path)
    assert [[run.seed for run in one.runs] for one in settings] == [["1", "2"], ["3"]]
    assert [one.label["apart by"] for one in settings] == ["", what]


def test_runs_whose_data_are_drawn_with_their_seed_are_seeds_of_one(tmp_path):
    def run(number, data_seed, **data):
        identity = {"data": {"kind": "Dates", "splits": {"train": f"{number}"}, "vocabularies": f"{number}", **data}}
        settings = {"data": {"seed": data_seed, "samples": 9}, "seed": number}
        line = ["experiment=dates", f"seed={number}"]
        make_run(tmp_path, number, line, seed=number, identity=identity, settings=settings)

    run(1, "${seed}")
    run(2, "${seed}")
    run(3, "${seed}", kind="Numbers")
    run(4, 0)
    run(5, 0)
    assert [[run.seed for run in one.runs] for one in settings_of(tmp_path)] == [["1", "2"], ["3"], ["4"], ["5"]]


def test_what_would_steer_the_terminal_is_written_out(tmp_path, capsys):
    make_run(tmp_path, 0, [json.dumps("name=\x1b[31m[red]")])
    make_run(tmp_path, 1, ["name=b"], error="\x1b]0;title\x07 [/x]")
    show(tmp_path)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and r"\x1b[31m[red]" in printed and r"\x1b]0;title\x07 [/x]" in printed


def test_nothing_is_written_through_a_link(tmp_path):
    make_run(tmp_path / "multirun", 0, ["model=gru"])
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "multirun/comparison.md").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"comparison\.md: a link"):
        write(tmp_path / "multirun")
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_a_narrow_terminal_goes_without_the_least_important_columns():
    heads = ["model", "runs", "parameters", "val loss", "test exact match", "tokens/s", "training s", "TFLOP"]
    row = ["bahdanau", "1", "248,919", "0.0013", "99.88%", "14,968", "48.6", "0.962"]
    whole = TextTable(heads, "l" + "r" * 7, 1, [row])
    assert fitting(whole, 70).heads == heads
    assert fitting(whole, 62).heads == heads[:-1]
    narrow = fitting(whole, 45)
    assert narrow.heads == ["model", "runs", "val loss", "test exact match", "training s"]
    assert narrow.rows == [["bahdanau", "1", "0.0013", "99.88%", "48.6"]] and narrow.align == "lrrrr"
