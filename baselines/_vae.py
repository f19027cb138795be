"""Plain variational autoencoder with GMVAE's trunk, decoder and training loop.

Kingma and Welling, arXiv:1312.6114; the clusterers on its latent means are ``vae_kmeans.py`` and
``vae_gmm.py``.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from gmvae.architectures import Architecture, architecture
from gmvae.checkpoints import Checkpoints, checkpoints_of
from gmvae.devices import noise_generator, resolve_device, seeded
from gmvae.distributions import DiagonalNormal
from gmvae.evaluation import evaluate
from gmvae.networks import Trunk, full_precision
from gmvae.observation import Observation, ObservationModel
from gmvae.parameters import check_parameters
from gmvae.samples import as_samples, fitting_samples
from gmvae.steps import TrainingSettings, TrainingStep
from gmvae.training import Training, finite_elbo


class _VAEModel(nn.Module):
    """p(x) = N(0, I), p(y | x) and q(x | y)."""

    def __init__(self, arch: Architecture, y_dim: int, x_dim: int, observation: Observation):
        super().__init__()
        self.x_dim = x_dim
        self.trunk = Trunk(arch, y_dim)
        self.head = nn.Linear(self.trunk.n_features, 2 * x_dim)
        self.p_y_given_x = ObservationModel(arch, x_dim, y_dim, observation)

    def q_x_given_y(self, y: Tensor) -> DiagonalNormal:
        """q(x | y), mean and log variance of shape (B, x_dim)."""
        head = full_precision(self.head(self.trunk(self.p_y_given_x.standardise(y))))
        mean, log_var = head.chunk(2, dim=-1)
        return DiagonalNormal(mean, log_var)

    def terms(self, y: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction and KL( q(x|y) || N(0, I) ), nats, shape (B,) each, from one sample."""
        q_x = self.q_x_given_y(y)
        return self.p_y_given_x(q_x.rsample(noise)).log_prob(y), q_x.kl_from_standard()


class _VAEObjective:
    """The negative bound, in the form that `gmvae.steps.TrainingStep` takes."""

    def draw_noise(
        self, network: _VAEModel, n_rows: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """Noise for one sample of x a row, shape (n_rows, x_dim)."""
        device = network.head.weight.device
        return torch.randn((n_rows, network.x_dim), generator=generator, device=device)

    def __call__(
        self, network: _VAEModel, y: Tensor, noise: Tensor, progress: float
    ) -> dict[str, Tensor]:
        """Loss of a batch, and the means of both terms beside it."""
        reconstruction, kl = (term.mean() for term in network.terms(y, noise))
        return {
            "loss": kl - reconstruction,
            "elbo": reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
        }


class VAEClusterer(ClusterMixin, BaseEstimator):
    """Train a VAE, then cluster its latent means by what a subclass gives.

    Parameters
    ----------
    n_clusters : int, default=10
    network : {"fast-conv", "fast-fc", "paper-conv", "paper-fc"}, default="fast-fc"
    x_dim : int, optional
        By default that of `network`.
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
    epochs, batch_size, learning_rate, schedule, precision, device, verbose
        As for `gmvae.GMVAE`.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    model_ : Module
    clusterer_ : estimator
        Fitted to the latent means.
    labels_ : ndarray of int, shape (n_samples,)
    elbo_ : float
        Mean bound of the VAE on the training samples, nats a sample.
    history_ : dict of str to ndarray, shape (epochs,)
    """

    accepts_bytes = True

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        network: str = "fast-fc",
        x_dim: int | None = None,
        observation: str = "auto",
        epochs: int = 20,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        schedule: str = "cosine",
        precision: str = "float32",
        device: str = "cpu",
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_clusters = n_clusters
        self.network = network
        self.x_dim = x_dim
        self.observation = observation
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.precision = precision
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @abstractmethod
    def _clusterer(self, seed: int) -> Any:
        """Make the unfitted clusterer for the latent means."""

    def _fit_clusterer(self, clusterer: Any, latent: NDArray) -> Any:
        return clusterer.fit(latent)

    def fit(
        self,
        Y: ArrayLike,
        y: None = None,
        *,
        checkpoint: Checkpoints | str | Path | None = None,
    ) -> Self:
        """Train on samples `Y`, shape (n_samples, n_features); arguments as `gmvae.GMVAE.fit`."""
        check_parameters(self.get_params())
        samples = fitting_samples(self, Y).to(resolve_device(self.device))
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        with checkpoints_of(checkpoint, [self], samples) as checkpoints:
            with seeded(seed, samples.device):
                self._train(samples, checkpoints)
            latent = self._latent_means(samples)
            self.clusterer_ = self._fit_clusterer(self._clusterer(seed), latent)
            self.labels_ = self.clusterer_.predict(latent)
        return self

    def _train(self, samples: Tensor, checkpoints: Checkpoints | None) -> None:
        settings = TrainingSettings.of(self)
        arch = architecture(self.network)
        x_dim = arch.x_dim if self.x_dim is None else self.x_dim
        model = _VAEModel(arch, self.n_features_in_, x_dim, self.observation_).to(samples.device)
        model.p_y_given_x.set_units(samples)
        self.model_, objective = model, _VAEObjective()
        generator = noise_generator(samples.device)
        training = Training(
            TrainingStep(model, objective, samples, settings, generator), settings, checkpoints
        )
        try:
            training.run(self.epochs)
        finally:
            history = training.histories[0] if training.histories else {}
            self.history_ = {name: np.asarray(values) for name, values in history.items()}
        reconstruction, kl = evaluate(
            lambda y: model.terms(y, objective.draw_noise(model, len(y))), samples, samples.device
        )
        self.elbo_ = finite_elbo(reconstruction - kl, history)

    def transform(self, Y: ArrayLike) -> NDArray[np.float32]:
        """Posterior means of x, shape (n_samples, x_dim)."""
        check_is_fitted(self)
        return self._latent_means(as_samples(self, Y))

    def predict(self, Y: ArrayLike) -> NDArray[np.intp]:
        """Cluster of each sample, shape (n_samples,)."""
        latent = self.transform(Y)
        return self.clusterer_.predict(latent)

    def save(self, path: Any) -> None:
        """Write the networks and what the clusterer has learnt to one safetensors file."""
        from safetensors.torch import save_file

        tensors = {f"model.{name}": value for name, value in self.model_.state_dict().items()}
        for name, value in vars(self.clusterer_).items():
            if name.endswith("_") and isinstance(value, np.ndarray) and value.dtype.kind == "f":
                tensors[f"clusterer.{name}"] = torch.from_numpy(np.ascontiguousarray(value))
        save_file(
            {name: value.contiguous() for name, value in tensors.items()},
            path,
            {"format": "vae-2", "class": type(self).__name__},
        )

    def _latent_means(self, samples: Tensor) -> NDArray[np.float32]:
        device = next(self.model_.parameters()).device
        return evaluate(lambda y: (self.model_.q_x_given_y(y).mean,), samples, device)[0]
