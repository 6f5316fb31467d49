"""Every rule decides both ways, and says so when it cannot decide."""

import pytest

from seqlab.errors import InputError
from seqlab.reproduction.claim import Criterion
from seqlab.reproduction.criteria import ProbeOutput, Results, judge

LOSS = "metrics.val.teacher_forced/loss"


def runs(*values, expected=None, **more):
    digests = [
        {"seed": seed, "metrics": {"val": {"teacher_forced/loss": value}}, **more} for seed, value in enumerate(values)
    ]
    return Results(digests, expected or len(digests))


def decided(groups, rule, **arguments):
    return judge(Criterion("a text", rule, arguments), groups)


@pytest.mark.parametrize(("bound", "holds"), [(0.5, True), (0.51, False)])
def test_at_least_counts_the_bound_itself_and_means_over_seeds(bound, holds):
    finding = decided({"a": runs(0.25, 0.75)}, "at_least", of="a", figure=LOSS, bound=bound)
    assert finding.holds is holds
    assert finding.measured == "0.5000 ± 0.3536"


@pytest.mark.parametrize(("bound", "holds"), [(0.5, False), (0.51, True)])
def test_below_does_not_count_the_bound_itself(bound, holds):
    assert decided({"a": runs(0.25, 0.75)}, "below", of="a", figure=LOSS, bound=bound).holds is holds


@pytest.mark.parametrize(("rule", "holds"), [("above", True), ("below_other", False)])
def test_a_group_is_held_against_another(rule, holds):
    groups = {"a": runs(3.0, 5.0), "b": runs(3.5)}
    assert decided(groups, rule, of="a", than="b", figure=LOSS).holds is holds
    assert decided(groups, rule, of="b", than="a", figure=LOSS).holds is not holds


def test_a_figure_is_held_against_another_of_the_same_group():
    groups = {"a": runs(3.0, epochs=5, steps=2)}
    assert decided(groups, "above", of="a", figure="epochs", than_figure="steps").holds is True
    assert decided(groups, "above", of="a", figure="steps", than_figure="epochs").holds is False


@pytest.mark.parametrize(("order", "holds"), [("abc", True), ("acb", False), ("aab", False)])
def test_falling_means_every_step_falls(order, holds):
    groups = {"a": runs(3.0), "b": runs(2.0), "c": runs(1.0)}
    assert decided(groups, "falling", of=list(order), figure=LOSS).holds is holds


@pytest.mark.parametrize(("found", "holds"), [(0.145, True), (0.16, True), (0.2, False), (0.1, False)])
def test_a_meter_recovers_what_was_planted_beside_what_stood_there(found, holds):
    """With a twentieth there already, planting a tenth makes 0.05 + 0.1 · 0.95 = 0.145."""
    groups = {"none": runs(0.05), "tenth": runs(found)}
    arguments = {"base": "none", "shares": {"tenth": 0.1}, "figure": LOSS, "tolerance": 0.02}
    assert decided(groups, "recovers", **arguments).holds is holds


def test_what_is_to_be_stated_is_stated():
    finding = decided({"a": runs(1.5, epochs=7)}, "stated", of=["a"], figures={LOSS: "loss", "epochs": "epochs"})
    assert (finding.measured, finding.holds) == ("loss 1.500, epochs 7", True)


def test_failures_are_counted_over_seeds():
    counts = {"good": 6, "missing words": 1, "degenerate": 1}
    finding = decided({"a": runs(1.0, 2.0, failures={"counts": counts})}, "classes", of=["a"])
    assert (finding.measured, finding.holds) == ("a: good 75.0%, missing words 12.5%, degenerate 12.5%", True)
    assert decided({"a": runs(1.0)}, "classes", of=["a"]).holds is None


@pytest.mark.parametrize(("right", "holds"), [([True, True, False], True), ([True, False, False], False)])
def test_most_runs_must_say_it(right, holds):
    said = [[ProbeOutput("Go.", True, 2), ProbeOutput("Run!", match, 3)] for match in right]
    finding = decided({"a": Results(runs(1, 2, 3).digests, 3, said)}, "said", of="a")
    assert finding.holds is holds
    assert finding.measured.startswith("`Go.` 3 of 3 (of 2 references)")


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ({"a": Results([], 3)}, "no finished run of a"),
        ({"a": Results([{"metrics": {}}], 1)}, f"{LOSS} was not measured in every run of a"),
        ({}, "there is no group a"),
    ],
)
def test_nothing_is_decided_without_figures(groups, why):
    finding = decided(groups, "below", of="a", figure=LOSS, bound=1.0)
    assert (finding.measured, finding.holds, finding.why) == ("–", None, why)


def test_a_mean_over_too_few_seeds_is_shown_and_not_judged():
    finding = decided({"a": runs(0.1, expected=3)}, "below", of="a", figure=LOSS, bound=1.0)
    assert (finding.measured, finding.holds, finding.why) == ("0.1000", None, "1 of 3 runs of a")


