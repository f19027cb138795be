"""Gaussian mixture with full covariances on the leading principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state

from gmvae.clusterer.parameters import Count

from .shared.gaussian_mixture import GaussianMixtureClusterer


@dataclass(kw_only=True, eq=False, repr=False)
class PCAGaussianMixture(GaussianMixtureClusterer):
    """PCA, then a Gaussian mixture by EM.

    Parameters
    ----------
    n_clusters : int, default=10
    n_pca : int, default=50
        Number of principal components; fewer if the data have fewer.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
    reg_covar : float, default=1e-3
        Added to the variances.
    max_iter : int, default=100
        Largest number of iterations of EM.
    n_init : int, default=1
    random_state : int, RandomState or None, default=None
    """

    n_pca: Count = 50

    def _fit_features(self, samples: NDArray) -> NDArray:
        # The solver may draw random numbers, on which those of the mixture must not depend.
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self.pca_ = PCA(min(self.n_pca, *samples.shape), random_state=seed).fit(samples)
        self.components_ = self.pca_.components_
        return self._features(samples)

    def _features(self, samples: NDArray) -> NDArray:
        return self.pca_.transform(samples)
