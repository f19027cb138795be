"""The objectives of GMVAE, one function a term (arXiv:1611.02648v2, section 3.1 and eq. 5).

Every term is in nats a sample and has shape (B,); only the trainer averages over the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gmvae.model.distributions import LOG_2PI, DiagonalNormal
from gmvae.model.gmvae import GMVAEModel, Noise


@dataclass(frozen=True)
class Terms:
    """The four terms of the paper's objective and the mixture form of the bound.

    ``reconstruction - conditional_prior - w_prior - z_prior`` is the paper's objective; `elbo` is
    the bound with z summed out, and in expectation objective <= elbo <= log p(y).

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
        For the M samples, all of which go through the networks in one pass.
    seen : Tensor, shape (B, y_dim), optional
        What the encoder sees in place of `y`. It is another q, so that the bound on log p(y) stays
        one (Im et al., arXiv:1511.06406, section 3).

    Returns
    -------
    Terms
    """
    q_x, q_w = model.q_xw_given_y(y if seen is None else seen)
    x = q_x.rsample(noise.x)  # (M, B, x_dim)
    w = q_w.rsample(noise.w)  # (M, B, w_dim)
    log_p_x_given_wz, kl_x = component_log_densities_and_kls(x, q_x, model.p_x_given_wz(w))
    log_p_x_given_w = torch.logsumexp(log_p_x_given_wz, dim=-1)  # (M, B), up to log K
    log_p_z = log_p_x_given_wz - log_p_x_given_w.unsqueeze(-1)  # (M, B, K)

    reconstruction = model.p_y_given_x(x).log_prob(y).mean(0)
    w_prior = q_w.kl_from_standard()
    log_ratio = log_p_x_given_w - math.log(model.n_clusters) - q_x.log_prob(x)
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
    """Densities of all K components at `x`, and the KL of q(x | y) from each, from shared parts.

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
    distances, spreads = _ScaledDistances.apply(
        x, q_x.mean, q_x.log_var, p_x_given_wz.mean, p_x_given_wz.log_var
    )
    log_det = p_x_given_wz.log_var.sum(-1)  # (M, B, K)
    q_log_det = q_x.log_var.sum(-1, keepdim=True)  # (B, 1)
    x_dim = x.shape[-1]
    log_densities = -0.5 * (distances + log_det + x_dim * LOG_2PI)
    kls = 0.5 * (spreads + log_det - q_log_det - x_dim)
    return log_densities, kls


class _ScaledDistances(torch.autograd.Function):
    """Squared distances from K components in units of their variances, of x and of x ~ q.

    With d = x - mu_k and t = m - mu_k they are sum d^2 / sigma_k^2 and, in expectation under
    q = N(m, v), sum (t^2 + v) / sigma_k^2. The gradients need the same products, so that all of
    them together take half of the passes over (M, B, K, x_dim) that automatic ones would. They
    have no gradients of their own.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor, q_mean: Tensor, q_log_var: Tensor, mean: Tensor, log_var: Tensor
    ) -> tuple[Tensor, Tensor]:
        precision = torch.exp(-log_var)  # (M, B, K, x_dim)
        from_x = x.unsqueeze(-2) - mean
        from_q = q_mean.unsqueeze(-2) - mean
        distances = from_x.mul_(from_x).mul_(precision).sum(-1)
        spreads = from_q.mul_(from_q).add_(q_log_var.exp().unsqueeze(-2)).mul_(precision).sum(-1)
        return distances, spreads

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        x, q_mean, q_log_var, mean, log_var = ctx.saved_tensors
        by_distance, by_spread = (gradient.unsqueeze(-1) for gradient in gradients)
        precision = torch.exp(-log_var)
        from_x = x.unsqueeze(-2) - mean
        from_q = q_mean.unsqueeze(-2) - mean
        variance = q_log_var.exp()
        scaled = precision * by_spread
        by_variance = scaled.sum((0, -2))  # (B, x_dim)
        by_q = scaled * from_q  # half of the gradient of the spreads, in m
        precision.mul_(by_distance)
        by_x = precision.mul_(from_x)  # half of the gradient of the distances, in x
        in_log_var = from_x.mul_(by_x)
        in_log_var.add_(from_q.mul_(by_q)).add_(scaled.mul_(variance.unsqueeze(-2)))
        in_x, in_q_mean = by_x.sum(-2).mul_(2), by_q.sum((0, -2)).mul_(2)
        in_mean = by_x.add_(by_q).mul_(-2)
        return in_x, in_q_mean, by_variance * variance, in_mean, in_log_var.neg_()


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
    """Negative four-term objective of a batch, a scalar in nats a sample.

    Parameters
    ----------
    values : Terms
    z_prior_threshold : float
        lambda: the optimised term is max(lambda, mean z-prior of the batch), so that below lambda
        the z-prior has no gradient (the paper's remedy against over-regularisation, section 4.1).
    z_prior_weight : float or Tensor
        Factor of the z-prior, below 1 while it is warmed up (the other common remedy).
    """
    optimised_z_prior = values.z_prior.mean().clamp(min=z_prior_threshold)
    free = values.reconstruction - values.conditional_prior - values.w_prior
    return z_prior_weight * optimised_z_prior - free.mean()


def exact_loss(values: Terms) -> Tensor:
    """Negative mixture form of the bound, a scalar in nats a sample."""
    return -values.elbo.mean()


@dataclass(frozen=True)
class GMVAEObjective:
    """What GMVAE minimises, in the form that `gmvae.training.step.TrainingStep` takes.

    Attributes
    ----------
    form : {"paper", "exact"}
    n_samples_mc : int
        M.
    z_prior_threshold : float
        lambda, for the form "paper".
    z_prior_warmup_epochs : float
        Epochs over which the weight of the z-prior rises from 0 to 1, for the form "paper".
    """

    form: str
    n_samples_mc: int
    z_prior_threshold: float
    z_prior_warmup_epochs: float

    def draw_noise(self, network: GMVAEModel, n_rows: int, generator: torch.Generator) -> Noise:
        """Noise for one batch."""
        return network.draw_noise(self.n_samples_mc, n_rows, generator)

    def __call__(
        self, network: GMVAEModel, y: Tensor, noise: Noise, progress: float
    ) -> dict[str, Tensor]:
        """Loss of a batch after `progress` epochs, and the means of all terms beside it."""
        values = self._terms(network, y, noise, progress)
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

    def _terms(self, network: GMVAEModel, y: Tensor, noise: Any, progress: float) -> Terms:
        return terms(network, y, noise)
