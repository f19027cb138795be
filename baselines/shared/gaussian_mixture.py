"""scikit-learn's Gaussian mixture with the parameter names of all methods of the benchmark."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted, validate_data

from gmvae.clusterer.parameters import Count, Covariance, NonNegative, Seed

from .saving import Saved


def fit_mixture(mixture: GaussianMixture, features: NDArray) -> GaussianMixture:
    """Fit by EM; a degenerate component counts as a failed run, not as wrong input.

    Raises
    ------
    FloatingPointError
        If a covariance is not positive definite.
    """
    try:
        return mixture.fit(features)
    except ValueError as error:
        if "ill-defined empirical covariance" not in str(error):
            raise
        raise FloatingPointError(
            f"a component of the mixture has degenerated; raise reg_covar ({error})"
        ) from error


@dataclass(eq=False, repr=False)
class GaussianMixtureClusterer(Saved, ClusterMixin, BaseEstimator):
    """EM for a Gaussian mixture on `_features` of the samples, by default the samples themselves.

    Parameters
    ----------
    n_clusters : int, default=10
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
    reg_covar : float, default=1e-3
        Added to the variances, since pixels that are always black have none.
    max_iter : int, default=100
        Largest number of iterations of EM.
    n_init : int, default=1
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    mixture_ : GaussianMixture
    labels_ : ndarray of int, shape (n_samples,)
    elbo_ : float
        Mean log likelihood of the training features, nats per sample.
    """

    n_clusters: Count = 10
    _: KW_ONLY
    covariance_type: Covariance = "full"
    reg_covar: NonNegative = 1e-3
    max_iter: Count = 100
    n_init: Count = 1
    random_state: Seed = None

    def fit(self, Y: ArrayLike, y: None = None) -> Self:
        """Fit the mixture to samples `Y`, shape (n_samples, n_features)."""
        samples = validate_data(self, Y, dtype=[np.float32, np.float64])
        features = self._fit_features(samples)
        mixture = GaussianMixture(
            self.n_clusters,
            covariance_type=self.covariance_type,
            reg_covar=self.reg_covar,
            max_iter=self.max_iter,
            n_init=self.n_init,
            random_state=self.random_state,
        )
        self.mixture_ = fit_mixture(mixture, features)
        self.means_ = self.mixture_.means_
        self.covariances_ = self.mixture_.covariances_
        self.weights_ = self.mixture_.weights_
        self.n_iter_ = self.mixture_.n_iter_
        self.elbo_ = float(self.mixture_.lower_bound_)
        self.labels_ = self.mixture_.predict(features)
        return self

    def predict(self, Y: ArrayLike) -> NDArray[np.intp]:
        """Most probable component of each sample, shape (n_samples,)."""
        return self.predict_proba(Y).argmax(axis=1)

    def predict_proba(self, Y: ArrayLike) -> NDArray[np.float64]:
        """Posterior probability of each component, shape (n_samples, n_clusters)."""
        check_is_fitted(self)
        samples = validate_data(self, Y, reset=False, dtype=[np.float32, np.float64])
        return self.mixture_.predict_proba(self._features(samples))

    def _fit_features(self, samples: NDArray) -> NDArray:
        return self._features(samples)

    def _features(self, samples: NDArray) -> NDArray:
        return samples
