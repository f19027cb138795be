"""Gaussian mixture on the values of a sample, fitted by EM (Dempster, Laird and Rubin, 1977)."""

from __future__ import annotations

from baselines.shared.gaussian_mixture import GaussianMixtureClusterer


class PixelGaussianMixture(GaussianMixtureClusterer):
    """Gaussian mixture with diagonal covariances: 784 x 784 full ones take hours on MNIST.

    Parameters
    ----------
    n_clusters : int, default=10
    covariance_type : {"diag", "full", "tied", "spherical"}, default="diag"
    reg_covar : float, default=0.01
        Added to the variances, of values from 0 to 1.
    max_iter : int, default=100
        Of EM.
    n_init : int, default=1
    random_state : int, RandomState or None, default=None
    """

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        covariance_type: str = "diag",
        reg_covar: float = 1e-2,
        max_iter: int = 100,
        n_init: int = 1,
        random_state: int | None = None,
    ):
        super().__init__(
            n_clusters,
            covariance_type=covariance_type,
            reg_covar=reg_covar,
            max_iter=max_iter,
            n_init=n_init,
            random_state=random_state,
        )
