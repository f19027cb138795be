"""Plain VAE (Kingma and Welling, arXiv:1312.6114), then a Gaussian mixture on its latent means."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.mixture import GaussianMixture

from .shared.gaussian_mixture import fit_mixture
from .shared.vae import VAEClusterer

MIXTURE_FITS = 5
"""Fits of the mixture, of which the most likely one is kept."""


class VAEGaussianMixture(VAEClusterer):
    """Gaussian mixture on the posterior means of a VAE that knows nothing of clusters.

    The VAE has GMVAE's trunk, decoder and training loop. The mixture has full covariances; EM
    starts from k-means, five times, and the most likely mixture is kept. Parameters and attributes
    are those of `baselines.shared.vae.VAEClusterer`.
    """

    def _fit_clusterer(self, latent: NDArray, seed: int) -> GaussianMixture:
        mixture = GaussianMixture(
            self.n_clusters, reg_covar=1e-4, max_iter=300, n_init=MIXTURE_FITS, random_state=seed
        )
        return fit_mixture(mixture, latent)

    def predict_proba(self, Y: ArrayLike) -> NDArray[np.float64]:
        """Posterior probability of each component, shape (n_samples, n_clusters)."""
        codes = self._codes(Y)  # which refuses an estimator that is not fitted
        return self.clusterer_.predict_proba(codes)
