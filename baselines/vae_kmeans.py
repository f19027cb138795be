"""Plain VAE, then k-means on its latent means."""

from __future__ import annotations

from sklearn.cluster import KMeans

from baselines._vae import VAEClusterer


class VAEKMeans(VAEClusterer):
    """See `baselines._vae.VAEClusterer`; the best of ten k-means++ starts is kept."""

    def _clusterer(self, seed: int) -> KMeans:
        return KMeans(self.n_clusters, n_init=10, random_state=seed)
