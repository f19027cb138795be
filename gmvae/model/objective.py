"""Objectives of GMVAE and their terms (arXiv:1611.02648v2, section 3.1 and eq. 5).

Every term is in nats per sample and has shape (B,); the losses average over the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gmvae.kernels.distances import scaled_distances
from gmvae.model.distributions import LOG_2PI, DiagonalNormal
from gmvae.model.gmvae import GMVAEModel, Noise


@dataclass(frozen=True)
class Terms:
    """Terms of the paper's objective, and the mixture form of the bound.

    The paper's objective is ``reconstruction - conditional_prior - w_prior - z_prior``; `elbo` is
    the bound with z summed out. In expectation, objective <= elbo <= log p(y).

    Attributes
    ----------
    reconstruction, conditional_prior, w_prior, z_prior, elbo : Tensor, shape (B,)
    """

    reconstruction: Tensor
    conditional_prior: Tensor
    w_prior: Tensor
    z_prior: Tensor
    elbo: Tensor


def terms(model: GMVAEModel, y: Tensor, noise: Noise, seen: Tensor | None = None) -> Terms:
    """Estimate all terms with M samples of (x, w) for each sample of `y`.

    Parameters
    ----------
    model : GMVAEModel
    y : Tensor, shape (B, y_dim)
    noise : Noise
        Noise of the M samples, which go through the networks in one pass.
    seen : Tensor, shape (B, y_dim), optional
        Input of the encoder instead of `y`, such as a corrupted `y`. It only changes q, so the
        result is still a bound on log p(y) (Im et al., arXiv:1511.06406, section 3).

    Returns
    -------
    Terms
    """
    q_x, q_w = model.q_xw_given_y(y if seen is None else seen)
    x = q_x.rsample(noise.x)  # (M, B, x_dim)
    w = q_w.rsample(noise.w)  # (M, B, w_dim)
    log_p_x_given_wz, kl_x = component_log_densities_and_kls(x, q_x, model.p_x_given_wz(w))
    log_sum = torch.logsumexp(log_p_x_given_wz, dim=-1)  # (M, B)
    log_p_z = log_p_x_given_wz - log_sum.unsqueeze(-1)  # (M, B, K)
    log_p_x_given_w = log_sum - math.log(model.n_clusters)

    reconstruction = model.p_y_given_x(x).log_prob(y).mean(0)
    w_prior = q_w.kl_from_standard()
    log_ratio = log_p_x_given_w - q_x.log_prob(x)
    return Terms(
        reconstruction=reconstruction,
        conditional_prior=conditional_prior(log_p_z, kl_x),
        w_prior=w_prior,
        z_prior=z_prior(log_p_z),
        elbo=reconstruction + log_ratio.mean(0) - w_prior,
    )


def component_log_densities_and_kls(
    x: Tensor, q_x: DiagonalNormal, p_x_given_wz: DiagonalNormal
) -> tuple[Tensor, Tensor]:
    """Log densities of all K components at `x`, and the KL of q(x | y) from each component.

    Parameters
    ----------
    x : Tensor, shape (M, B, x_dim)
    q_x : DiagonalNormal, shape (B, x_dim)
    p_x_given_wz : DiagonalNormal, shape (M, B, K, x_dim)

    Returns
    -------
    log_densities : Tensor, shape (M, B, K)
        log N(x | mu_k(w), sigma_k^2(w)).
    kls : Tensor, shape (M, B, K)
        KL( q(x | y) || N(mu_k(w), sigma_k^2(w)) ).
    """
    distances, spreads = scaled_distances(
        x, q_x.mean, q_x.log_var, p_x_given_wz.mean, p_x_given_wz.log_var
    )
    log_det = p_x_given_wz.log_var.sum(-1)  # (M, B, K)
    q_log_det = q_x.log_var.sum(-1, keepdim=True)  # (B, 1)
    x_dim = x.shape[-1]
    log_densities = -0.5 * (distances + log_det + x_dim * LOG_2PI)
    kls = 0.5 * (spreads + log_det - q_log_det - x_dim)
    return log_densities, kls


def conditional_prior(log_p_z: Tensor, kl_x: Tensor) -> Tensor:
    """E_q(w|y) p(z|x,w) KL( q(x|y) || p(x|w,z) ), both arguments of shape (M, B, K)."""
    return (log_p_z.exp() * kl_x).sum(-1).mean(0)


def z_prior(log_p_z: Tensor) -> Tensor:
    """KL( p(z|x,w) || uniform ) averaged over M, for `log_p_z` of shape (M, B, K)."""
    n_clusters = log_p_z.shape[-1]
    return (log_p_z.exp() * (log_p_z + math.log(n_clusters))).sum(-1).mean(0)


def paper_loss(
    values: Terms, *, z_prior_threshold: float = 0.0, z_prior_weight: float | Tensor = 1.0
) -> Tensor:
    """Negative four-term objective of a batch, a scalar in nats per sample.

    Parameters
    ----------
    values : Terms
    z_prior_threshold : float
        lambda. The optimised term is max(lambda, mean z-prior of the batch), so the z-prior has no
        gradient below lambda (the paper's remedy against over-regularisation, section 4.1).
    z_prior_weight : float or Tensor
        Factor of the z-prior, below 1 during a warm-up (the other common remedy).
    """
    optimised_z_prior = values.z_prior.mean().clamp(min=z_prior_threshold)
    free = values.reconstruction - values.conditional_prior - values.w_prior
    return z_prior_weight * optimised_z_prior - free.mean()


def exact_loss(values: Terms) -> Tensor:
    """Negative mixture form of the bound, a scalar in nats per sample."""
    return -values.elbo.mean()


@dataclass(frozen=True)
class GMVAEObjective:
    """Loss of GMVAE, in the form of `gmvae.training.step.Objective`.

    Attributes
    ----------
    form : {"paper", "exact"}
    n_samples_mc : int
        M.
    z_prior_threshold : float
        lambda, in the form "paper" only.
    z_prior_warmup_epochs : float
        Epochs over which the weight of the z-prior rises from 0 to 1, in the form "paper" only.
    init_n_samples_mc : int, optional
        M in the first `init_epochs` epochs. The objective is a mean over the samples, so its
        expectation is the same for every M.
    init_epochs : int
    """

    form: str
    n_samples_mc: int
    z_prior_threshold: float
    z_prior_warmup_epochs: float
    init_n_samples_mc: int | None = None
    init_epochs: int = 0

    def draw_noise(self, network: GMVAEModel, n_rows: int, generator: torch.Generator) -> Noise:
        """Draw the noise of one batch, at least as many samples as are in use at any time."""
        n_samples = max(self.n_samples_mc, self.init_n_samples_mc or 1)
        return network.draw_noise(n_samples, n_rows, generator)

    def __call__(
        self, network: GMVAEModel, y: Tensor, noise: Noise, progress: float
    ) -> dict[str, Tensor]:
        """Loss of a batch after `progress` epochs, and the mean of each term."""
        values = self.terms(network, y, noise, progress)
        if self.form == "exact":
            loss = exact_loss(values)
        else:
            warmup = self.z_prior_warmup_epochs
            loss = paper_loss(
                values,
                z_prior_threshold=self.z_prior_threshold,
                z_prior_weight=min(1.0, progress / warmup) if warmup else 1.0,
            )
        return {"loss": loss, **{name: value.mean() for name, value in vars(values).items()}}

    def terms(self, network: GMVAEModel, y: Tensor, noise: Noise, progress: float) -> Terms:
        """Terms of a batch; a subclass can show the encoder something else."""
        return terms(network, y, self.in_use(noise, progress))

    def in_use(self, noise: Noise, progress: float) -> Noise:
        """The noise of the M samples that are in use after `progress` epochs."""
        is_early = progress < self.init_epochs
        n_samples = (is_early and self.init_n_samples_mc) or self.n_samples_mc
        return Noise(noise.x[:n_samples], noise.w[:n_samples])
