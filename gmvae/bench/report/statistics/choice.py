"""Choice of a run without labels: what the run that a criterion picks out of n is worth.

Runs of one setting stand for restarts of one fit: for every choice of n of them, each criterion
picks one, and the mean score of the picked runs is what choosing among n restarts gives.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gmvae.clusterer.selection import FEWEST_THAT_AGREE

MAX_SUBSETS = 2000
"""Subsets of each size, drawn at random where there are more."""
N_BOOTSTRAP = 1000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Criteria:
    """Values that runs of one setting can be chosen by, S runs each.

    Attributes
    ----------
    values : mapping of str to ndarray, shape (S,)
        By name of the criterion; the highest is the best.
    agreement : ndarray, shape (S, S), or None
        Adjusted Rand index between the training clusters of every two runs.
    """

    values: Mapping[str, Floats]
    agreement: Floats | None = None

    def picks(self, subsets: NDArray[np.intp]) -> dict[str, NDArray[np.intp]]:
        """The run that each criterion picks out of each subset.

        Parameters
        ----------
        subsets : ndarray of int, shape (T, n)
            Indices of runs.

        Returns
        -------
        dict of str to ndarray of int, shape (T,)
            Agreement is left out if the subsets have fewer than three runs.
        """
        quality = {name: value[subsets] for name, value in self.values.items()}
        if self.agreement is not None and subsets.shape[1] >= FEWEST_THAT_AGREE:
            pairs = self.agreement[subsets[:, :, None], subsets[:, None, :]]  # (T, n, n)
            quality["agreement"] = pairs.sum(axis=2)  # each run's agreement with itself is 1
        rows = np.arange(len(subsets))
        return {name: subsets[rows, value.argmax(axis=1)] for name, value in quality.items()}


def subsets_of(n_runs: int, size: int) -> NDArray[np.intp]:
    """All subsets of a size, or `MAX_SUBSETS` random ones where there are more.

    Returns
    -------
    ndarray of int, shape (T, size)
    """
    if math.comb(n_runs, size) <= MAX_SUBSETS:
        return np.array(list(itertools.combinations(range(n_runs), size)))
    random = np.random.default_rng(0)
    return np.argsort(random.random((MAX_SUBSETS, n_runs)), axis=1)[:, :size]


def worth(criteria: Criteria, scores: Floats, size: int) -> dict[str, Floats]:
    """Mean score of the run that is picked out of `size`, in the data and in bootstrap samples.

    A bootstrap sample counts each run as often as it was drawn. A subset counts as often as it can
    be drawn from that sample with all its runs different, since a run agrees with itself.

    Parameters
    ----------
    criteria : Criteria
        Those of S runs.
    scores : ndarray, shape (S,)
    size : int
        Number of runs to pick from, from 1 to S.

    Returns
    -------
    dict of str to ndarray, shape (1 + N_BOOTSTRAP,)
        By criterion, with ``mean`` (one run at random) and ``best`` (the highest score of the
        subset) beside them. The first value is that of the data.
    """
    subsets = subsets_of(len(scores), size)
    weights = _weights(len(scores), size)
    of_subsets = {
        "mean": scores[subsets].mean(axis=1),
        **{name: scores[picked] for name, picked in criteria.picks(subsets).items()},
        "best": scores[subsets].max(axis=1),
    }
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):  # a sample may hold fewer different runs than `size`
        return {name: weights @ values / total for name, values in of_subsets.items()}


@lru_cache(maxsize=8)  # sizes; every score, and every setting with as many runs, shares them
def _weights(n_runs: int, size: int) -> Floats:
    """Number of times that each subset counts, in the data and in each bootstrap sample."""
    subsets = subsets_of(n_runs, size)
    counts = np.random.default_rng(1).multinomial(
        n_runs, np.full(n_runs, 1 / n_runs), size=N_BOOTSTRAP
    )
    of_samples = counts[:, subsets].prod(axis=2, dtype=np.float64)
    weights = np.concatenate([np.ones((1, len(subsets))), of_samples])
    weights.setflags(write=False)
    return weights


def interval(values: Floats) -> tuple[float, float]:
    """95 % interval from the bootstrap samples among the values that `worth` returns."""
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return float(low), float(high)
