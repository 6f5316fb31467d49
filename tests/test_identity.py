"""Descriptions are hashed whatever the order of their keys, and what changed on resuming is said."""

from seqlab.identity import changes_on_resuming, fingerprint


def test_a_fingerprint_does_not_depend_on_the_order_of_keys_but_on_every_value():
    assert fingerprint({"a": 1, "b": [2, "c"]}) == fingerprint({"b": [2, "c"], "a": 1})
    assert len({fingerprint(value) for value in (1, True, 1.5, "1", None, [1], {"a": 1}, {"a": 2})}) == 8


def test_what_changed_on_resuming_is_a_line_each_time():
    rate = {"step": 1200, "changed": {"optimizer.lr": [0.1, 0.01], "seed": [1, 2]}}
    found = changes_on_resuming([{"step": 7, "changed": {}}, rate])
    assert found == ["after step 1,200 with optimizer.lr 0.1 → 0.01, seed 1 → 2"]
