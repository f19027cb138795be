"""Generation from a trained GMVAE, its bound on log p(y), and its file."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from gmvae.clusterer import storage
from gmvae.clusterer.base import ProbabilisticClusterer
from gmvae.clusterer.parameters import require_integer
from gmvae.model import objective
from gmvae.model.gmvae import GMVAEModel
from gmvae.training.devices import resolve_device, seeded


@dataclass(kw_only=True, eq=False, repr=False)
class GenerativeClusterer(ProbabilisticClusterer):
    """A clusterer whose ``model_`` is a `GMVAEModel`, so it generates samples and has an ELBO.

    Attributes
    ----------
    model_ : GMVAEModel
    elbo_ : float
        Mean bound of the training samples, nats per sample; its noise comes from `seed_`.
    """

    @abstractmethod
    def _build_model(self) -> GMVAEModel:
        """Make an untrained model for this estimator's parameters and data."""

    def _probabilities(self, y: Tensor) -> Tensor:
        """p(z | x, w) with x and w at their posterior means, shape (B, n_clusters)."""
        return self.model_.clusters(y)[0]

    def reconstruct(self, Y: ArrayLike) -> NDArray[np.float32]:
        """Mean of p(y | x) at the posterior mean of x.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples, n_features)
        """

        def reconstruction(y: Tensor) -> tuple[Tensor]:
            x = self.model_.q_xw_given_y(y).q_x.mean
            return (self.model_.p_y_given_x(x.unsqueeze(0)).mean.squeeze(0),)

        return self._evaluate(reconstruction, self._samples(Y))[0]

    def elbo(self, Y: ArrayLike, n_samples_mc: int = 1) -> NDArray[np.float32]:
        """Bound on log p(y) of each sample, without threshold or weight.

        It is the mixture form, with z summed out, by which runs are compared. Its random numbers
        come from the training seed, so the same `Y` always gives the same answer.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)
        n_samples_mc : int, default=1
            M, the number of Monte-Carlo samples of (x, w).

        Returns
        -------
        ndarray, shape (n_samples,)
            Bounds in nats.
        """
        require_integer("n_samples_mc", n_samples_mc)
        return self._elbo(self._samples(Y), n_samples_mc)

    def score(self, Y: ArrayLike, y: None = None) -> float:
        """Mean of `elbo` over the samples.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        float
            Nats per sample; higher is better.
        """
        return float(self.elbo(Y).mean())

    def sample(
        self,
        n_samples: int = 1,
        *,
        cluster: int | None = None,
        w: ArrayLike | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Generate samples: w, then z, then x, then the mean of p(y | x).

        Parameters
        ----------
        n_samples : int, default=1
        cluster : int, optional
            Component to draw from; by default, one is drawn for each sample.
        w : array-like, shape (w_dim,) or (n_samples, w_dim), optional
            Style; by default, drawn from N(0, I).
        random_state : int, RandomState or None, default=None

        Returns
        -------
        Y : ndarray, shape (n_samples, n_features)
            Means of the observations (for images, grey values from 0 to 1).
        clusters : ndarray of int, shape (n_samples,)
        """
        check_is_fitted(self)
        require_integer("n_samples", n_samples)
        random = check_random_state(random_state)
        styles = self._styles(n_samples, w, random)
        clusters = self._clusters_to_draw(n_samples, cluster, random)
        noise = random.standard_normal((n_samples, self.model_.x_dim)).astype(np.float32)
        device = self._device()
        with torch.no_grad():
            p_x = self.model_.p_x_given_wz(torch.from_numpy(styles).to(device))
            rows = torch.arange(n_samples, device=device), torch.from_numpy(clusters).to(device)
            spread = torch.exp(0.5 * p_x.log_var[rows])
            x = p_x.mean[rows] + torch.from_numpy(noise).to(device) * spread
            means = self.model_.p_y_given_x(x.unsqueeze(0)).mean.squeeze(0)
        return means.cpu().numpy(), clusters

    def _clusters_to_draw(
        self, n_samples: int, cluster: int | None, random: np.random.RandomState
    ) -> NDArray[np.intp]:
        n_clusters = self.model_.n_clusters
        if cluster is None:
            return random.randint(n_clusters, size=n_samples)
        whole = isinstance(cluster, Integral) and not isinstance(cluster, bool)
        if not whole or not 0 <= cluster < n_clusters:
            raise ValueError(f"cluster must be from 0 to {n_clusters - 1}, got {cluster!r}")
        return np.full(n_samples, int(cluster))

    def _styles(
        self, n_samples: int, w: ArrayLike | None, random: np.random.RandomState
    ) -> NDArray[np.float32]:
        shape = (n_samples, self.model_.w_dim)
        if w is None:
            return random.standard_normal(shape).astype(np.float32)
        styles = np.asarray(w, dtype=np.float32)
        if styles.shape not in (shape, shape[1:]) or not np.isfinite(styles).all():
            raise ValueError(
                f"w must be finite and of shape {shape[1:]} or {shape}, got shape {styles.shape}"
            )
        return np.ascontiguousarray(np.broadcast_to(styles, shape))

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one safetensors file, without pickle.

        Parameters
        ----------
        path : str or Path
        """
        check_is_fitted(self)
        storage.save(self, path)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "cpu") -> Self:
        """Read an estimator that `save` wrote.

        Parameters
        ----------
        path : str or Path
        device : {"cpu", "cuda", "auto"}, default="cpu"

        Returns
        -------
        GMVAE

        Raises
        ------
        ValueError
            If the file is damaged or was not written by `save`.
        """
        stored = storage.load(path, cls.__name__)
        estimator = cls(**{**stored.parameters, "device": device})
        for name, value in stored.attributes.items():
            setattr(estimator, name, value)
        estimator.labels_, estimator.history_ = stored.labels, stored.history
        estimator.model_ = estimator._build_model()
        estimator.model_.load_state_dict(stored.state)
        estimator.model_.to(resolve_device(device)).eval()
        return estimator

    def _elbo(self, samples: Tensor, n_samples_mc: int) -> NDArray[np.float32]:
        with seeded(self.seed_, self._device()):

            def bound(y: Tensor) -> tuple[Tensor]:
                noise = self.model_.draw_noise(n_samples_mc, len(y))
                return (objective.terms(self.model_, y, noise).elbo,)

            return self._evaluate(bound, samples)[0]
