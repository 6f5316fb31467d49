"""Names as a person sorts them."""

from seqlab.natural_order import natural


def test_numbers_in_names_count_as_numbers():
    assert sorted(["run10", "run2", "10", "9", "run"], key=natural) == ["9", "10", "run", "run2", "run10"]
