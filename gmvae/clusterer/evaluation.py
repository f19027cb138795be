"""Results of a trained network for many samples, in batches of one fixed size."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from gmvae.model.networks import as_batch
from gmvae.training.loop import DivergenceError

EVALUATION_BATCH = 500
ROWS_AT_A_TIME = 200 * EVALUATION_BATCH
"""Samples whose probabilities are held at a time, at most, where clusters alone are wanted."""


@torch.no_grad()
def evaluate(
    function: Callable[[Tensor], tuple[Tensor, ...]],
    samples: Tensor,
    device: torch.device,
) -> list[NDArray[np.float32]]:
    """Apply `function` to all `samples` in batches of one fixed size.

    The last batch is padded to that size. So every sample goes through the same matrix products,
    and its result does not depend on how many others there are.

    Parameters
    ----------
    function : callable
        Maps (B, y_dim) to tensors whose first axis is B.
    samples : Tensor, shape (N, y_dim)
    device : torch.device

    Returns
    -------
    list of ndarray
        One array per result of `function`, first axis N.
    """
    results: list[NDArray[np.float32]] = []
    for start in range(0, len(samples), EVALUATION_BATCH):
        rows = samples[start : start + EVALUATION_BATCH].to(device)
        n_rows = len(rows)
        if n_rows < EVALUATION_BATCH:
            rows = torch.cat([rows, rows[-1:].expand(EVALUATION_BATCH - n_rows, -1)])
        pieces = [one[:n_rows].float().cpu().numpy() for one in function(as_batch(rows))]
        results = results or [
            np.empty((len(samples), *piece.shape[1:]), np.float32) for piece in pieces
        ]
        for result, piece in zip(results, pieces, strict=True):
            result[start : start + n_rows] = piece
    return results


def most_probable(
    probabilities: Callable[[Tensor], NDArray[np.float32]],
    samples: Tensor,
    *,
    must_be_finite: bool = False,
) -> NDArray[np.intp]:
    """Most probable clusters, without the probabilities of all samples at a time.

    Parameters
    ----------
    probabilities : callable
        Maps (B, y_dim) to probabilities (B, K).
    samples : Tensor, shape (N, y_dim)
    must_be_finite : bool, default=False
        Whether to refuse probabilities that are not, as after a training that diverged.

    Returns
    -------
    ndarray of int, shape (N,)

    Raises
    ------
    DivergenceError
        If a probability is not finite, but has to be.
    """
    clusters = np.empty(len(samples), np.intp)
    for start in range(0, len(samples), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        found = probabilities(samples[rows])
        if must_be_finite and not np.isfinite(found).all():
            raise DivergenceError(
                "training diverged in its last step: the cluster probabilities of the training "
                "samples are not finite; a lower learning_rate usually helps"
            )
        clusters[rows] = found.argmax(axis=1)
    return clusters


def warn_of_collapse(labels: NDArray[np.integer], n_clusters: int) -> None:
    """Warn if the training samples are in one cluster, or in fewer than half of the clusters.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
    n_clusters : int
        K; with a single cluster there is nothing to warn of.
    """
    n_used = np.count_nonzero(np.bincount(labels))
    if n_clusters > 1 and (n_used == 1 or 2 * n_used < n_clusters):
        warnings.warn(
            f"the fit has collapsed: only {n_used} of {n_clusters} clusters hold training samples; "
            "try several restarts (n_init=4), more epochs, a smaller batch_size or n_clusters or, "
            "for data that were taken for pixels and are none, observation='gaussian'",
            ConvergenceWarning,
            stacklevel=3,
        )
