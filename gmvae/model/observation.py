"""p(y | x): a decoder, and the distribution whose parameters it gives."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from gmvae.model.architectures import Architecture
from gmvae.model.distributions import BernoulliLogits, DiagonalNormal
from gmvae.model.networks import Decoder, as_batch, full_precision

Observation = Literal["bernoulli", "gaussian"]

MIN_LOG_VAR = -10.0
"""Smallest log variance of a Gaussian observation, in units of the data's own variance. Without it,
the likelihood of a value that hardly varies grows without bound."""

INITIAL_LOG_VAR = -4.0
"""Initial log variance in the same units. A decoder that starts with the data's own variance gains
nothing from x at first: q(x | y) collapses to the prior and stays there (Lucas et al.,
arXiv:1911.02469). Chosen together with `INITIAL_LOG_VAR_OF_X` in study 2 of docs/method.md."""

INITIAL_LOG_VAR_OF_X = -2.0
"""Initial log variance of q(x | y) for real vectors. With the variance of the prior, x is mostly
noise in the first epochs."""

VALUES_AT_A_TIME = 1 << 25
"""Values of the samples that are held in float64 at a time, at most."""


class ObservationModel(nn.Module):
    """p_theta(y | x) = Bernoulli(mu(x)) or N(mu(x), diag sigma^2(x)).

    For real vectors the networks work in standardised units; an affine map, fixed before training,
    turns their distribution into one of the vectors themselves.

    Parameters
    ----------
    arch : Architecture
    x_dim, y_dim : int
    observation : {"bernoulli", "gaussian"}
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, arch: Architecture, x_dim: int, y_dim: int, observation: Observation):
        super().__init__()
        self.observation = observation
        n_outputs = 1 if observation == "bernoulli" else 2
        self.decoder = Decoder(arch, x_dim, y_dim, n_outputs)
        if observation == "gaussian":
            with torch.no_grad():
                self.decoder.output_bias.chunk(2)[1].fill_(INITIAL_LOG_VAR)
        self.register_buffer("mean", torch.zeros(y_dim))
        self.register_buffer("scale", torch.ones(y_dim))

    @torch.no_grad()
    def set_units(self, samples: Tensor) -> None:
        """Set the mean and the standard deviation of each value from the training samples.

        Parameters
        ----------
        samples : Tensor, shape (N, y_dim)
            Real values or pixel bytes.
        """
        if self.observation == "gaussian":
            mean, spread, largest = moments(samples)
            self.mean.copy_(mean)
            self.scale.copy_(torch.where(spread <= 1e-6 * largest, 1.0, spread))

    def standardise(self, y: Tensor) -> Tensor:
        """Input of the trunk for `y`, shape (B, y_dim)."""
        return y if self.observation == "bernoulli" else (y - self.mean) / self.scale

    def forward(self, x: Tensor) -> BernoulliLogits | DiagonalNormal:
        """p(y | x) for `x` of shape (..., x_dim), parameters of shape (..., y_dim)."""
        output = full_precision(self.decoder(x.flatten(0, -2))).unflatten(0, x.shape[:-1])
        if self.observation == "bernoulli":
            return BernoulliLogits(output)
        mean, log_var = output.chunk(2, dim=-1)
        log_var = MIN_LOG_VAR + functional.softplus(log_var - MIN_LOG_VAR)
        return DiagonalNormal(self.mean + self.scale * mean, log_var + 2 * torch.log(self.scale))


def moments(samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, standard deviation and largest absolute value of each column, in float64.

    In float64, since the spread of large values that vary little is lost in float32; and block by
    block, since a copy of all samples may not fit into memory.

    Parameters
    ----------
    samples : Tensor, shape (N, y_dim)
        Real values or pixel bytes.

    Returns
    -------
    tuple of Tensor, shape (y_dim,) each
    """
    size = samples.shape[1]
    mean, variance, largest = (samples.new_zeros(size, dtype=torch.float64) for _ in range(3))
    n_before = 0
    for rows in samples.split(max(1, VALUES_AT_A_TIME // size)):
        exact = as_batch(rows).double()
        # Chan, Golub and LeVeque: means and variances of two parts are those of the whole.
        share = len(rows) / (n_before + len(rows))
        change = exact.mean(0) - mean
        variance = torch.lerp(variance, exact.std(0, correction=0).square(), share)
        variance += share * (1 - share) * change.square()
        mean = mean + share * change
        largest = torch.maximum(largest, torch.maximum(exact.amax(0), -exact.amin(0)))
        n_before += len(rows)
    return mean, variance.sqrt(), largest


@torch.no_grad()
def start_narrow(head: nn.Linear, x_dim: int, observation: Observation) -> None:
    """Give q(x | y) a small variance at the start of a training on real vectors.

    Parameters
    ----------
    head : Linear
        Layer whose outputs are x_dim means, x_dim log variances, and possibly others.
    x_dim : int
    observation : {"bernoulli", "gaussian"}
        Nothing is changed for pixels.
    """
    if observation == "gaussian":
        head.bias[x_dim : 2 * x_dim].fill_(INITIAL_LOG_VAR_OF_X)
