"""Codes of an autoencoder: a Gaussian mixture of them, and an initial q(x | y)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from gmvae.clusterer.evaluation import evaluate
from gmvae.training.loop import DivergenceError

INITIAL_NOISE = 0.05
"""Initial variance of q(x | y), as a share of the variance of the codes."""
MAX_CODES = 20_000
"""Largest number of codes to fit a mixture to; its few hundred parameters need no more."""
MIN_VARIANCE = 1e-12
"""Variance in place of zero, for codes that are all equal; float32 can divide by it."""


def codes_of(encode: Callable[[Tensor], Tensor], samples: Tensor) -> NDArray[np.float32]:
    """Codes of all samples, shape (N, x_dim).

    Raises
    ------
    DivergenceError
        If they are not finite.
    """
    codes = evaluate(lambda y: (encode(y),), samples, samples.device)[0]
    if not np.isfinite(codes).all():
        raise DivergenceError(
            "the autoencoder diverged in its last step: its codes are not finite; a lower "
            "pretrain_learning_rate usually helps"
        )
    return codes


@dataclass(frozen=True)
class Mixture:
    """Weights (K,), means (K, D) and variances (K, D) of a mixture of diagonal Gaussians."""

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    variances: NDArray[np.float64]


def mixture_of_codes(codes: NDArray, n_clusters: int, seed: int) -> Mixture:
    """Fit the mixture with which a deep model starts.

    It is the most likely of three fits. EM uses full covariances, since the axes of the codes
    have no meaning, and starts from k-means; only the diagonals are kept. Of many codes, a random
    selection is used.

    Parameters
    ----------
    codes : ndarray, shape (N, D)
    n_clusters : int
    seed : int

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
        n_init=3,
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


@torch.no_grad()
def set_posterior_noise(head: nn.Linear, codes: NDArray[np.floating]) -> None:
    """Give q(x | y) one small variance for all y, after a phase without noise.

    Parameters
    ----------
    head : Linear
        Layer whose outputs are x_dim means, x_dim log variances, and possibly others.
    codes : ndarray, shape (N, x_dim)
        Codes of the training samples; the variance is `INITIAL_NOISE` times theirs.
    """
    x_dim = codes.shape[1]
    rows = slice(x_dim, 2 * x_dim)
    variances = np.maximum(INITIAL_NOISE * codes.var(axis=0), MIN_VARIANCE)
    head.weight[rows] = 0
    head.bias[rows] = torch.from_numpy(np.log(variances)).to(head.bias)
