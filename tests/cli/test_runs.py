"""`seqlab-runs` lists, filters, tags and cleans."""

import json
import os
import re
import shutil

import pytest


@pytest.fixture
def outputs(trained, tmp_path):
    """A folder of outputs: a finished run, one that was interrupted long ago, one that failed, and a folder of ours."""
    below = tmp_path / "outputs"
    finished = below / "runs/reversal_gru/first"
    shutil.copytree(trained, finished)
    for name in ("runs/reversal_gru/second", "multiruns/third/0"):
        shutil.copytree(trained, below / name, ignore=shutil.ignore_patterns("result.json", "bundle", "tensorboard"))
    (below / "multiruns/third/0/error.txt").write_text("it broke\n")
    for path in (below / "runs/reversal_gru/second").rglob("*"):
        os.utime(path, (1e9, 1e9))
    (below / "runs/notes").mkdir()
    (below / "runs/notes/mine.txt").write_text("mine")
    return below


@pytest.fixture
def runs(command, outputs):
    """Calls `seqlab-runs` where those outputs are."""
    return lambda *arguments: command("runs", *arguments, COLUMNS="200")


def rows(out):
    """The cells of the table, row by row, without the heads."""
    lines = out.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.split("  ") if cell] for line in lines]


def test_runs_are_listed_with_how_they_ended(runs):
    out = runs().succeeded().out
    table = {row[0]: row for row in rows(out)}
    assert {name: row[4] for name, row in table.items()} == {
        "outputs/runs/reversal_gru/first": "finished",
        "outputs/runs/reversal_gru/second": "interrupted",
        "outputs/multiruns/third/0": "failed",
    }
    first = table["outputs/runs/reversal_gru/first"]
    assert first[2:4] == ["reversal", "gru"]
    assert first[5].startswith("test exact match ")
    assert table["outputs/runs/reversal_gru/second"][5].startswith("val loss ")
    assert list(table)[-1] == "outputs/runs/reversal_gru/second"  # the one that was last active long ago
    assert "\n3 runs, " in out


