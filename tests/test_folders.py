"""A run's folder is made for one run alone."""

import concurrent.futures
import functools

import pytest

from seqlab.folders import CONFIGURATION, claim_multirun, claim_run, leave_nothing


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


def test_overwriting_takes_away_what_a_run_left_and_nothing_else(tmp_path):
    run = tmp_path / "run"
    assert claim_run(run, overwrite=False)
    (run / "checkpoints").mkdir()
    (run / "checkpoints/last.ckpt").touch()
    (run / "result.json").touch()
    (run / "my_notes.txt").write_text("keep")
    assert claim_run(run, overwrite=True)
    assert sorted(path.name for path in run.iterdir()) == [CONFIGURATION, "my_notes.txt"]


def test_a_linked_part_of_a_run_is_unlinked_and_what_it_points_to_stays(tmp_path):
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "last.ckpt").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/checkpoints").symlink_to(elsewhere)
    assert claim_run(tmp_path / "run", overwrite=True)
    assert (elsewhere / "last.ckpt").exists()


def test_a_folder_with_other_things_in_it_may_take_a_run(tmp_path):
    (tmp_path / "my_notes.txt").touch()
    assert claim_run(tmp_path, overwrite=False)


def test_an_overwritten_multirun_leaves_no_run_that_is_not_of_the_new_one(tmp_path):
    assert claim_multirun(tmp_path, overwrite=False)
    for number in range(3):
        (tmp_path / str(number) / CONFIGURATION).mkdir(parents=True)
    (tmp_path / "comparison.csv").touch()
    (tmp_path / "mine").mkdir()
    assert not claim_multirun(tmp_path, overwrite=False)
    assert claim_multirun(tmp_path, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "multirun.yaml"]


def test_a_run_that_could_not_begin_leaves_no_folder(tmp_path):
    claim_run(tmp_path / "a/run", overwrite=False)
    leave_nothing(tmp_path / "a/run")
    assert list((tmp_path / "a").iterdir()) == []
    claim_run(tmp_path / "a/run", overwrite=False)
    (tmp_path / "a/run/metrics.csv").touch()
    leave_nothing(tmp_path / "a/run")
    assert (tmp_path / "a/run" / CONFIGURATION).is_dir()
