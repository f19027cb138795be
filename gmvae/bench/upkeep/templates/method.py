"""NAME: k-means with probabilities, to be replaced by your idea.

This file is the method ``NAME`` of the benchmark. Its one public class is found by the name of the
file, and nothing has to be registered.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import kmeans_plusplus
from sklearn.metrics import pairwise_distances
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from baselines.shared.saving import Saved


# `Saved` gives save and load, as long as all fitted attributes are numbers, text or arrays.
class NewMethod(Saved, ClusterMixin, BaseEstimator):
    """Lloyd's k-means, whose probabilities fall with the squared distance to the centres.

    Parameters
    ----------
    n_clusters : int, default=10
        K of a config.
    max_iter : int, default=100
        Largest number of iterations. Each argument of the constructor, but for K and the seed, can
        be set by ``parameters`` in a config.
    random_state : int, RandomState or None, default=None
        The seed of a run.
    """

    def __init__(
        self, n_clusters: int = 10, *, max_iter: int = 100, random_state: int | None = None
    ):
        # Only stored here; scikit-learn wants all checks and all work in fit.
        self.n_clusters = n_clusters
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, Y: ArrayLike, y: None = None) -> Self:
        """Fit to samples `Y`, shape (n_samples, n_features); images have values from 0 to 1."""
        # Refuses NaN and wrong shapes, and remembers the number of features.
        samples = validate_data(self, Y, dtype=[np.float64, np.float32])
        if len(samples) < self.n_clusters:
            raise ValueError(f"n_samples={len(samples)} should be >= n_clusters={self.n_clusters}")
        # All random numbers come from here, so a seed gives the same clusters each time.
        random = check_random_state(self.random_state)
        self.centres_, _ = kmeans_plusplus(samples, self.n_clusters, random_state=random)
        for iteration in range(self.max_iter):
            clusters = self._distances(samples).argmin(axis=1)
            before = self.centres_.copy()
            for k in np.unique(clusters):
                self.centres_[k] = samples[clusters == k].mean(axis=0)
            self.n_iter_ = iteration + 1
            if np.allclose(before, self.centres_):
                break
        # The clusters of the training samples, by which seeds are compared without labels.
        self.labels_ = self.predict(Y)
        return self

    def predict(self, Y: ArrayLike) -> NDArray[np.intp]:
        """Cluster of each sample, shape (n_samples,)."""
        return self.predict_proba(Y).argmax(axis=1)

    # Without this function, the table has no exemplar accuracy of the method. Without `predict`,
    # it would be fitted to the test samples, too, and marked as transductive.
    def predict_proba(self, Y: ArrayLike) -> NDArray[np.float64]:
        """Probability of each cluster, shape (n_samples, n_clusters)."""
        check_is_fitted(self)
        samples = validate_data(self, Y, reset=False, dtype=[np.float64, np.float32])
        squared = np.square(self._distances(samples), dtype=np.float64)
        weights = np.exp(squared.min(axis=1, keepdims=True) - squared)
        return weights / weights.sum(axis=1, keepdims=True)

    def _distances(self, samples: NDArray) -> NDArray:
        return pairwise_distances(samples, self.centres_)
