"""GMVAE as a probabilistic model (arXiv:1611.02648v2, section 3).

Generative   p(y, x, w, z) = p(w) p(z) p_beta(x | w, z) p_theta(y | x)
Inference    q(x, w, z | y) = q(x | y) q(w | y) p_beta(z | x, w)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gmvae.model.architectures import Architecture
from gmvae.model.distributions import LOG_2PI, BernoulliLogits, DiagonalNormal
from gmvae.model.networks import Trunk, full_precision
from gmvae.model.observation import Observation, ObservationModel, start_narrow


class Posterior(NamedTuple):
    """The two Gaussian factors of q, each with a mean and a log variance of shape (B, dim)."""

    q_x: DiagonalNormal
    q_w: DiagonalNormal


class Noise(NamedTuple):
    """Standard normal noise for M samples of (x, w), shapes (M, B, x_dim) and (M, B, w_dim)."""

    x: Tensor
    w: Tensor


class GMVAEModel(nn.Module):
    """Networks of GMVAE, and the distributions whose parameters they give.

    Parameters
    ----------
    arch : Architecture
        Sizes of the trunk, the decoder and the network beta.
    y_dim : int
        Size of the observation.
    x_dim, w_dim : int, optional
        Sizes of the clustered latent and of the style latent; by default those of `arch`.
    n_clusters : int
        K, the number of mixture components.
    observation : {"bernoulli", "gaussian"}
        Family of p(y | x).
    """

    def __init__(
        self,
        arch: Architecture,
        *,
        y_dim: int,
        x_dim: int | None = None,
        w_dim: int | None = None,
        n_clusters: int,
        observation: Observation,
    ):
        super().__init__()
        x_dim = arch.x_dim if x_dim is None else x_dim
        w_dim = arch.w_dim if w_dim is None else w_dim
        self.x_dim, self.w_dim, self.y_dim, self.n_clusters = x_dim, w_dim, y_dim, n_clusters
        self.trunk = Trunk(arch, y_dim)
        self.head = nn.Linear(self.trunk.n_features, 2 * (x_dim + w_dim))
        start_narrow(self.head, x_dim, observation)
        self.beta = nn.Sequential(
            nn.Linear(w_dim, arch.prior_hidden),
            nn.Tanh(),
            nn.Linear(arch.prior_hidden, 2 * n_clusters * x_dim),
        )
        self.observation_model = ObservationModel(arch, x_dim, y_dim, observation)

    def q_xw_given_y(self, y: Tensor) -> Posterior:
        """q(x | y) and q(w | y) for samples `y` of shape (B, y_dim)."""
        head = full_precision(self.head(self.trunk(self.observation_model.standardise(y))))
        x_mean, x_log_var, w_mean, w_log_var = head.split(
            [self.x_dim, self.x_dim, self.w_dim, self.w_dim], dim=-1
        )
        return Posterior(DiagonalNormal(x_mean, x_log_var), DiagonalNormal(w_mean, w_log_var))

    def draw_noise(
        self, n_samples: int, n_rows: int, generator: torch.Generator | None = None
    ) -> Noise:
        """Draw the noise of `n_samples` Monte-Carlo samples for each of `n_rows` samples y."""
        like = self.head.weight
        x, w = (
            torch.randn(
                (n_samples, n_rows, dim), generator=generator, dtype=like.dtype, device=like.device
            )
            for dim in (self.x_dim, self.w_dim)
        )
        return Noise(x, w)

    def p_x_given_wz(self, w: Tensor) -> DiagonalNormal:
        """All K components p_beta(x | w, z=k), parameters of shape (..., K, x_dim)."""
        both = full_precision(self.beta(w)).unflatten(-1, (2, self.n_clusters, self.x_dim))
        mean, log_var = both.unbind(-3)
        return DiagonalNormal(mean, log_var)

    def p_y_given_x(self, x: Tensor) -> BernoulliLogits | DiagonalNormal:
        """p_theta(y | x), parameters of shape (..., y_dim)."""
        return self.observation_model(x)

    def log_p_z_given_xw(self, x: Tensor, p_x_given_wz: DiagonalNormal) -> Tensor:
        """Log p_beta(z=k | x, w) for `x` of shape (..., x_dim): shape (..., K)."""
        return torch.log_softmax(p_x_given_wz.log_prob(x.unsqueeze(-2)), dim=-1)

    def clusters(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Cluster probabilities at the posterior means of x and w, and the means of x.

        Parameters
        ----------
        y : Tensor, shape (B, y_dim)

        Returns
        -------
        probabilities : Tensor, shape (B, K)
        means : Tensor, shape (B, x_dim)
        """
        q_x, q_w = self.q_xw_given_y(y)
        log_p_z = self.log_p_z_given_xw(q_x.mean, self.p_x_given_wz(q_w.mean))
        return log_p_z.exp(), q_x.mean

    def log_likelihood(self, y: Tensor, noise: Noise) -> Tensor:
        """Importance-sampled estimate of log p(y) in nats, shape (B,).

        The proposal is q(x | y) q(w | y), and z is summed out exactly. In expectation the estimate
        is a lower bound, which tightens with the number of samples of `noise` (Burda et al.,
        arXiv:1509.00519, eq. 8).
        """
        q_x, q_w = self.q_xw_given_y(y)
        x, w = q_x.rsample(noise.x), q_w.rsample(noise.w)
        log_p_x = self.log_p_x_given_w(x, self.p_x_given_wz(w))
        log_p_w = -0.5 * (w.square() + LOG_2PI).sum(-1)
        log_joint = self.p_y_given_x(x).log_prob(y) + log_p_x + log_p_w
        log_weight = log_joint - q_x.log_prob(x) - q_w.log_prob(w)
        return torch.logsumexp(log_weight, dim=0) - math.log(len(noise.x))

    def log_p_x_given_w(self, x: Tensor, p_x_given_wz: DiagonalNormal) -> Tensor:
        """Log of sum_k (1/K) N(x | mu_k(w), sigma_k^2(w)) for `x` (..., x_dim), shape (...)."""
        log_densities = p_x_given_wz.log_prob(x.unsqueeze(-2))
        return torch.logsumexp(log_densities, dim=-1) - math.log(self.n_clusters)
