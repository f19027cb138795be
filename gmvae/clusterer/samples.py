"""Checks of the samples that a user passes, for all estimators with a network.

A fit records what it was given: ``observation_``, the family of p(y | x), and ``reads_pixels_``,
whether bytes stand for pixels from 0 to 255 (else for plain numbers).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import validate_data
from torch import Tensor

from gmvae.model.architectures import ImageShape

VALUES_AT_A_TIME = 1 << 22
"""Values that a check or a conversion copies at a time, so that samples can be a memory map that is
larger than the memory."""
DARKEST_PIXELS = 64
"""Bytes that are all below this are hardly meant as pixels from 0 to 255."""


def fitting_samples(estimator: Any, Y: ArrayLike) -> Tensor:
    """Check training samples and record what they are.

    Parameters
    ----------
    estimator : BaseEstimator
        With parameters ``n_clusters``, ``observation`` and ``image_shape``; gets the attributes
        ``n_features_in_``, ``observation_``, ``image_shape_`` and ``reads_pixels_``.
    Y : array-like, shape (n_samples, n_features) or (n_samples, height, width[, channels])
        Finite real values, or bytes that stand for pixels from 0 to 255. Arrays of float32 and of
        bytes are used where they are, memory maps included; others are copied as float32.

    Returns
    -------
    Tensor, shape (n_samples, n_features)
        uint8 if `Y` is, else float32.

    Raises
    ------
    ValueError
        If `Y` has another shape, is not finite, does not fit the observation or has fewer samples
        than clusters.
    """
    estimator.image_shape_, Y = _flat(estimator.image_shape, Y)
    samples = _tensor(estimator, Y, reset=True)
    if estimator.image_shape_ is not None and math.prod(estimator.image_shape_) != samples.shape[1]:
        raise ValueError(
            f"image_shape={tuple(estimator.image_shape_)} has {math.prod(estimator.image_shape_)} "
            f"values, but each sample has {samples.shape[1]}"
        )
    n_samples, n_clusters = len(samples), estimator.n_clusters
    if n_samples < max(2, n_clusters):
        raise ValueError(
            f"at least n_clusters={n_clusters} (and never fewer than 2) samples are needed to "
            f"train, but Y has n_samples={n_samples}"
        )
    estimator.reads_pixels_ = samples.dtype == torch.uint8
    if estimator.reads_pixels_ and samples.max() <= 1:
        raise ValueError(
            "Y is of type uint8, which is read as pixels from 0 to 255, but holds nothing above 1; "
            "if it is binary or already scaled, pass Y.astype('float32')"
        )
    estimator.observation_ = estimator.observation
    if estimator.observation == "auto":
        estimator.observation_ = "bernoulli" if _within_0_and_1(samples) else "gaussian"
    _require_fit(estimator, samples)
    _warn_of_counts(estimator, samples)
    return samples


def as_samples(estimator: Any, Y: ArrayLike) -> Tensor:
    """Check samples against those that `estimator` was fitted to; errors as `fitting_samples`."""
    _, Y = _flat(estimator.image_shape_, Y)
    samples = _tensor(estimator, Y, reset=False)
    if samples.dtype == torch.uint8 and estimator.observation_ == "gaussian":
        # Real vectors that come as bytes are pixels only if those of the fit were.
        return samples if estimator.reads_pixels_ else samples.float()
    _require_fit(estimator, samples)
    return samples


def _flat(given: Sequence[int] | None, Y: Any) -> tuple[ImageShape | None, Any]:
    """Shape of the images, and flat samples.

    Parameters
    ----------
    given : sequence of int, or None
        Shape that images have to have.
    Y : array-like
        Flat samples stay as they are.
    """
    expected = None if given is None else ImageShape(*given)
    if isinstance(Y, (list, tuple)) and len(Y) and np.ndim(Y[0]) > 1:
        Y = np.asarray(Y)
    shape = getattr(Y, "shape", ())
    if len(shape) > 4:
        raise ValueError(
            f"Y has {len(shape)} axes, but samples are expected in the shape (n_samples, "
            "n_features), or as images in (n_samples, height, width[, channels])"
        )
    if len(shape) < 3:
        return expected, Y
    found = ImageShape(*shape[1:])
    if expected not in (None, found):
        raise ValueError(
            f"Y holds images of shape {tuple(found)} (height, width, channels), but those of "
            f"image_shape={tuple(expected or ())} are expected"
        )
    return found, np.asarray(Y).reshape(len(Y), math.prod(found))


def _tensor(estimator: Any, Y: ArrayLike, *, reset: bool) -> Tensor:
    array = validate_data(
        estimator, Y, reset=reset, dtype=[np.float32, np.float64, np.uint8], order="C"
    )
    if array.dtype == np.float64:
        array = _as_float32(array)
    with warnings.catch_warnings():
        # Nothing writes to samples, so a read-only array, such as a memory map, needs no copy.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _as_float32(array: NDArray[np.float64]) -> NDArray[np.float32]:
    converted = np.empty(array.shape, np.float32)
    step = max(1, VALUES_AT_A_TIME // array.shape[1])
    with np.errstate(over="ignore"):  # overflow is reported below
        for start in range(0, len(array), step):
            rows = slice(start, start + step)
            converted[rows] = array[rows]
            if not np.isfinite(converted[rows]).all():
                raise ValueError("Y has values too large for float32; scale it first")
    return converted


def _warn_of_counts(estimator: Any, samples: Tensor) -> None:
    """Warn of small whole numbers, which are often meant for something else than they are read."""
    lowest, highest = (float(value) for value in samples.aminmax())
    if estimator.reads_pixels_:
        if estimator.observation != "gaussian" and highest < DARKEST_PIXELS:
            warnings.warn(
                f"Y is of type uint8, which is read as pixels from 0 to 255, but goes to "
                f"{highest:g} only: such dark pixels often end up in one cluster. If {highest:g} "
                f"stands for white, pass Y / {highest:g}; for counts and other numbers set "
                "observation='gaussian'",
                stacklevel=6,
            )
        return
    may_be_counts = lowest >= 0 and 1 < highest <= 255
    if estimator.observation == "auto" and may_be_counts and _are_whole(samples):
        warnings.warn(
            f"Y holds whole numbers from {lowest:g} to {highest:g}, which are taken for real "
            f"values in units of their own. If they are pixels, divide them by the largest "
            f"possible value, as in Y / {highest:g}; if not, set observation='gaussian', which "
            "changes nothing but ends this warning",
            stacklevel=6,
        )


def _are_whole(samples: Tensor) -> bool:
    blocks = samples.split(max(1, VALUES_AT_A_TIME // samples.shape[1]))
    return all(bool((rows == rows.round()).all()) for rows in blocks)


def _within_0_and_1(samples: Tensor) -> bool:
    if samples.dtype == torch.uint8:
        return True
    lowest, highest = samples.aminmax()
    return bool(lowest >= 0 and highest <= 1)


def _require_fit(estimator: Any, samples: Tensor) -> None:
    if estimator.observation_ == "bernoulli" and not _within_0_and_1(samples):
        raise ValueError(
            "observation='bernoulli' needs values from 0 to 1, but Y goes from "
            f"{samples.min():g} to {samples.max():g}; scale Y or fit with observation='gaussian'"
        )
