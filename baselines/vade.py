"""Variational deep embedding (VaDE; Jiang et al., arXiv:1611.05148).

A VAE whose prior is a Gaussian mixture. Both are learnt together, starting from an autoencoder and
a Gaussian mixture of its codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gmvae.clusterer.parameters import Criterion
from gmvae.model.architectures import Architecture
from gmvae.model.distributions import DiagonalNormal
from gmvae.model.observation import Observation
from gmvae.start.autoencoder import set_posterior_noise
from gmvae.start.mixture_of_codes import Mixture, mixture_of_codes
from gmvae.training.devices import noise_generator, seeded
from gmvae.training.loop import finite_elbo
from gmvae.training.restarts import Phase
from gmvae.training.step import TrainingSettings, TrainingStep

from .shared.autoencoder import AutoencoderFirst
from .shared.saved_network import SavedEmbedding
from .shared.vae import VAEModel, VAEObjective

MIXTURE_FITS = 20
"""Fits of the mixture of codes, of which the most likely one is the start."""


class _VaDEModel(VAEModel):
    """p(z) = Cat(pi), p(x | z) = N(mu_z, diag sigma_z^2), p(y | x) and q(x | y)."""

    def __init__(
        self,
        arch: Architecture,
        y_dim: int,
        x_dim: int,
        observation: Observation,
        n_clusters: int,
    ):
        super().__init__(arch, y_dim, x_dim, observation)
        self.weight_logits = nn.Parameter(torch.zeros(n_clusters))
        self.means = nn.Parameter(torch.zeros(n_clusters, x_dim))
        self.log_vars = nn.Parameter(torch.zeros(n_clusters, x_dim))

    @torch.no_grad()
    def set_prior(self, mixture: Mixture) -> None:
        """Start from a Gaussian mixture of the codes."""
        self.weight_logits.copy_(torch.from_numpy(mixture.weights).log())
        self.means.copy_(torch.from_numpy(mixture.means))
        self.log_vars.copy_(torch.from_numpy(mixture.variances).log())

    def p_x_given_z(self) -> DiagonalNormal:
        """All components, parameters of shape (K, x_dim)."""
        return DiagonalNormal(self.means, self.log_vars)

    def log_p_xz(self, x: Tensor) -> Tensor:
        """Log p(x, z) of codes (B, x_dim) for each z, shape (B, K)."""
        log_p_z = torch.log_softmax(self.weight_logits, dim=0)
        return log_p_z + self.p_x_given_z().log_prob(x.unsqueeze(-2))

    def terms(self, y: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Equation 9 of the paper, with one sample of x, and q(z | y) of equation 16."""
        q_x = self.q_x_given_y(y)
        x = q_x.rsample(noise)
        log_p_z = torch.log_softmax(self.weight_logits, dim=0)
        log_q_z = torch.log_softmax(self.log_p_xz(x), dim=-1)  # (B, K)
        q_z = log_q_z.exp()
        kl_x = q_x.unsqueeze(-2).kl(self.p_x_given_z())  # (B, K)
        return {
            "reconstruction": self.p_y_given_x(x).log_prob(y),
            "conditional_prior": (q_z * kl_x).sum(-1),
            "z_prior": (q_z * (log_q_z - log_p_z)).sum(-1),
        }

    def elbo(self, y: Tensor, noise: Tensor) -> Tensor:
        """The bound with z summed out exactly, from one sample of x, shape (B,)."""
        q_x = self.q_x_given_y(y)
        x = q_x.rsample(noise)
        log_p_x = torch.logsumexp(self.log_p_xz(x), dim=-1)
        return self.p_y_given_x(x).log_prob(y) + log_p_x - q_x.log_prob(x)

    def reconstruction(self, seen: Tensor, y: Tensor) -> Tensor:
        """Log p(y | x) at the mean of q(x | seen), shape (B,): the model as an autoencoder."""
        return self.p_y_given_x(self.encode(seen)).log_prob(y)


@dataclass(kw_only=True, eq=False, repr=False)
class VaDE(SavedEmbedding, AutoencoderFirst):
    """Variational deep embedding.

    As published: the model, its bound with one sample, the network 784-500-500-2000-10 without
    batch normalisation, and the order: autoencoder, Gaussian mixture of its codes, joint training
    by Adam. Different: the denoising autoencoder is trained end to end by Adam in tens of epochs,
    instead of layer by layer as in the DEC paper; the mixture is the most likely of twenty that
    are fitted to at most 20,000 codes with full covariances, of which the diagonals are kept;
    q(x | y) begins with one small variance; `elbo_`, which compares runs, has z summed out.

    Parameters
    ----------
    n_clusters : int, default=10
    network : str, default="dec-fc"
    x_dim : int, optional
        By default, that of `network`.
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
        Family of p(y | x).
    masked : float, default=0.2
        Share of the values that the autoencoder does not see.
    pretrain_epochs : int, default=15
        Epochs of the autoencoder.
    pretrain_learning_rate : float, default=1e-3
        Lowered to zero over the phase.
    epochs : int, optional
        Epochs of the joint training; by default 20, or as many as give 200 steps.
    batch_size, learning_rate, schedule, precision, device, verbose
        As for `gmvae.GMVAE`.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    elbo_ : float
        Mean bound of the training samples, nats per sample.
    model_, labels_, history_, records_
        As for `NetworkClusterer`. History, nats per sample: ``reconstruction`` in
        both phases; ``conditional_prior``, ``z_prior`` and the resulting ``elbo`` in the second.

    References
    ----------
    Z. Jiang et al., "Variational Deep Embedding: An Unsupervised and Generative Approach to
    Clustering", arXiv:1611.05148.
    """

    select_by: Criterion = "elbo"

    def phases(self, samples: Tensor, seed: int) -> Iterator[Phase]:
        """Make the network and yield both phases; see `NetworkClusterer.phases`."""
        model = self._build_model().to(samples.device)
        model.p_y_given_x.set_units(samples)
        self.model_ = model
        generators = [noise_generator(samples.device) for _ in range(2)]
        codes = yield from self._codes_phase(samples, model.p_y_given_x.mean, generators[0])
        model.set_prior(mixture_of_codes(codes, self.n_clusters, seed, n_init=MIXTURE_FITS))
        set_posterior_noise(model.head, codes)
        settings = TrainingSettings.of(self)
        step = TrainingStep(model, VAEObjective(), samples, settings, generators[1])
        yield Phase("joint", step)
        with seeded(seed, samples.device):  # whatever random numbers `on_epoch` has drawn
            elbo = self._evaluate(lambda y: (model.elbo(y, model.draw_noise(len(y))),), samples)[0]
        self.elbo_ = finite_elbo(elbo)

    def _build_model(self) -> _VaDEModel:
        arch, x_dim = self._architecture()
        return _VaDEModel(arch, self.n_features_in_, x_dim, self.observation_, self.n_clusters)

    def _probabilities(self, y: Tensor) -> Tensor:
        """p(z | x) at the mean of q(x | y), shape (B, n_clusters)."""
        return torch.softmax(self.model_.log_p_xz(self.model_.encode(y)), dim=-1)
