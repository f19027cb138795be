"""k-means on the raw samples (Lloyd, 1982; seeding of Arthur and Vassilvitskii, 2007)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans

from .shared.saving import Saved


class PixelKMeans(Saved, KMeans):
    """scikit-learn's k-means; of ten k-means++ starts, the one with the lowest inertia is kept.

    Parameters
    ----------
    n_clusters : int, default=10
    n_init : int, default=10
    max_iter : int, default=300
    random_state : int, RandomState or None, default=None
    """

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        n_init: int = 10,
        max_iter: int = 300,
        random_state: int | None = None,
    ):
        super().__init__(n_clusters, n_init=n_init, max_iter=max_iter, random_state=random_state)

    def predict(self, X: ArrayLike) -> NDArray[np.int32]:
        """Index of the nearest centre of each sample.

        Parameters
        ----------
        X : array-like, shape (N, D)

        Returns
        -------
        ndarray of int32, shape (N,)
        """
        # Written out, so that a plan of a grid sees it without importing scikit-learn.
        return super().predict(X)
