"""Plain variational autoencoder with GMVAE's trunk, decoder and training loop.

Kingma and Welling, arXiv:1312.6114; the clusterers on its latent means are ``vae_kmeans.py`` and
``vae_gmm.py``.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors.torch import load_file
from sklearn.base import TransformerMixin
from torch import Tensor, nn

from gmvae.clusterer.base import NetworkClusterer
from gmvae.clusterer.parameters import Count, ElboOrAgreement
from gmvae.model.architectures import Architecture
from gmvae.model.distributions import DiagonalNormal
from gmvae.model.networks import Trunk, full_precision
from gmvae.model.observation import Observation, ObservationModel, start_narrow
from gmvae.training.devices import noise_generator
from gmvae.training.loop import finite_elbo
from gmvae.training.restarts import Phase
from gmvae.training.step import TrainingSettings, TrainingStep

from .saved_network import SavedNetwork, in_type_of


class VAEModel(nn.Module):
    """p(x) = N(0, I), p(y | x) and q(x | y).

    Parameters
    ----------
    arch : Architecture
    y_dim, x_dim : int
    observation : {"bernoulli", "gaussian"}
    """

    def __init__(self, arch: Architecture, y_dim: int, x_dim: int, observation: Observation):
        super().__init__()
        self.x_dim, self.y_dim = x_dim, y_dim
        self.trunk = Trunk(arch, y_dim)
        self.head = nn.Linear(self.trunk.n_features, 2 * x_dim)
        start_narrow(self.head, x_dim, observation)
        self.p_y_given_x = ObservationModel(arch, x_dim, y_dim, observation)

    def q_x_given_y(self, y: Tensor) -> DiagonalNormal:
        """q(x | y), mean and log variance of shape (B, x_dim)."""
        head = full_precision(self.head(self.trunk(self.p_y_given_x.standardise(y))))
        mean, log_var = head.chunk(2, dim=-1)
        return DiagonalNormal(mean, log_var)

    def encode(self, y: Tensor) -> Tensor:
        """Mean of q(x | y), shape (B, x_dim)."""
        return self.q_x_given_y(y).mean

    def terms(self, y: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Terms of the bound from one sample of x, nats, shape (B,) each.

        The first is the reconstruction, from which the others are subtracted.
        """
        q_x = self.q_x_given_y(y)
        reconstruction = self.p_y_given_x(q_x.rsample(noise)).log_prob(y)
        return {"reconstruction": reconstruction, "kl": q_x.kl_from_standard()}

    def draw_noise(self, n_rows: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw noise for one sample of x per row, shape (n_rows, x_dim)."""
        device = self.head.weight.device
        return torch.randn((n_rows, self.x_dim), generator=generator, device=device)


class VAEObjective:
    """The negative bound, in the form of `gmvae.training.step.Objective`."""

    def draw_noise(self, network: VAEModel, n_rows: int, generator: torch.Generator) -> Tensor:
        """Draw the noise of one batch."""
        return network.draw_noise(n_rows, generator)

    def __call__(
        self, network: VAEModel, y: Tensor, noise: Tensor, progress: float
    ) -> dict[str, Tensor]:
        """Loss of a batch, and the means of all terms."""
        means = {name: term.mean() for name, term in network.terms(y, noise).items()}
        elbo = functools.reduce(torch.sub, means.values())
        return {"loss": -elbo, "elbo": elbo, **means}


@dataclass(kw_only=True, eq=False, repr=False)
class VAEClusterer(SavedNetwork, TransformerMixin, NetworkClusterer):
    """VAE whose latent means are clustered by another clusterer, which a subclass chooses.

    Parameters
    ----------
    n_clusters : int, default=10
    network : {"dec-fc", "fast-conv", "fast-fc", "paper-conv", "paper-fc"}, default="fast-fc"
    x_dim : int, optional
        By default, that of `network`.
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
    epochs, batch_size, learning_rate, schedule, n_init, precision, device, verbose
        As for `gmvae.GMVAE`.
    select_by : {"elbo", "agreement"}, default="elbo"
        As for `gmvae.GMVAE`; the VAEs are compared when they are trained.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    model_ : VAEModel
    clusterer_ : estimator
        Fitted to the latent means.
    labels_ : ndarray of int, shape (n_samples,)
    elbo_ : float
        Mean bound of the VAE on the training samples, nats per sample.
    history_ : dict of str to ndarray, shape (epochs,)
    """

    x_dim: Count | None = None
    select_by: ElboOrAgreement = "elbo"

    @abstractmethod
    def _fit_clusterer(self, latent: NDArray, seed: int) -> Any:
        """Make the clusterer for the latent means, and fit it to them."""

    def phases(self, samples: Tensor, seed: int) -> Iterator[Phase]:
        """Make the VAE and yield its only phase; see `NetworkClusterer.phases`."""
        model = self._build_model().to(samples.device)
        model.p_y_given_x.set_units(samples)
        self.model_ = model
        generator = noise_generator(samples.device)
        settings = TrainingSettings.of(self)
        step = TrainingStep(model, VAEObjective(), samples, settings, generator)
        yield Phase("training", step, has_clusters=False)
        reconstruction, kl = self._evaluate(
            lambda y: tuple(model.terms(y, model.draw_noise(len(y))).values()), samples
        )
        self.elbo_ = finite_elbo(reconstruction - kl)
        self.clusterer_ = self._fit_clusterer(self._evaluate(self._latent, samples)[0], seed)

    def fit_to_network(
        self, Y: ArrayLike, network: str | Path, *, history: Mapping[str, NDArray]
    ) -> Self:
        """Fit the clusterer alone, to a network that was trained with this seed and these samples.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)
        network : str or Path
            File that `save` wrote; the other estimator may have had another number of clusters, or
            another clusterer. `n_init` has to be 1.
        history : mapping of str to ndarray
            History of that training.

        Returns
        -------
        self
            With the same bits as after a `fit`.
        """
        samples = self._begin(Y)
        [restart] = self._restarts(samples)
        with restart.random.seeded():
            next(restart.phases)  # makes the network, and would train it
            stored = load_file(network)
            model = restart.estimator.model_
            model.load_state_dict({name: stored[f"model.{name}"] for name in model.state_dict()})
            model.eval()
            next(restart.phases, None)
        restart.history = {name: list(values) for name, values in history.items()}
        self._adopt(restart)
        self._finish(samples)
        return self

    def _build_model(self) -> VAEModel:
        arch, x_dim = self._architecture()
        return VAEModel(arch, self.n_features_in_, x_dim, self.observation_)

    def _latent(self, y: Tensor) -> tuple[Tensor]:
        return (self.model_.encode(y),)

    def clusters_of(self, samples: Tensor) -> NDArray[np.intp]:
        """Clusters of checked samples (N, y_dim), shape (N,), after the training."""
        return self.clusterer_.predict(self._evaluate(self._latent, samples)[0])

    def transform(self, Y: ArrayLike) -> NDArray[np.floating]:
        """Posterior means of x, shape (n_samples, x_dim)."""
        return in_type_of(Y, self._codes(Y))

    def predict(self, Y: ArrayLike) -> NDArray[np.intp]:
        """Cluster of each sample, shape (n_samples,)."""
        codes = self._codes(Y)  # which refuses an estimator that is not fitted
        return self.clusterer_.predict(codes)

    def _codes(self, Y: ArrayLike) -> NDArray[np.float32]:
        return self._read(self._latent, Y)[0]
