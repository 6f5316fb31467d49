"""Descriptions are compared part by part."""

from hydra_pruning_sweeper.differences import ABSENT, Difference, differences, listed


def test_differences_are_named_by_their_settings():
    old = {"data": {"seed": 0, "path": "a", "lower": True}, "lr": 1, "gone": 3}
    new = {"data": {"seed": 5, "path": "a", "lower": 1}, "lr": 1.0, "came": {"x": None}}
    assert differences(old, new) == [
        Difference("data.seed", 0, 5),
        Difference("data.lower", True, 1),
        Difference("gone", 3, ABSENT),
        Difference("came.x", ABSENT, None),
    ]
    assert differences(old, old) == []
    assert differences({"a": [1, 2]}, {"a": (1, 2)}) == []
    assert differences({"a": [1, 2]}, {"a": [1, 2, 3]}) == [Difference("a", [1, 2], [1, 2, 3])]


def test_a_list_of_differences_fits_on_a_line():
    found = [Difference(f"a{number}", number, None) for number in range(6)]
    assert listed(found) == "a0 0 → null, a1 1 → null, a2 2 → null, a3 3 → null, and 2 more"
    assert listed(found[:1]) == "a0 0 → null"
    assert len(listed([Difference("a", "x" * 1000, True)])) < 80
