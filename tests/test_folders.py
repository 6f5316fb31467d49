"""A run's folder is made for one run alone."""

import concurrent.futures
import functools

import pytest

from seqlab.errors import InputError
from seqlab.folders import (
    CONFIGURATION,
    bundle_folder,
    claim_multirun,
    claim_run,
    free_range_test_folder,
    has_begun,
    leave_nothing,
)


def test_where_a_range_test_was_one_run_follows_and_no_second_one(tmp_path):
    for _ in range(2):
        assert claim_run(tmp_path, overwrite=False)
        (tmp_path / "lr_find.csv").touch()
        free_range_test_folder(tmp_path)
    with concurrent.futures.ThreadPoolExecutor(7) as pool:
        got = list(pool.map(functools.partial(claim_run, overwrite=False), [tmp_path] * 7))
    assert sorted(got) == [False] * 6 + [True]


@pytest.mark.parametrize("claim", [claim_run, claim_multirun])
def test_of_many_that_claim_a_folder_at_once_one_gets_it(tmp_path, claim):
    for number in range(20):
        with concurrent.futures.ThreadPoolExecutor(7) as pool:
            got = list(pool.map(functools.partial(claim, overwrite=False), [tmp_path / str(number)] * 7))
        assert sorted(got) == [False] * 6 + [True]


@pytest.mark.parametrize("name", ["result.json", "metrics.csv", "checkpoints"])
def test_what_a_run_left_is_not_written_over(tmp_path, name):
    (tmp_path / name).mkdir()
    assert not claim_run(tmp_path, overwrite=False)
    assert not (tmp_path / CONFIGURATION).exists()
    assert (tmp_path / name).exists()


def test_overwriting_takes_away_what_a_run_left_and_nothing_else_once_the_new_one_begins(tmp_path):
    run = tmp_path / "run"
    assert claim_run(run, overwrite=False)
    (run / "checkpoints").mkdir()
    (run / "checkpoints/last.ckpt").touch()
    (run / "result.json").touch()
    (run / "my_notes.txt").write_text("keep")
    assert claim_run(run, overwrite=True)
    assert sorted(path.name for path in run.iterdir()) == [CONFIGURATION, "my_notes.txt"]
    has_begun(run)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_that_cannot_begin_gives_back_what_it_was_to_replace(tmp_path):
    run = tmp_path / "run"
    assert claim_run(run, overwrite=False)
    (run / CONFIGURATION / "overrides.yaml").write_text("old")
    (run / "result.json").write_text("old")
    assert claim_run(run, overwrite=True)
    (run / CONFIGURATION / "overrides.yaml").write_text("new")
    leave_nothing(run)
    assert (run / CONFIGURATION / "overrides.yaml").read_text() == (run / "result.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_looks_like_parts_of_a_run_is_not_overwritten_where_there_is_no_run(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    assert not claim_run(tmp_path, overwrite=True)
    assert (tmp_path / "checkpoints").exists()


def test_a_linked_part_of_a_run_is_unlinked_and_what_it_points_to_stays(tmp_path):
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "last.ckpt").touch()
    assert claim_run(tmp_path / "run", overwrite=False)
    (tmp_path / "run/checkpoints").symlink_to(elsewhere)
    assert claim_run(tmp_path / "run", overwrite=True)
    has_begun(tmp_path / "run")
    assert (elsewhere / "last.ckpt").exists()


def test_a_folder_with_other_things_in_it_may_take_a_run(tmp_path):
    (tmp_path / "my_notes.txt").touch()
    assert claim_run(tmp_path, overwrite=False)


def test_an_overwritten_multirun_leaves_no_run_that_is_not_of_the_new_one(tmp_path):
    folder = tmp_path / "all"
    assert claim_multirun(folder, overwrite=False)
    for number in range(3):
        (folder / str(number) / CONFIGURATION).mkdir(parents=True)
    (folder / "comparison.csv").touch()
    (folder / "mine").mkdir()
    assert not claim_multirun(folder, overwrite=False)
    assert claim_multirun(folder, overwrite=True)
    has_begun(folder / "0")
    assert sorted(path.name for path in folder.iterdir()) == ["mine", "multirun.yaml"]
    assert [path.name for path in tmp_path.iterdir()] == ["all"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("held", ["sweep.json", "result.json", f"0/{CONFIGURATION}/overrides.yaml", CONFIGURATION])
def test_a_multirun_is_never_made_of_runs_that_are_no_multirun(tmp_path, held, overwrite):
    (tmp_path / held).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / held).touch()
    assert not claim_multirun(tmp_path, overwrite)
    assert (tmp_path / held).exists()


def test_a_run_that_could_not_begin_leaves_no_folder(tmp_path):
    claim_run(tmp_path / "a/run", overwrite=False)
    leave_nothing(tmp_path / "a/run")
    assert list(tmp_path.iterdir()) == []
    claim_run(tmp_path / "a/run", overwrite=False)
    (tmp_path / "a/run/metrics.csv").touch()  # by a logger, which begins before the first step
    leave_nothing(tmp_path / "a/run")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_has_begun_stays(tmp_path):
    claim_run(tmp_path / "run", overwrite=False)
    has_begun(tmp_path / "run")
    leave_nothing(tmp_path / "run")
    assert (tmp_path / "run" / CONFIGURATION).is_dir()


def test_a_folder_that_this_process_did_not_make_is_left_alone(tmp_path):
    (tmp_path / CONFIGURATION).mkdir()
    leave_nothing(tmp_path)
    assert (tmp_path / CONFIGURATION).is_dir()


def test_where_a_multirun_is_named_in_place_of_a_run_the_message_names_one(tmp_path):
    expected = f"{tmp_path}: no bundle.json here; expected a bundle or the folder of a finished run"
    for runs, such_as in (((), ""), (("10",), " such as {}/10"), (("10", "2"), " such as {}/2 (one of 2 here)")):
        for run in runs:
            (tmp_path / run / "bundle").mkdir(parents=True, exist_ok=True)
            (tmp_path / run / "bundle" / "bundle.json").touch()
        with pytest.raises(InputError) as error:
            bundle_folder(tmp_path)
        assert str(error.value) == expected + such_as.format(tmp_path)
