"""Names as a person sorts them."""

from pathlib import Path

from seqlab.natural_order import natural, natural_path


def test_numbers_in_names_count_as_numbers():
    assert sorted(["run10", "run2", "10", "9", "run"], key=natural) == ["9", "10", "run", "run2", "run10"]


def test_numbers_count_as_numbers_in_each_part_of_a_path():
    paths = [Path("a/10/1"), Path("a/9/2"), Path("a/9/10"), Path("a/9")]
    assert sorted(paths, key=natural_path) == [Path("a/9"), Path("a/9/2"), Path("a/9/10"), Path("a/10/1")]
