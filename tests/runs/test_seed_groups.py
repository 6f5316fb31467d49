"""Which runs differ in their seed alone."""

from dataclasses import dataclass

from seqlab.runs.result import RunResult
from seqlab.runs.seed_groups import compared_overrides, seed_groups


@dataclass(frozen=True)
class Some:
    name: str
    typed: str
    result: RunResult | None


def run(name, typed, width, seed=1):
    settings = {"model": {"width": width}, "seed": seed, "name": name}
    return Some(name, typed, RunResult(name=name, seed=seed, metrics={"val": {}}, settings=settings))


def names(runs):
    groups = seed_groups(runs, lambda one: one.typed, lambda one: one.result)
    return [(key, [one.name for one in members]) for key, members in groups]


def test_groups_share_key_and_settings_and_come_in_the_order_of_their_first_run():
    runs = [run("a", "x", 7), run("b", "y", 7), run("c", "x", 8), run("d", "x", 7, seed=2), run("e", "y", 7, seed=3)]
    assert names(runs) == [("x", ["a", "d"]), ("y", ["b", "e"]), ("x", ["c"])]


def test_a_failed_run_belongs_to_the_first_group_of_its_key():
    runs = [Some("a", "x", None), run("b", "x", 7), run("c", "x", 8), Some("d", "x", None), Some("e", "y", None)]
    assert names(runs) == [("x", ["a", "b", "d"]), ("x", ["c"]), ("y", ["e"])]


def test_seed_and_the_way_a_run_begins_make_no_group():
    typed = {"model": "gru", "seed": "3", "resume": "a", "overwrite": "true"}
    assert compared_overrides(typed) == {"model": "gru"}