def test_no_runs_is_one_line(command):
    assert command("runs").succeeded().out == "no runs: there are none below outputs; seqlab-train makes one\n"


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("model=gru", 3),
        ("model=gru, state=finished", 1),
        ("state!=finished", 2),
        ("run=*/second", 1),
        ("seed=1, optimizer.lr<0.05", 3),
        ("optimizer.lr=3e-2", 3),
        ("test/exact_match>=0", 1),
        ("exact_match>1", 0),
        ("tag=none", 0),
        ("data=reversal", 3),
        ("data!=reversal", 0),
        ("data=anki", 0),
    ],
)
def test_a_filter_chooses_by_facts_settings_and_metrics(runs, where, count):
    out = runs(f"where={where}").succeeded().out
    assert len(rows(out)) * ("no runs" not in out) == count


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("model", "'model' is no condition"),
        ("modle=gru", "no run has a setting or metric modle; did you mean model?"),
        ("seed<one", "seed<one: < compares numbers only"),
        ("tag<3", "tag<3: < compares numbers only"),
        ("data>3", "data>3: > compares numbers only"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(runs, where, said):
    runs(f"where={where}").stopped(2, said)


def test_runs_are_tagged_and_found_by_their_tag(runs, outputs):
    runs("tag=paper", "runs=[outputs/multiruns]").succeeded()
    assert json.loads((outputs / "multiruns/third/0/tags.json").read_text()) == ["paper"]
    out = runs("where=tag=paper").succeeded().out
    assert [(row[0], row[-1]) for row in rows(out)] == [("outputs/multiruns/third/0", "paper")]
    assert len(rows(runs("where=tag!=paper").succeeded().out)) == 2
    runs("untag=paper", "where=tag=paper").succeeded()
    assert "no runs" in runs("where=tag=paper").succeeded().out
    runs("tag=all").stopped(2, "tag: say which runs")


def test_cleaning_shows_first_and_then_removes_checkpoints_of_finished_runs(runs, outputs):
    out = runs("clean").succeeded().out
    assert "would remove" in out and "outputs/runs/reversal_gru/first: checkpoints" in out
    assert out.endswith("nothing was removed yet: add dry_run=false\n")
    assert (outputs / "runs/reversal_gru/first/checkpoints").is_dir()
    out = runs("clean", "dry_run=false").succeeded().out
    assert "1 run's checkpoints, " in out
    assert not (outputs / "runs/reversal_gru/first/checkpoints").exists()
    assert (outputs / "runs/reversal_gru/first/bundle").is_dir()
    assert (outputs / "runs/reversal_gru/second/checkpoints/last.ckpt").is_file()  # it may be resumed
    assert runs("clean").succeeded().out == "nothing to remove\n"


def test_whole_runs_are_removed_only_if_they_are_named_and_what_is_not_theirs_stays(runs, outputs):
    runs("clean", "remove=runs").stopped(2, "say which runs")
    (outputs / "runs/reversal_gru/second/mine.txt").write_text("mine")
    (outputs / "elsewhere").mkdir()
    (outputs / "elsewhere/kept.txt").write_text("kept")
    (outputs / "multiruns/third/0/bundle").symlink_to(outputs / "elsewhere")
    out = runs("clean", "remove=runs", "where=state!=finished", "dry_run=false").succeeded().out
    assert "2 runs, " in out
    assert [path.name for path in (outputs / "runs/reversal_gru/second").iterdir()] == ["mine.txt"]
    assert not (outputs / "multiruns/third/0").exists()
    assert (outputs / "elsewhere/kept.txt").read_text() == "kept"
    assert (outputs / "runs/notes/mine.txt").read_text() == "mine"


def test_a_run_that_may_still_run_is_left_alone(runs, outputs):
    for path in (outputs / "runs/reversal_gru/second").rglob("*"):
        os.utime(path)
    out = runs("clean", "remove=runs", "where=state=interrupted", "dry_run=false").succeeded().out
    assert out.startswith("left alone: outputs/runs/reversal_gru/second: ")
    assert (outputs / "runs/reversal_gru/second/.hydra").is_dir()


def test_checkpoints_that_hold_the_only_weights_stay(runs, outputs):
    """Of a run that was not measured; and of one that trained on after it was, and was killed long ago."""
    finished, other = outputs / "runs/reversal_gru/first", outputs / "runs/reversal_gru/second"
    (other / "training_cost.json").write_text("{}")
    last = finished / "checkpoints/last.ckpt"
    for path in [*finished.rglob("*"), *other.rglob("*")]:
        os.utime(path, (1e9, 1e9))
    os.utime(last, (1e9 + 1, 1e9 + 1))
    assert {row[4] for row in rows(runs("where=state=finished").succeeded().out)} == {"finished"}
    assert runs("clean", "dry_run=false").succeeded().out == "nothing to remove\n"
    assert last.is_file() and (other / "checkpoints/last.ckpt").is_file()


@pytest.mark.parametrize("end", ["result.json", "error.txt", "training_cost.json"])
@pytest.mark.parametrize("what", ["checkpoints", "runs"])
def test_a_run_that_goes_on_after_it_had_ended_is_left_alone(runs, outputs, end, what):
    run = outputs / "runs/reversal_gru/first"
    (run / "result.json").rename(run / end)
    os.utime(run / end, (1e9, 1e9))
    out = runs("clean", f"remove={what}", "runs=[outputs/runs/reversal_gru/first]", "dry_run=false").succeeded().out
    assert out.startswith("left alone: outputs/runs/reversal_gru/first: ")
    assert (run / "checkpoints/last.ckpt").is_file() and (run / ".hydra").is_dir()


def test_a_folder_of_another_application_is_no_run(runs, outputs):
    other = outputs / "runs/other/.hydra"
    other.mkdir(parents=True)
    (other / "config.yaml").write_text("model: {name: x}\n")
    assert "\n3 runs, " in runs().succeeded().out
    runs("clean", "remove=runs", "runs=[outputs/runs/other]", "dry_run=false").succeeded()
    assert other.is_dir()
    runs("runs=[outputs/nowhere]").stopped(2, "outputs/nowhere is no run and holds none")


def test_an_unreadable_run_is_named_below_the_table(runs, outputs):
    (outputs / "runs/reversal_gru/first/result.json").write_text("{")
    out = runs().succeeded().out
    assert "\n2 runs, " in out
    assert "not read: outputs/runs/reversal_gru/first/result.json" in out.replace("\n  ", " ")


@pytest.mark.parametrize("where", ["data=parallel", "data=text_pairs", "data=text_pairs mine.txt", "data=*mine*"])
def test_data_are_found_by_what_was_typed_and_by_what_is_shown(runs, outputs, where):
    folder = outputs / "runs/reversal_gru/second/.hydra"
    config = (folder / "config.yaml").read_text().replace("reversal.Reversal", "text_pairs.TextPairs")
    (folder / "config.yaml").write_text(re.sub("^data:$", "data:\n  path: mine.txt", config, flags=re.MULTILINE))
    hydra = (folder / "hydra.yaml").read_text()
    (folder / "hydra.yaml").write_text(re.sub("^( +)data: reversal$", r"\1data: parallel", hydra, flags=re.MULTILINE))
    assert [row[0] for row in rows(runs(f"where={where}").succeeded().out)] == ["outputs/runs/reversal_gru/second"]
    assert len(rows(runs(f"where={where.replace('=', '!=')}").succeeded().out)) == 2
