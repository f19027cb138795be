"""Probability distributions of the models: diagonal Gaussians and Bernoulli variables."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gmvae.kernels.bernoulli import bernoulli_log_prob

LOG_2PI = math.log(2.0 * math.pi)


@dataclass(frozen=True)
class DiagonalNormal:
    """Gaussian with a diagonal covariance over the last axis.

    Attributes
    ----------
    mean, log_var : Tensor, shape (..., D)
        Mean and natural logarithm of the variance.
    """

    mean: Tensor
    log_var: Tensor

    def rsample(self, noise: Tensor) -> Tensor:
        """Reparameterised samples for `noise` ~ N(0, I), both of shape (n, ..., D)."""
        return self.mean + noise * torch.exp(0.5 * self.log_var)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, summed over the last axis."""
        squared = (value - self.mean).square() * torch.exp(-self.log_var)
        return -0.5 * (squared + self.log_var + LOG_2PI).sum(-1)

    def unsqueeze(self, dim: int) -> DiagonalNormal:
        """The same Gaussians with one more axis, for broadcasting."""
        return DiagonalNormal(self.mean.unsqueeze(dim), self.log_var.unsqueeze(dim))

    def kl(self, other: DiagonalNormal) -> Tensor:
        """KL( self || other ) in nats, summed over the last axis; shapes broadcast."""
        squared = (self.mean - other.mean).square() + self.log_var.exp()
        ratio = squared * torch.exp(-other.log_var) + other.log_var - self.log_var
        return 0.5 * (ratio - 1).sum(-1)

    def kl_from_standard(self) -> Tensor:
        """KL( self || N(0, I) ) in nats, summed over the last axis."""
        return 0.5 * (self.mean.square() + self.log_var.exp() - self.log_var - 1.0).sum(-1)


@dataclass(frozen=True)
class BernoulliLogits:
    """Independent Bernoulli variables over the last axis, given by their logits.

    Attributes
    ----------
    logits : Tensor, shape (..., D)
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """Success probabilities, shape (..., D)."""
        return torch.sigmoid(self.logits)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats, summed over the last axis; `value` may lie between 0 and 1."""
        return bernoulli_log_prob(self.logits, value)
