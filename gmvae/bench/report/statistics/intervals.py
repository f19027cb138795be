"""95 % intervals of means and fractions, and of the difference between two of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, t

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A value with the ends of its interval, which are NaN where it has none."""

    value: float
    low: float
    high: float

    def direction(self) -> int:
        """1 or -1 if the whole interval is above or below 0; 0 if it holds 0 or is missing."""
        return int(self.low > 0) - int(self.high < 0)


def mean_of(values: ArrayLike) -> Estimate:
    """Mean of a sample and its t-interval; one value has no interval."""
    sample = np.asarray(values, np.float64)
    if len(sample) < 2:
        return Estimate(float(sample.mean()), np.nan, np.nan)
    half = t.ppf((1 + CONFIDENCE) / 2, len(sample) - 1) * sample.std(ddof=1) / np.sqrt(len(sample))
    return Estimate(sample.mean(), sample.mean() - half, sample.mean() + half)


def difference_of_means(one: ArrayLike, other: ArrayLike) -> Estimate:
    """Mean of `one` minus that of `other`, with Welch's interval for unequal variances.

    Without spread on both sides the interval is the value itself.
    """
    samples = [np.asarray(values, np.float64) for values in (one, other)]
    value = float(samples[0].mean() - samples[1].mean())
    if min(map(len, samples)) < 2:
        return Estimate(value, np.nan, np.nan)
    variances = [sample.var(ddof=1) / len(sample) for sample in samples]
    if not sum(variances):
        return Estimate(value, value, value)
    parts = sum(v**2 / (len(s) - 1) for v, s in zip(variances, samples, strict=True))
    half = t.ppf((1 + CONFIDENCE) / 2, sum(variances) ** 2 / parts) * np.sqrt(sum(variances))
    return Estimate(value, value - half, value + half)


def fraction(found: int, total: int, confidence: float = CONFIDENCE) -> Estimate:
    """A fraction with its Wilson interval."""
    ends = binomtest(found, total).proportion_ci(confidence, method="wilson")
    return Estimate(found / total, float(ends.low), float(ends.high))


def difference_of_fractions(one: Estimate, other: Estimate) -> Estimate:
    """Fraction `one` minus `other`, with Newcombe's interval, made from their Wilson intervals.

    Statistics in Medicine 17 (1998) 873, method 10.
    """
    value = one.value - other.value
    below = np.hypot(one.value - one.low, other.high - other.value)
    above = np.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, float(value - below), float(value + above))
