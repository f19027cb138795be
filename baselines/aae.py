"""Adversarial autoencoder for clustering (AAE; Makhzani et al., arXiv:1511.05644, section 6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from torch import Tensor, nn
from torch.nn import functional

from gmvae.clusterer.parameters import Count, NonNegative, Positive, Share
from gmvae.model.architectures import Architecture
from gmvae.model.networks import Trunk, full_precision
from gmvae.model.observation import Observation, ObservationModel
from gmvae.training.restarts import Phase

from .shared.adversarial import AdversarialClusterer
from .shared.saved_network import in_type_of


class _AAEModel(nn.Module):
    """Encoder to a cluster and a style, decoder from both, an adversary for each."""

    def __init__(
        self,
        arch: Architecture,
        *,
        y_dim: int,
        x_dim: int,
        observation: Observation,
        n_clusters: int,
        sharpness: float | None,
        learnt_scale: bool = False,
    ):
        super().__init__()
        self.y_dim, self.x_dim, self.n_clusters = y_dim, x_dim, n_clusters
        self.sharpness = sharpness
        self.trunk = Trunk(arch, y_dim)
        self.head = nn.Linear(self.trunk.n_features, n_clusters + x_dim)
        self.learnt_scale = learnt_scale
        self.norm: nn.Module = nn.Identity()
        if learnt_scale:
            self.norm = nn.BatchNorm1d(n_clusters + x_dim)
            with torch.no_grad():
                self.norm.weight[:n_clusters] = sharpness or 1.0
        elif sharpness:
            self.norm = nn.BatchNorm1d(n_clusters, affine=False)
        self.p_y_given_zx = ObservationModel(arch, n_clusters + x_dim, y_dim, observation)
        self.adversary_z = adversary(n_clusters, arch.hidden[0])
        self.adversary_x = adversary(x_dim, arch.hidden[0])

    def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Cluster probabilities (B, K) and style (B, x_dim) of samples."""
        return self.encode_seen(self.p_y_given_zx.standardise(y))

    def encode_seen(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The same for standardised samples with noise on them, (B, y_dim)."""
        codes = full_precision(self.head(self.trunk(seen)))
        if self.learnt_scale:
            logits, x = self.norm(codes).split([self.n_clusters, self.x_dim], dim=-1)
            return torch.softmax(logits, dim=-1), x
        logits, x = codes.split([self.n_clusters, self.x_dim], dim=-1)
        return torch.softmax((self.sharpness or 1.0) * self.norm(logits), dim=-1), x

    def log_likelihood(self, y: Tensor, z: Tensor, x: Tensor) -> Tensor:
        """Log p(y | z, x) for probabilities or one-hot vectors z (B, K), shape (B,)."""
        return self.p_y_given_zx(torch.cat([z, x], dim=-1)).log_prob(y)


def adversary(n_inputs: int, width: int) -> nn.Sequential:
    """Network whose output is the logit that a code was drawn from the prior.

    Parameters
    ----------
    n_inputs, width : int
        Size of the code, and width of both hidden layers.
    """
    return nn.Sequential(
        nn.Linear(n_inputs, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, 1),
    )


def detection(logits_of_prior: Tensor, logits_of_codes: Tensor) -> Tensor:
    """Loss of an adversary: - E log D(prior) - E log(1 - D(code)), a scalar in nats.

    It is 2 log 2 if the adversary cannot distinguish them (Goodfellow et al., arXiv:1406.2661,
    equation 1).
    """
    prior, codes = full_precision(logits_of_prior), full_precision(logits_of_codes)
    return functional.softplus(-prior).mean() + functional.softplus(codes).mean()


def deception(logits_of_codes: Tensor) -> Tensor:
    """Loss of the encoder against an adversary: - E log D(code), log 2 at equilibrium."""
    return functional.softplus(-full_precision(logits_of_codes)).mean()


class _Noise(NamedTuple):
    """Draws from both priors, (B, K) and (B, x_dim), and noise for the samples.

    `kept` is 0 for the values that the encoder does not see, or None without dropout.
    """

    z: Tensor
    x: Tensor
    y: Tensor
    kept: Tensor | None


class _AAEGame:
    """Losses: reconstruction and deception for the autoencoder, detection for the adversaries."""

    def __init__(self, input_noise: float, weight: float, dropout: float = 0.0):
        self.input_noise, self.weight, self.dropout = input_noise, weight, dropout

    def draw_noise(self, network: _AAEModel, n_rows: int, generator: torch.Generator) -> _Noise:
        device = network.head.weight.device
        z = torch.randint(network.n_clusters, (n_rows,), generator=generator, device=device)
        x, y = (
            torch.randn((n_rows, dim), generator=generator, device=device)
            for dim in (network.x_dim, network.y_dim)
        )
        kept = None
        if self.dropout:
            drawn = torch.rand((n_rows, network.y_dim), generator=generator, device=device)
            kept = (drawn >= self.dropout) / (1 - self.dropout)
        return _Noise(functional.one_hot(z, network.n_clusters).float(), x, y, kept)

    def __call__(
        self, network: _AAEModel, y: Tensor, noise: _Noise, progress: float
    ) -> Iterator[dict[str, Tensor]]:
        seen = network.p_y_given_zx.standardise(y) + self.input_noise * noise.y
        z, x = network.encode_seen(seen if noise.kept is None else seen * noise.kept)
        reconstruction = network.log_likelihood(y, z, x).mean()
        deception_z = deception(network.adversary_z(z))
        deception_x = deception(network.adversary_x(x))
        yield {
            "loss": self.weight * (deception_z + deception_x) - reconstruction,
            "reconstruction": reconstruction,
            "deception_z": deception_z,
            "deception_x": deception_x,
        }
        z, x = z.detach(), x.detach()
        yield {"loss": detection(network.adversary_z(noise.z), network.adversary_z(z))}
        yield {"loss": detection(network.adversary_x(noise.x), network.adversary_x(x))}


@dataclass(kw_only=True, eq=False, repr=False)
class AAE(TransformerMixin, AdversarialClusterer):
    """Adversarial autoencoder with two codes: a categorical cluster and a Gaussian style.

    As published: the two codes and their adversaries (two hidden layers of ReLUs), which push the
    distributions of the codes towards the priors Cat(1/K) and N(0, I); reconstruction from both
    codes; Gaussian noise on the input of the encoder. Different, as far as we could check: the
    cluster logits are normalised over the batch and multiplied by `sharpness`, since without this
    (``sharpness: null``) most clusters become empty within the first epoch, or, with
    `learnt_scale`, logits and style pass a batch normalisation with learnt scale and shift; Adam
    instead of SGD with momentum; reconstructing and fooling the adversaries are one step, weighted
    by `adversarial_weight`, instead of two; the likelihood of the pixels instead of the squared
    error; tens of epochs instead of thousands.

    Parameters
    ----------
    n_clusters : int, default=10
    network : str, default="fast-fc"
        Architecture of encoder and decoder; the adversaries are as wide as its first layer.
    x_dim : int or None, default=5
        Size of the style; None means that of `network`.
    sharpness : float or None, default=5
        Scale of the normalised logits; None leaves them as they are. With `learnt_scale`, the scale
        that they start with; None means 1.
    learnt_scale : bool, default=False
        Normalise logits and style, and learn scale and shift of each.
    input_noise : float, default=0.3
        Standard deviation of the noise on the samples (real vectors: in standard deviations).
    dropout : float, default=0
        Share of the values that the encoder does not see; the others are scaled up.
    adversarial_weight : float, default=10
        Weight of the loss that makes the encoder fool the adversaries, relative to the
        reconstruction in nats.
    adversary_speed : float, default=1
        Learning rate of the adversaries, as a multiple of `learning_rate`.
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
        Family of p(y | z, x).
    epochs : int, optional
        By default 20, or more for few samples: as many as give 200 steps.
    batch_size : int, default=256
    learning_rate : float, default=2e-3
        Learning rate of Adam.
    schedule, n_init, init_epochs, precision, device, verbose
        As for `gmvae.GMVAE`.
    select_by : {"agreement"}, default="agreement"
        No value of this objective tells good runs from bad.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    model_, labels_, history_, records_
        As for `NetworkClusterer`. History: ``reconstruction`` (log likelihood, nats per sample),
        ``deception_z`` and ``deception_x`` (the encoder's loss against each adversary, log 2 = 0.69
        at equilibrium), ``adversary_z_loss`` and ``adversary_x_loss`` (2 log 2 = 1.39 at
        equilibrium).

    References
    ----------
    A. Makhzani et al., "Adversarial Autoencoders", arXiv:1511.05644.
    """

    x_dim: Count | None = 5
    sharpness: Positive | None = 5.0
    learnt_scale: bool = False
    input_noise: NonNegative = 0.3
    dropout: Share = 0.0
    adversarial_weight: NonNegative = 10.0
    adversary_speed: Positive = 1.0

    def phases(self, samples: Tensor, seed: int) -> Iterator[Phase]:
        """Make the networks and yield their only phase; see `NetworkClusterer.phases`."""
        model = self._build_model().to(samples.device)
        model.p_y_given_zx.set_units(samples)
        self.model_ = model
        players = {
            "autoencoder": (model.trunk, model.head, model.p_y_given_zx),
            "adversary_z": (model.adversary_z,),
            "adversary_x": (model.adversary_x,),
        }
        game = _AAEGame(self.input_noise, self.adversarial_weight, self.dropout)
        speeds = dict.fromkeys(("adversary_z", "adversary_x"), self.adversary_speed)
        yield self._game_phase(game, players, samples, speeds)

    def _build_model(self) -> _AAEModel:
        arch, x_dim = self._architecture()
        return _AAEModel(
            arch,
            y_dim=self.n_features_in_,
            x_dim=x_dim,
            observation=self.observation_,
            n_clusters=self.n_clusters,
            sharpness=self.sharpness,
            learnt_scale=self.learnt_scale,
        )

    def transform(self, Y: ArrayLike) -> NDArray[np.floating]:
        """Styles, shape (n_samples, x_dim)."""
        return in_type_of(Y, self._read(lambda y: (self.model_.encode(y)[1],), Y)[0])

    def _probabilities(self, y: Tensor) -> Tensor:
        return self.model_.encode(y)[0]
