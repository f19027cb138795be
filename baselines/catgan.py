"""Categorical generative adversarial network (CatGAN; Springenberg, arXiv:1511.06390)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gmvae.clusterer.parameters import Count, NonNegative
from gmvae.model.architectures import Architecture
from gmvae.model.networks import Trunk, full_precision
from gmvae.model.observation import Observation, ObservationModel
from gmvae.training.restarts import Phase

from .shared.adversarial import AdversarialClusterer


class _CatGANModel(nn.Module):
    """Discriminator, which maps samples to clusters, and generator, which maps codes to samples."""

    def __init__(
        self,
        arch: Architecture,
        *,
        y_dim: int,
        code_dim: int,
        observation: Observation,
        n_clusters: int,
    ):
        super().__init__()
        self.y_dim, self.code_dim = y_dim, code_dim
        self.trunk = Trunk(arch, y_dim)
        self.head = nn.Linear(self.trunk.n_features, n_clusters)
        self.generator = ObservationModel(arch, code_dim, y_dim, observation)

    def log_p_z(self, y: Tensor, noise: Tensor | float = 0.0) -> Tensor:
        """Log p(z | y) of samples with noise on them, shape (B, K)."""
        features = self.trunk(self.generator.standardise(y) + noise)
        return torch.log_softmax(full_precision(self.head(features)), dim=-1)

    def made(self, codes: Tensor) -> Tensor:
        """Generated samples for codes (B, code_dim), shape (B, y_dim)."""
        return self.generator(codes).mean


def conditional_entropy(log_p: Tensor) -> Tensor:
    """E_y H[ p(z | y) ] in nats, a scalar, for ``log p`` of shape (B, K)."""
    return -(log_p.exp() * log_p).sum(-1).mean()


def marginal_entropy(log_p: Tensor) -> Tensor:
    """H[ E_y p(z | y) ] in nats, a scalar, for ``log p`` of shape (B, K)."""
    mean = log_p.exp().mean(0)
    return -torch.xlogy(mean, mean).sum()


@contextlib.contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Let batch normalisations use the statistics of a batch without remembering them.

    Running statistics are for predictions, and those are made for real samples only.
    """
    norms = [m for m in network.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    momenta = {norm: norm.momentum for norm in norms}
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in momenta.items():
            norm.momentum = momentum


class _Noise(NamedTuple):
    """Codes for the generator, and noise for real and for generated samples."""

    code: Tensor
    real: Tensor
    made: Tensor


class _CatGANGame:
    """Losses of discriminator and generator (equation 7 of the paper)."""

    def __init__(self, input_noise: float):
        self.input_noise = input_noise

    def draw_noise(self, network: _CatGANModel, n_rows: int, generator: torch.Generator) -> _Noise:
        device = network.head.weight.device
        code, real, made = (
            torch.randn((n_rows, dim), generator=generator, device=device)
            for dim in (network.code_dim, network.y_dim, network.y_dim)
        )
        return _Noise(code, self.input_noise * real, self.input_noise * made)

    def __call__(
        self, network: _CatGANModel, y: Tensor, noise: _Noise, progress: float
    ) -> Iterator[dict[str, Tensor]]:
        made = network.made(noise.code)
        of_real = network.log_p_z(y, noise.real)
        with frozen_statistics(network.trunk):
            of_made = network.log_p_z(made.detach(), noise.made)
        information = marginal_entropy(of_real) - conditional_entropy(of_real)
        doubt = conditional_entropy(of_made)
        yield {"loss": -information - doubt, "information": information, "doubt": doubt}
        with frozen_statistics(network.trunk):
            of_made = network.log_p_z(made, noise.made)
        yield {"loss": conditional_entropy(of_made) - marginal_entropy(of_made)}


@dataclass(kw_only=True, eq=False, repr=False)
class CatGAN(AdversarialClusterer):
    """Discriminator that is sure about real samples, uses all clusters, and doubts generated ones.

    As published: the objective, in which clusters share as much information with real samples as
    they can, while a generator learns to make samples that the discriminator is sure about; batch
    normalisation; Gaussian noise on the input of the discriminator. Different: the networks, which
    are those of the other methods here; no noise within the discriminator, and more on its input;
    tens of epochs.

    Parameters
    ----------
    n_clusters : int, default=10
    network : str, default="fast-fc"
        Architecture of the discriminator and, mirrored, of the generator.
    code_dim : int, default=64
        Size of the generator's code.
    input_noise : float, default=0.5
        Standard deviation of the noise on the samples (real vectors: in standard deviations).
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
        Whether the generator makes values from 0 to 1 or unbounded ones.
    epochs : int, optional
        By default 20, or more for few samples: as many as give 200 steps.
    batch_size : int, default=256
    learning_rate : float, default=2e-3
        Learning rate of Adam for both players.
    schedule, n_init, init_epochs, precision, device, verbose
        As for `gmvae.GMVAE`.
    select_by : {"agreement"}, default="agreement"
        No value of this objective tells good runs from bad.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    model_, labels_, history_, records_
        As for `NetworkClusterer`. History, in nats: ``information`` (between real samples and
        clusters, at most log K), ``doubt`` (entropy for a generated sample, at most log K),
        ``loss`` and ``generator_loss``.

    References
    ----------
    J. T. Springenberg, "Unsupervised and Semi-supervised Learning with Categorical Generative
    Adversarial Networks", arXiv:1511.06390.
    """

    code_dim: Count = 64
    input_noise: NonNegative = 0.5

    def phases(self, samples: Tensor, seed: int) -> Iterator[Phase]:
        """Make the networks and yield their only phase; see `NetworkClusterer.phases`."""
        model = self._build_model().to(samples.device)
        model.generator.set_units(samples)
        self.model_ = model
        players = {"discriminator": (model.trunk, model.head), "generator": (model.generator,)}
        yield self._game_phase(_CatGANGame(self.input_noise), players, samples)

    def _build_model(self) -> _CatGANModel:
        return _CatGANModel(
            self._arch(),
            y_dim=self.n_features_in_,
            code_dim=self.code_dim,
            observation=self.observation_,
            n_clusters=self.n_clusters,
        )

    def _probabilities(self, y: Tensor) -> Tensor:
        return self.model_.log_p_z(y).exp()