@pytest.mark.parametrize(
    ("rule", "arguments", "named"),
    [
        ("best", {}, "rule must be one of at_least"),
        ("below", {"of": "a"}, "below: missing a required argument: 'figure'"),
    ],
)
def test_a_rule_that_is_none_or_lacks_settings_is_an_error(rule, arguments, named):
    with pytest.raises(InputError, match=named):
        decided({"a": runs(1.0)}, rule, **arguments)


@pytest.mark.parametrize(("by", "holds"), [(1.0, True), (1.1, False), (-5, True)])
def test_groups_are_apart_if_the_closest_two_are(by, holds):
    groups = {"high": runs(9.0), "higher": runs(12.0), "low": runs(8.0), "lower": runs(1.0)}
    found = decided(groups, "apart", of=["higher", "high"], than=["lower", "low"], figure=LOSS, by=by)
    assert found.holds is holds
    assert found.measured == "high 9.000, low 8.000: +1.00"


def test_the_difference_of_two_groups_is_tested_over_their_sentences():
    figure = "metrics.test.free_running/exact_match"

    def one(*correct):
        digest = {"metrics": {"test": {"free_running/exact_match": sum(correct) / len(correct)}}, "test_set": "same"}
        return Results([{**digest, "correct": list(correct)}], 1)

    groups = {"good": one(*[1, 1, 1, 0] * 20), "bad": one(*[1, 0, 0, 0] * 20)}
    found = decided(groups, "apart", of=["good"], than=["bad"], figure=figure, by=0.4)
    assert found.holds is True
    assert found.measured.startswith("good 75.00%, bad 25.00%: +50.00 percentage points (95 % interval over")
    assert found.measured.endswith("p = 0.002)")


@pytest.mark.parametrize("holds", [True, False])
def test_the_distance_of_groups_in_one_figure_is_held_against_that_in_another(holds):
    groups = {"a": runs(9.0, epochs=5), "b": runs(5.0, epochs=2)}
    names = (LOSS, "epochs") if holds else ("epochs", LOSS)
    found = decided(groups, "further_apart", of=["a"], than=["b"], figure=names[0], than_figure=names[1])
    assert found.holds is holds
    assert decided(groups, "further_apart", of=["a"], than=["b"], figure=LOSS, than_figure="steps").holds is None


def test_groups_in_the_wrong_order_are_no_further_apart_where_they_are_less_wrong():
    groups = {"a": runs(4.0, epochs=1), "b": runs(5.0, epochs=7)}
    found = decided(groups, "further_apart", of=["a"], than=["b"], figure=LOSS, than_figure="epochs")
    assert found.measured == "−1.00 (a below b) against −6.00 (a below b)" and found.holds is False


@pytest.mark.parametrize(("steps", "holds"), [(2, True), (5, False)])
def test_one_group_above_its_other_figure_is_enough(steps, holds):
    groups = {"a": runs(9.0, epochs=3, steps=steps), "b": runs(5.0, epochs=1, steps=4)}
    found = decided(groups, "any_above", of=["a", "b"], figure="epochs", than_figure="steps")
    assert found.holds is holds
    assert found.measured.endswith("b 1 against 4 (−3.00)")


@pytest.mark.parametrize(("bound", "holds"), [(7.0, True), (6.9, False)])
def test_none_above_counts_every_run(bound, holds):
    groups = {"a": runs(3.0, 7.0), "b": runs(5.0)}
    found = decided(groups, "none_above", of=["b", "a"], figure=LOSS, bound=bound)
    assert (found.holds, found.measured) == (holds, "at most 7, a")


@pytest.mark.parametrize(("last", "holds"), [((1.5, 1.6), True), ((1.5, 3.5), False), ((2.4, 2.5), False)])
def test_a_power_law_falls_if_its_interval_over_seeds_does(last, holds):
    """The second: one seed falls and the other rises. The third: both rise."""
    sizes = {1: (2.0, 2.1), 2: (1.8, 1.9), 3: last}
    groups = {f"gpt_{size}": runs(*losses, training={"flops": 10.0**size * 1e9}) for size, losses in sizes.items()}
    finding = decided(groups, "power_law", lines={"gpt": list(groups)}, x="teraflops", y=LOSS)
    assert finding.holds is holds and finding.measured.startswith("gpt: ")


def test_a_size_without_all_its_runs_leaves_a_power_law_open():
    groups = {"a": runs(2.0, 2.0, training={"flops": 1e12}), "b": runs(1.0, training={"flops": 4e12}, expected=2)}
    finding = decided(groups, "power_law", lines={"gpt": ["a", "b"]}, x="teraflops", y=LOSS)
    assert (finding.measured, finding.holds, finding.why) == ("gpt: 0.5000", None, "1 of 2 runs of b")


def test_sizes_without_a_common_seed_leave_a_power_law_open():
    groups = {"a": runs(2.0, training={"flops": 1e12}), "b": runs(2.0, 1.0, training={"flops": 4e12})}
    groups["b"].digests.pop(0)
    finding = decided(groups, "power_law", lines={"gpt": ["a", "b"]}, x="teraflops", y=LOSS)
    assert (finding.holds, finding.why) == (None, "gpt: no seed has all sizes")
