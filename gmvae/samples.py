"""From what a user passes as samples to a checked tensor, for all estimators with a network."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data
from torch import Tensor

from gmvae.observation import Observation
from gmvae.training import require_one_of


def fitting_samples(estimator: BaseEstimator, Y: ArrayLike, n_clusters: int) -> Tensor:
    """Check training samples and note their width as ``n_features_in_``.

    Parameters
    ----------
    estimator : BaseEstimator
    Y : array-like, shape (n_samples, n_features)
        Finite real values, or bytes that stand for pixels from 0 to 255.
    n_clusters : int
        The least number of samples that will do.

    Returns
    -------
    Tensor, shape (n_samples, n_features)
        uint8 if `Y` is, else float32.

    Raises
    ------
    ValueError
        If `Y` has another shape, is not finite or has fewer samples than clusters.
    """
    samples = as_samples(estimator, Y, reset=True)
    n_samples = len(samples)
    if n_samples < max(2, n_clusters):
        raise ValueError(
            f"at least n_clusters={n_clusters} (and never fewer than 2) samples are needed to "
            f"train, but Y has n_samples={n_samples}"
        )
    if samples.dtype == torch.uint8 and samples.max() <= 1:
        raise ValueError(
            "Y is of type uint8, which is read as pixels from 0 to 255, but holds nothing above 1; "
            "if it is binary or already scaled, pass Y.astype('float32')"
        )
    return samples


def as_samples(estimator: BaseEstimator, Y: ArrayLike, *, reset: bool = False) -> Tensor:
    """Check samples against those that `estimator` was fitted to (or, with `reset`, note them)."""
    array = validate_data(
        estimator, Y, reset=reset, dtype=[np.float32, np.float64, np.uint8], order="C"
    )
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise ValueError("Y has values too large for float32; scale it first")
    if not array.flags.writeable:
        array = array.copy()
    return torch.from_numpy(array)


def resolve_observation(name: str, samples: Tensor) -> Observation:
    """Turn "auto" into a family of p(y | x), and check the samples against the family.

    Raises
    ------
    ValueError
        If the family is unknown, or Bernoulli is asked for values outside 0 and 1.
    """
    require_one_of("observation", name, ("auto", "bernoulli", "gaussian"))
    if name == "gaussian":
        return "gaussian"
    within = samples.dtype == torch.uint8 or (samples.min() >= 0 and samples.max() <= 1)
    if within:
        return "bernoulli"
    if name == "auto":
        return "gaussian"
    raise ValueError(
        "observation='bernoulli' needs values from 0 to 1, but Y goes from "
        f"{samples.min():g} to {samples.max():g}; scale Y or use observation='gaussian'"
    )
