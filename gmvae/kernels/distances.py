"""Distances of samples and of q from all mixture components, with a hand-derived gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def scaled_distances(
    x: Tensor, q_mean: Tensor, q_log_var: Tensor, mean: Tensor, log_var: Tensor
) -> tuple[Tensor, Tensor]:
    """Squared distances from K Gaussian components, in units of the components' variances.

    With d = x - mu_k and t = m - mu_k, the distance of a sample x is sum d^2 / sigma_k^2, and its
    expectation under q = N(m, v) is sum (t^2 + v) / sigma_k^2.

    Parameters
    ----------
    x : Tensor, shape (M, B, x_dim)
    q_mean, q_log_var : Tensor, shape (B, x_dim)
    mean, log_var : Tensor, shape (M, B, K, x_dim)

    Returns
    -------
    distances, spreads : Tensor, shape (M, B, K)
        Distances of `x`, and their expectations under q.
    """
    return _ScaledDistances.apply(x, q_mean, q_log_var, mean, log_var)


class _ScaledDistances(torch.autograd.Function):
    """Autograd function behind `scaled_distances`.

    Values and gradients share their products, which halves the number of passes over
    (M, B, K, x_dim) compared with automatic differentiation. There is no second derivative.
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
