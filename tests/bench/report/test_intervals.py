"""Intervals of the report against scipy, published examples and simulation."""

import numpy as np
import pytest
from scipy import stats

from gmvae.bench.report.statistics.intervals import (
    Estimate,
    difference_of_fractions,
    difference_of_means,
    fraction,
    mean_of,
)

ONE, OTHER = [71.0, 74.0, 69.5, 80.0, 77.0], [60.0, 61.0, 60.5, 59.0, 62.5, 61.5]


def test_intervals_of_means_are_those_of_scipy():
    ours = mean_of(ONE)
    theirs = stats.ttest_1samp(ONE, 0).confidence_interval(0.95)
    assert ours == pytest.approx((np.mean(ONE), theirs.low, theirs.high))
    ours = difference_of_means(ONE, OTHER)
    theirs = stats.ttest_ind(ONE, OTHER, equal_var=False).confidence_interval(0.95)
    assert ours == pytest.approx((np.mean(ONE) - np.mean(OTHER), theirs.low, theirs.high))


def test_samples_without_spread_or_with_one_value():
    assert mean_of([3.0])[0] == 3
    assert np.isnan(mean_of([3.0])[1:]).all()
    assert np.isnan(difference_of_means([3.0], ONE)[1:]).all()
    assert difference_of_means([3.0, 3.0], [1.0, 1.0]) == (2, 2, 2)
    against_constant = difference_of_means(ONE, [50.0] * 5)
    assert against_constant[1:] == pytest.approx([end - 50 for end in mean_of(ONE)[1:]])


def test_difference_of_fractions_is_the_published_example():
    """Newcombe (1998), table II, method 10: 56/70 and 48/80, 0/10 and 0/20."""
    example = difference_of_fractions(fraction(56, 70), fraction(48, 80))
    assert example == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    empty = difference_of_fractions(fraction(0, 10), fraction(0, 20))
    assert empty == pytest.approx((0, -0.1611, 0.2775), abs=5e-5)


@pytest.mark.parametrize(
    ("estimate", "direction"),
    [((2, 1, 3), 1), ((-2, -3, -1), -1), ((1, -1, 3), 0), ((5, np.nan, np.nan), 0)],
)
def test_direction_needs_the_whole_interval(estimate, direction):
    assert Estimate(*estimate).direction() == direction
