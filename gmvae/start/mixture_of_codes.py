"""The Gaussian mixture that is fitted to the codes of an autoencoder, to start a deep model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from gmvae.training.loop import DivergenceError

MAX_CODES = 20_000
"""Largest number of codes to fit a mixture to; its few hundred parameters need no more."""
MIN_VARIANCE = 1e-12
"""Variance in place of zero, for codes that are all equal; float32 can divide by it."""


@dataclass(frozen=True)
class Mixture:
    """Weights (K,), means (K, D) and variances (K, D) of a mixture of diagonal Gaussians."""

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    variances: NDArray[np.float64]


def mixture_of_codes(codes: NDArray, n_clusters: int, seed: int, *, n_init: int = 3) -> Mixture:
    """Fit the mixture with which a deep model starts.

    It is the most likely of several fits. EM uses full covariances, since the axes of the codes
    have no meaning, and starts from k-means; only the diagonals are kept. Of many codes, a random
    selection is used.

    Parameters
    ----------
    codes : ndarray, shape (N, D)
    n_clusters : int
    seed : int
    n_init : int, default=3
        Number of fits.

    Raises
    ------
    DivergenceError
        If a component degenerates.
    """
    if len(codes) > MAX_CODES:
        codes = np.random.default_rng(seed).choice(codes, MAX_CODES, replace=False)
    codes = codes.astype(np.float64)
    mixture = GaussianMixture(
        n_clusters,
        n_init=n_init,
        reg_covar=max(1e-4 * float(codes.var(axis=0).mean()), MIN_VARIANCE),
        max_iter=200,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not be exact
        try:
            mixture.fit(codes)
        except ValueError as error:
            raise DivergenceError(
                f"no mixture fits the codes of the autoencoder: {error}"
            ) from error
    variances = np.diagonal(mixture.covariances_, axis1=1, axis2=2)
    return Mixture(mixture.weights_, mixture.means_, np.ascontiguousarray(variances))
