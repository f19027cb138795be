"""Scaling of real vectors, alike for every method, by what the training split says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.data import Dataset, Split
from gmvae.bench.disk.errors import DataError

SCALES = ("none", "standard", "minmax")


def scaled(data: Dataset, how: str) -> Dataset:
    """Scale each value of the samples.

    Parameters
    ----------
    data : Dataset
    how : {"none", "standard", "minmax"}
        "standard" gives the training samples mean 0 and standard deviation 1, "minmax" the range
        from 0 to 1. Values that do not vary become 0.

    Raises
    ------
    DataError
        If the samples are bytes.
    """
    if how == "none":
        return data
    if data.train.images.dtype == np.uint8:
        raise DataError(
            f"scale: {how} is for real values, but these samples are bytes, which stand for pixels "
            "from 0 to 255; leave it out"
        )
    exact = data.train.images.astype(np.float64)
    if how == "standard":
        centre, spread = exact.mean(axis=0), exact.std(axis=0)
    else:
        centre, spread = exact.min(axis=0), np.ptp(exact, axis=0)
    varies = spread > 1e-12 * np.abs(exact).max(axis=0)

    def applied(split: Split) -> Split:
        values: NDArray[np.float64] = (split.images - centre) / np.where(varies, spread, 1.0)
        if how == "minmax":  # the test split may reach beyond
            values = values.clip(0.0, 1.0)
        return replace(split, images=np.where(varies, values, 0.0).astype(np.float32))

    return replace(data, train=applied(data.train), test=applied(data.test))
