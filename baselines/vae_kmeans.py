"""Plain VAE (Kingma and Welling, arXiv:1312.6114), then k-means on its latent means."""

from __future__ import annotations

from numpy.typing import NDArray
from sklearn.cluster import KMeans

from .shared.vae import VAEClusterer


class VAEKMeans(VAEClusterer):
    """k-means on the posterior means of a VAE that knows nothing of clusters.

    The VAE has GMVAE's trunk, decoder and training loop; the best of ten k-means++ starts is kept.
    Parameters and attributes are those of `baselines.shared.vae.VAEClusterer`.
    """

    def _fit_clusterer(self, latent: NDArray, seed: int) -> KMeans:
        return KMeans(self.n_clusters, n_init=10, random_state=seed).fit(latent)
