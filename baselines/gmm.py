"""Gaussian mixture on the raw samples, fitted by EM (Dempster, Laird and Rubin, 1977)."""

from __future__ import annotations

from dataclasses import dataclass

from gmvae.clusterer.parameters import Covariance, NonNegative

from .shared.gaussian_mixture import GaussianMixtureClusterer


@dataclass(kw_only=True, eq=False, repr=False)
class PixelGaussianMixture(GaussianMixtureClusterer):
    """Gaussian mixture with diagonal covariances; full ones of 784 x 784 take hours on MNIST.

    Parameters
    ----------
    n_clusters : int, default=10
    covariance_type : {"diag", "full", "tied", "spherical"}, default="diag"
    reg_covar : float, default=0.01
        Added to the variances; suits values from 0 to 1.
    max_iter : int, default=100
        Largest number of iterations of EM.
    n_init : int, default=1
    random_state : int, RandomState or None, default=None
    """

    covariance_type: Covariance = "diag"
    reg_covar: NonNegative = 1e-2
