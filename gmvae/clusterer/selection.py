"""Choice of one restart among several, without labels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

if TYPE_CHECKING:
    from torch import Tensor

FEWEST_THAT_AGREE = 3
"""Restarts that a choice by agreement needs: two agree with each other alike."""
N_COMPARED = 10_000
"""Training samples on which the clusters of restarts are compared, at most."""


def compared_rows(n_samples: int) -> NDArray[np.intp]:
    """Rows of at most `N_COMPARED` samples, evenly spread; the same ones every time."""
    n_compared = min(n_samples, N_COMPARED)
    return np.arange(n_compared) * n_samples // n_compared


def agreement(clusters: Sequence[NDArray[np.integer]]) -> NDArray[np.float64]:
    """Adjusted Rand index between every two assignments.

    Parameters
    ----------
    clusters : sequence of ndarray of int, shape (N,)

    Returns
    -------
    ndarray, shape (n, n)
        Symmetric; an assignment agrees with itself by 1.
    """
    indices = np.eye(len(clusters))
    for one, other in itertools.combinations(range(len(clusters)), 2):
        indices[one, other] = adjusted_rand_score(clusters[one], clusters[other])
        indices[other, one] = indices[one, other]
    return indices


def ranked(
    candidates: Sequence[Any], everyone: Sequence[Any], select_by: str, samples: Tensor
) -> list[Any]:
    """Order restarts by a criterion, the best first.

    Parameters
    ----------
    candidates : sequence of Restart
        Restarts to be ordered, with at least one epoch each.
    everyone : sequence of Restart
        All restarts that have clusters, `candidates` among them.
    select_by : {"elbo", "conditional_prior", "agreement"}
        The last epoch's mean bound (the highest is best), or the last epoch's mean of the
        conditional prior, a term of the objective (the lowest); or the mean adjusted Rand index
        with the clusters of all other restarts (the highest).
    samples : Tensor, shape (N, y_dim)
        Training samples.

    Returns
    -------
    list of Restart
    """
    if len(candidates) < 2:
        return list(candidates)
    if select_by == "agreement":
        chosen = samples[compared_rows(len(samples))]
        indices = agreement([restart.estimator.clusters_of(chosen) for restart in everyone])
        quality = dict(zip(everyone, indices.mean(axis=1), strict=True))
    else:
        sign = {"elbo": 1, "conditional_prior": -1}[select_by]
        quality = {one: sign * one.history[select_by][-1] for one in candidates}
    return sorted(candidates, key=lambda restart: -quality[restart])
