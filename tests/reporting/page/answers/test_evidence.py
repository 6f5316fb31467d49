"""Intervals are those of the textbooks, never narrower; what one seed gave is not called shown."""

import math

import pytest

from seqlab.reporting.page.answers.evidence import Gap, between, single_seeds, within


@pytest.mark.parametrize(
    ("first", "second", "exact"),
    [  # as scipy.stats.ttest_ind(second, first, equal_var=False).confidence_interval() has them
        ([1.0, 2.0, 3.0], [4.0, 5.5, 6.0], (0.851502, 5.481832)),
        ([1.0, 1.1], [3.0, 7.0, 2.0, 4.5], (-0.380813, 6.530813)),
        ([0.1] * 2 + [0.2] * 40, [0.3, 0.1, 0.4], (-0.307269, 0.450126)),
    ],
)
def test_the_interval_is_welchs_and_no_narrower(first, second, exact):
    low, high = between(first, second).over_seeds
    assert low <= exact[0] + 1e-3 and high >= exact[1] - 1e-3  # degrees of freedom are rounded down
    assert high - low < 1.5 * (exact[1] - exact[0])


def test_the_interval_by_hand():
    # Variances 1 and 1 of three values each: standard error sqrt(2/3), four degrees of freedom, t = 2.776.
    found = between([1.0, 2.0, 3.0], [5.0, 6.0, 7.0])
    assert (found.size, found.seeds) == (4.0, (3, 3))
    assert found.over_seeds == pytest.approx((4 - 2.776 * math.sqrt(2 / 3), 4 + 2.776 * math.sqrt(2 / 3)))
    assert found.shown and not found.none_shown


def test_a_mean_of_differences_has_students_interval():
    # Of 1, 2, 3: standard error 1/sqrt(3), two degrees of freedom, t = 4.303.
    assert within([1.0, 2.0, 3.0]).over_seeds == pytest.approx((2 - 4.303 / math.sqrt(3), 2 + 4.303 / math.sqrt(3)))
    assert within([2.0]) == Gap(2.0, (1, 1)) and within([]) is None


@pytest.mark.parametrize(
    ("difference", "shown", "none_shown"),
    [
        (Gap(1.0, (3, 3), (0.5, 1.5)), True, False),
        (Gap(1.0, (3, 3), (-0.5, 2.5)), False, True),
        (Gap(1.0, (3, 3), (0.5, 1.5), (-0.1, 2.1)), False, True),  # the examples could be luck
        (Gap(1.0, (3, 3), (-0.1, 2.1), (0.5, 1.5)), False, True),  # the seeds could be luck
        (Gap(1.0, (1, 3), None, (0.5, 1.5)), False, False),  # one seed: p = 0.04995 shows nothing
        (Gap(1.0, (1, 1)), False, False),
        (Gap(0.0, (1, 1)), False, True),
        (Gap(0.0, (3, 3), (0.0, 0.0)), False, True),
        (Gap(-1.0, (3, 3), (-1.0, -1.0)), False, False),  # all seeds alike: two may be so by chance
        (Gap(-1.0, (3, 3), (-1.0, -1.0), (-1.5, -0.5)), True, False),
    ],
)
def test_a_difference_is_shown_where_no_interval_holds_zero_and_there_are_seeds(difference, shown, none_shown):
    assert (difference.shown, difference.none_shown) == (shown, none_shown)
    assert (difference.turned.shown, difference.turned.none_shown) == (shown, none_shown)


def test_nothing_beside_something_is_no_difference():
    assert between([], [1.0]) is None and between([1.0], []) is None


def test_signs_and_units_are_written():
    gap = Gap(-7.0, (2, 3), (-7.25, -6.75), (-8.0, -6.0))
    assert gap.in_metric("token BLEU") == "−7.00 (95 %: over seeds −7.25 to −6.75, over test examples −8.00 to −6.00)"


@pytest.mark.parametrize(("size", "text"), [(0.0153, "+1.53"), (0.0, "+0.00"), (1e-6, "+0.0001"), (-0.2, "−20.00")])
def test_shares_differ_by_percentage_points(size, text):
    """+1.53% would be read as a relative change."""
    assert Gap(size, (1, 1)).in_metric("exact match") == f"{text} percentage points"


def test_who_has_one_seed_is_named():
    assert single_seeds(Gap(1.0, (1, 2)), "gru", "lstm").startswith("one seed of gru: what another seed")
    assert single_seeds(Gap(1.0, (1, 1)), "gru", "lstm").startswith("one seed of gru and lstm: what another seed")
    assert single_seeds(between([1.0, 1.0], [2.0, 2.0]), "gru", "lstm").startswith(
        "all seeds of a side have the same value"
    )
