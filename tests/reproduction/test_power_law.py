"""Power laws through sizes: against numpy's polynomial fit, and against laws that the data were made from."""

import numpy as np
import pytest

from seqlab.reproduction.power_law import fitted


def test_a_law_is_found_again_with_its_tenfold_gain():
    law = fitted([{1: (x, 3 * x**-0.2), 2: (2 * x, 3 * (2 * x) ** -0.2)} for x in (0.1, 0.4, 1.3, 2.0)])
    assert (law.constant, law.exponent, law.straightness) == pytest.approx((3.0, 0.2, 1.0))
    assert law(10.0) == pytest.approx(3.0 * 10**-0.2) and law(1.0) * (1 - law.tenfold) == pytest.approx(law(10.0))
    assert law.interval == pytest.approx((0.2, 0.2)) and law.falls


def test_each_seed_is_fitted_by_itself_as_numpy_does():
    generator = np.random.default_rng(1)
    xs = np.array([[0.1, 0.3, 0.9, 2.7]] * 3) * generator.uniform(0.9, 1.1, (3, 4))
    ys = 2.5 * xs**-0.08 * np.exp(generator.normal(0, 0.01, xs.shape))
    slopes, starts = zip(*(np.polyfit(np.log(x), np.log(y), 1) for x, y in zip(xs, ys, strict=True)), strict=True)
    law = fitted([dict(enumerate(zip(x, y, strict=True))) for x, y in zip(xs.T, ys.T, strict=True)])
    assert law.exponent == pytest.approx(-np.mean(slopes)) and law.constant == pytest.approx(np.exp(np.mean(starts)))
    half = 4.303 * np.std(slopes, ddof=1) / np.sqrt(3)  # Student's t, two degrees of freedom
    assert law.interval == pytest.approx((law.exponent - half, law.exponent + half))
    correlations = [np.corrcoef(np.log(x), np.log(y))[0, 1] for x, y in zip(xs, ys, strict=True)]
    assert law.straightness == pytest.approx(np.mean(np.square(correlations)))


def test_one_seed_has_no_interval_and_shows_no_fall():
    law = fitted([{7: (1.0, 4.0)}, {7: (2.0, 3.0)}])
    assert law.exponent > 0 and law.interval is None and not law.falls
    assert str(law) == f"{law.exponent:.4f}"


def test_seeds_that_only_some_sizes_have_are_left_out():
    """Each seed has a constant of its own, so that one seed paired with another would bend the law."""
    sizes = [{seed: (x, 2**seed * x**-0.1) for seed in (0, 1, 2)} for x in (1.0, 4.0, 16.0)]
    del sizes[1][1]
    law = fitted(sizes)
    assert law.exponent == pytest.approx(0.1) and law.constant == pytest.approx(2.0), "of seeds 0 and 2"


@pytest.mark.parametrize("sizes", [[], [[1.0]], [[1.0], [1.0]], [[1.0], []]])
def test_what_cannot_be_fitted_is_an_error(sizes):
    with pytest.raises(ValueError):
        fitted([{seed: (x, x) for seed, x in enumerate(size)} for size in sizes])
