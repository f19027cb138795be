"""The probability distributions that the models are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

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
        """Reparameterised samples, one for each of `noise` ~ N(0, I), shape (n, ..., D)."""
        return self.mean + noise * torch.exp(0.5 * self.log_var)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, summed over the last axis."""
        squared = (value - self.mean).square() * torch.exp(-self.log_var)
        return -0.5 * (squared + self.log_var + LOG_2PI).sum(-1)

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
        shape = np.broadcast_shapes(self.logits.shape, value.shape)
        return _BernoulliLogProb.apply(self.logits.expand(shape), value)


class _BernoulliLogProb(torch.autograd.Function):
    """Sum of (value - 1) logits + log sigmoid(logits) over the last axis, in few passes.

    The gradient, value - sigmoid(logits), is made from the logits alone.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, value: Tensor) -> Tensor:
        return ((value - 1) * logits).add_(functional.logsigmoid(logits)).sum(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None]:
        logits, value = ctx.saved_tensors
        gradient = gradients[0].unsqueeze(-1)
        in_value = (logits * gradient).sum_to_size(value.shape) if ctx.needs_input_grad[1] else None
        return (value - torch.sigmoid(logits)) * gradient, in_value
