"""Scores of a cluster assignment: against classes, in [0, 1], and without labels, in [-1, 1].

C[k, c] counts the test samples of class c in cluster k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)

Labels = NDArray[np.integer[Any]]
MOST_COMPARED = 2000
"""Samples that a silhouette is computed from, at most: its cost grows with their square."""
SUBSET_SEED = 0
MOST_CELLS = 100_000
"""Of a table of two assignments that is held as a whole."""
DECIMALS = 6
"""Of a silhouette. Other machines differ in digits behind them, and a score is to be the same."""


@dataclass(frozen=True)
class Metrics:
    """All scores of one run.

    `accuracy_exemplar` is None for a method without probabilities, and everything but
    `clusters_used` is None where the labels are not known.
    """

    clusters_used: int
    accuracy_hungarian: float | None = None
    accuracy_exemplar: float | None = None
    accuracy_majority: float | None = None
    nmi: float | None = None
    ari: float | None = None


def contingency(clusters: Labels, labels: Labels) -> NDArray[np.int64]:
    """C[k, c], the number of samples of class c in cluster k.

    Parameters
    ----------
    clusters, labels : ndarray of int, shape (N,)
        Numbered from 0.

    Returns
    -------
    ndarray of int, shape (K, n_classes)
    """
    if clusters.shape != labels.shape or clusters.ndim != 1 or len(clusters) == 0:
        raise ValueError(
            f"clusters and labels should be of the same shape (N,) with N > 0, but are "
            f"{clusters.shape} and {labels.shape}"
        )
    counts = np.zeros((int(clusters.max()) + 1, int(labels.max()) + 1), dtype=np.int64)
    np.add.at(counts, (clusters, labels), 1)
    return counts


def accuracy_hungarian(clusters: Labels, labels: Labels) -> float:
    """Accuracy under the best one-to-one matching of clusters to classes.

    With more clusters than classes the samples of unmatched clusters count as wrong; with fewer,
    those of unmatched classes do (Yang et al., arXiv:1604.03628, eq. 8; Kuhn, 1955).

    Parameters
    ----------
    clusters, labels : ndarray of int, shape (N,)

    Returns
    -------
    float
        In [0, 1].
    """
    counts = contingency(clusters, labels)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / len(labels))


def accuracy_exemplar(clusters: Labels, exemplars: Labels, labels: Labels) -> float:
    """The paper's protocol: a cluster takes the label of its most probable test sample.

    Makhzani et al., arXiv:1511.05644, section 6; arXiv:1611.02648v2, section 4.2. Where several
    samples are equally probable, the accuracy is the mean over them all, which is what a choice by
    lot gives in expectation.

    Parameters
    ----------
    clusters, labels : ndarray of int, shape (N,)
    exemplars : ndarray of int, shape (n, 2)
        Pairs of a cluster and one of its most probable samples; at least one for each cluster in
        use.

    Returns
    -------
    float
        In [0, 1].
    """
    counts = contingency(clusters, labels)
    shares = np.zeros(counts.shape)
    np.add.at(shares, (exemplars[:, 0], labels[exemplars[:, 1]]), 1.0)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1.0)
    return float((shares * counts).sum() / len(labels))


def accuracy_majority(clusters: Labels, labels: Labels) -> float:
    """Accuracy if each cluster takes its most frequent class: an upper bound on the others."""
    return float(contingency(clusters, labels).max(axis=1).sum() / len(labels))


def evaluate(clusters: Labels, exemplars: Labels | None, labels: Labels | None) -> Metrics:
    """All scores of one assignment.

    Parameters
    ----------
    clusters : ndarray of int, shape (N,)
    exemplars : ndarray of int, shape (n, 2), or None
        None for a method without probabilities.
    labels : ndarray of int, shape (N,), or None
        None where they are not known.

    Returns
    -------
    Metrics
    """
    used = len(np.unique(clusters))
    if labels is None:
        return Metrics(clusters_used=used)
    return Metrics(
        clusters_used=used,
        accuracy_hungarian=accuracy_hungarian(clusters, labels),
        accuracy_exemplar=(
            None if exemplars is None else accuracy_exemplar(clusters, exemplars, labels)
        ),
        accuracy_majority=accuracy_majority(clusters, labels),
        nmi=float(normalized_mutual_info_score(labels, clusters)),
        ari=float(adjusted_rand_score(labels, clusters)),
    )


def silhouette(clusters: Labels, points: NDArray[Any]) -> float | None:
    """Mean silhouette of the samples (Rousseeuw, 1987), by Euclidean distance.

    Parameters
    ----------
    clusters : ndarray of int, shape (N,)
    points : ndarray, shape (N, ...)
        Latent codes or samples. At most `MOST_COMPARED` of them are compared, always the same ones
        for the same N.

    Returns
    -------
    float or None
        In [-1, 1]. None if it is not defined: there are not two clusters, no two samples share
        one, or a point is not finite.
    """
    rows = np.random.default_rng(SUBSET_SEED).permutation(len(clusters))[:MOST_COMPARED]
    shown, compared = clusters[rows], np.asarray(points[rows], dtype=np.float64)
    if not 1 < len(np.unique(shown)) < len(shown) or not np.isfinite(compared).all():
        return None
    return round(float(silhouette_score(compared.reshape(len(shown), -1), shown)), DECIMALS)


def agreement(assignments: Sequence[Labels]) -> float | None:
    """Mean adjusted Rand index over all pairs of assignments of the same samples.

    Parameters
    ----------
    assignments : sequence of ndarray of int, shape (N,)

    Returns
    -------
    float or None
        1 if they are the same up to the names of the clusters, about 0 if they have nothing in
        common. None for fewer than two.
    """
    if len(assignments) < 2:
        return None
    return float(np.mean(agreements(assignments)[np.triu_indices(len(assignments), k=1)]))


def agreements(assignments: Sequence[Labels]) -> NDArray[np.float64]:
    """Adjusted Rand index (Hubert and Arabie, 1985, eq. 5) between every two assignments.

    Bit for bit as scikit-learn's `adjusted_rand_score`, and many times as fast: forty runs of one
    setting have 780 pairs. `gmvae.clusterer.selection`, which compares a few restarts, keeps to
    scikit-learn, since another checksum of its code would put all runs of GMVAE out of date.

    Parameters
    ----------
    assignments : sequence of ndarray of int, shape (N,)

    Returns
    -------
    ndarray, shape (n, n)
        Symmetric; an assignment agrees with itself by 1.
    """
    numbered = [np.unique(one, return_inverse=True)[1] for one in assignments]
    sizes = [np.bincount(one) for one in numbered]
    shared = [int(size @ size) for size in sizes]
    indices = np.eye(len(assignments))
    for one, other in combinations(range(len(assignments)), 2):
        cells = numbered[one] * len(sizes[other]) + numbered[other]
        is_small = len(sizes[one]) * len(sizes[other]) < MOST_CELLS
        counts = np.bincount(cells) if is_small else np.unique(cells, return_counts=True)[1]
        index = _adjusted_rand(len(cells), int(counts @ counts), shared[one], shared[other])
        indices[one, other] = indices[other, one] = index
    return indices


def _adjusted_rand(n: int, in_both: int, in_one: int, in_other: int) -> float:
    """Index from the ordered pairs of `n` samples that share a cluster, each with itself too."""
    tp, fn, fp = in_both - n, in_one - in_both, in_other - in_both
    tn = n * n - in_one - in_other + in_both
    if fn == fp == 0:
        return 1.0
    return 2.0 * (tp * tn - fn * fp) / ((tp + fn) * (fn + tn) + (tp + fp) * (fp + tn))
