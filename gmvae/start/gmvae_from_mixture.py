"""GMVAE that starts from a Gaussian mixture of the codes of its own autoencoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gmvae.model.gmvae import GMVAEModel
from gmvae.start.autoencoder import (
    Corruption,
    Reconstruction,
    codes_of,
    pretraining,
    set_posterior_noise,
)
from gmvae.start.mixture_of_codes import Mixture, mixture_of_codes
from gmvae.training.devices import noise_generator, seeded
from gmvae.training.restarts import Phase
from gmvae.training.step import TrainingStep

SLOPE = 0.1
"""Factor on the weights of beta's last layer, so components begin nearly independent of w."""


def start_from_mixture(
    estimator: Any,
    samples: Tensor,
    seed: int,
    *,
    epochs: int,
    corruption: Corruption | None = None,
) -> Iterator[Phase]:
    """Yield the autoencoder; then move the components of the model to a mixture of its codes.

    Trunk, head and decoder learn to reconstruct, with the mean of q(x | y) as the code.

    Parameters
    ----------
    estimator : GMVAE
        With its untrained ``model_``.
    samples : Tensor, shape (N, y_dim)
    seed : int
    epochs : int
        Epochs of the autoencoder.
    corruption : Corruption, optional
        Change of the samples that the encoder sees.
    """
    model: GMVAEModel = estimator.model_
    with seeded(seed, samples.device):
        # The second one: the first would begin with the numbers that initialised the network.
        _, generator = (noise_generator(samples.device) for _ in range(2))
    step = TrainingStep(
        model,
        Reconstruction(reconstruction, corruption),
        samples,
        pretraining(estimator, epochs),
        generator,
        modules=(model.trunk, model.head, model.observation_model),
    )
    yield Phase("autoencoder", step, has_clusters=False)
    codes = codes_of(lambda y: model.q_xw_given_y(y).q_x.mean, samples)
    set_components(model, mixture_of_codes(codes, estimator.n_clusters, seed))
    set_posterior_noise(model.head, codes)


def reconstruction(model: GMVAEModel, seen: Tensor, y: Tensor) -> Tensor:
    """Log p(y | x) at the mean of q(x | seen), shape (B,): the model as an autoencoder."""
    return model.p_y_given_x(model.q_xw_given_y(seen).q_x.mean).log_prob(y)


@torch.no_grad()
def set_components(model: GMVAEModel, mixture: Mixture) -> None:
    """Make beta return nearly the components of `mixture`, whatever w is.

    Parameters
    ----------
    model : GMVAEModel
    mixture : Mixture
        Mixture with as many components as the model.
    """
    last: nn.Linear = model.beta[-1]  # type: ignore[assignment]
    last.weight.mul_(SLOPE)
    means_and_log_vars = np.stack([mixture.means, np.log(mixture.variances)])  # (2, K, x_dim)
    last.bias.copy_(torch.from_numpy(means_and_log_vars).flatten())
