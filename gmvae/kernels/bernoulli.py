"""Log probability of Bernoulli variables, with a hand-derived gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def bernoulli_log_prob(logits: Tensor, value: Tensor) -> Tensor:
    """Log probability of Bernoulli variables in nats, summed over the last axis.

    Parameters
    ----------
    logits, value : Tensor, shapes (..., D) that broadcast
        `value` may lie between 0 and 1.

    Returns
    -------
    Tensor, shape (...)
    """
    shape = np.broadcast_shapes(logits.shape, value.shape)
    return _BernoulliLogProb.apply(logits.expand(shape), value)


class _BernoulliLogProb(torch.autograd.Function):
    """Sum of (value - 1) logits + log sigmoid(logits) over the last axis, in few passes.

    The gradient in the logits is value - sigmoid(logits), so no intermediate result is kept.
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
