"""Descriptions are compared part by part, and hashed whatever the order of their keys."""

from seqlab.identity import ABSENT, Difference, changes_on_resuming, differences, fingerprint, listed


def test_a_fingerprint_does_not_depend_on_the_order_of_keys_but_on_every_value():
    assert fingerprint({"a": 1, "b": [2, "c"]}) == fingerprint({"b": [2, "c"], "a": 1})
    assert len({fingerprint(value) for value in (1, True, 1.5, "1", None, [1], {"a": 1}, {"a": 2})}) == 8


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


def test_what_changed_on_resuming_is_a_line_each_time():
    rate = {"step": 1200, "changed": {"optimizer.lr": [0.1, 0.01], "seed": [1, 2]}}
    found = changes_on_resuming([{"step": 7, "changed": {}}, rate])
    assert found == ["after step 1,200 with optimizer.lr 0.1 → 0.01, seed 1 → 2"]
