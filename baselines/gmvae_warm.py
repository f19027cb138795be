"""Our variant of GMVAE with a warm start: an autoencoder and a Gaussian mixture of its codes.

The model, its objective and the joint training are those of `gmvae.GMVAE`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from gmvae.clusterer.parameters import Count, NonNegative, Positive
from gmvae.estimator import GMVAE
from gmvae.model.architectures import image_shape_of
from gmvae.model.gmvae import GMVAEModel, Noise
from gmvae.model.objective import GMVAEObjective, Terms, terms
from gmvae.training.devices import noise_generator, seeded
from gmvae.training.restarts import Phase
from gmvae.training.step import TrainingStep

from .shared.autoencoder import (
    AffineJitter,
    Reconstruction,
    codes_of,
    pretraining,
    set_posterior_noise,
)
from .shared.mixture_of_codes import Mixture, mixture_of_codes

JITTERED_SHARE = 2 / 3
"""Share of the epochs of the joint training over which the jitter fades."""
SLOPE = 0.1
"""Factor on the weights of beta's last layer, so components begin nearly independent of w."""


@dataclass(kw_only=True, eq=False, repr=False)
class WarmGMVAE(GMVAE):
    """GMVAE whose components begin at the clusters of an autoencoder's codes.

    Trunk, head and decoder learn to reconstruct, with the mean of q(x | y) as the code. A Gaussian
    mixture with full covariances, the most likely of three, is fitted to the codes of at most
    20,000 training samples; its means and variances become the output biases of the network beta.
    Then everything is trained with the objective of `gmvae.GMVAE`.

    For images there is `jitter`: the encoder sees each image moved, turned, stretched and sheared a
    little, and the decoder has to reconstruct the original. A lower bound of log p(y) remains one
    under such a corruption (Im et al., arXiv:1511.06406). The jitter fades in the second phase, and
    the last epochs train the paper's objective on the images themselves.

    Parameters
    ----------
    n_clusters : int, default=10
        K.
    jitter : float, default=0
        Standard deviation of the noise on the six entries of an affine map, in half widths of the
        image; 0.1 suits digits. Only for images with values from 0 to 1, or bytes.
    pretrain_epochs : int, default=10
        Epochs of the autoencoder.
    pretrain_learning_rate : float, default=1e-3
        Lowered to zero over that phase.
    n_samples_mc, init_n_samples_mc, network, x_dim, w_dim, observation, objective, \
z_prior_threshold, z_prior_warmup_epochs, epochs, batch_size, learning_rate, schedule, n_init, \
select_by, init_epochs, precision, device, verbose, random_state
        As for `gmvae.GMVAE`; `epochs` counts the joint training only. Each of the `n_init`
        trainings has its own autoencoder and mixture.

    Attributes
    ----------
    labels_, elbo_, history_, records_, model_, best_init_, observation_, n_features_in_
        As for `gmvae.GMVAE`; the history begins with the epochs of the autoencoder.
    """

    jitter: NonNegative = 0.0
    pretrain_epochs: Count = 10
    pretrain_learning_rate: Positive = 1e-3

    # Every network has its own autoencoder and mixture, which are not batched.
    fit_together = None  # type: ignore[assignment]

    def _objective(self) -> GMVAEObjective:
        plain = super()._objective()
        if not self.jitter:
            return plain
        until = JITTERED_SHARE * self.epochs_
        return _JitteredObjective(**vars(plain), jitter=self._affine_jitter(), until=until)

    def _affine_jitter(self) -> AffineJitter:
        return AffineJitter(self.jitter, image_shape_of(self._arch(), self.n_features_in_))

    def _start(self, Y: ArrayLike) -> Tensor:
        samples = super()._start(Y)
        y_dim = samples.shape[1]
        are_images = self.image_shape_ is not None or math.isqrt(y_dim) ** 2 == y_dim
        if self.jitter and not (are_images and self.observation_ == "bernoulli"):
            raise ValueError(
                f"jitter={self.jitter!r} is for images with values from 0 to 1 (or bytes), but the "
                f"samples have {y_dim} values each and a {self.observation_} observation; pass "
                "image_shape=(height, width, channels), or use jitter=0"
            )
        return samples

    def phases(self, samples: Tensor, seed: int) -> Iterator[Phase]:
        """Make the model and yield both phases; see `NetworkClusterer.phases`."""
        [joint] = super().phases(samples, seed)
        model, jitter = self.model_, self._affine_jitter() if self.jitter else None
        with seeded(seed, samples.device):
            # The second one: the first would begin with the numbers that initialised the network.
            _, generator = (noise_generator(samples.device) for _ in range(2))
        step = TrainingStep(
            model,
            Reconstruction(reconstruction, jitter),
            samples,
            pretraining(self),
            generator,
            modules=(model.trunk, model.head, model.observation_model),
        )
        yield Phase("autoencoder", step, has_clusters=False)
        codes = codes_of(lambda y: model.q_xw_given_y(y).q_x.mean, samples)
        start_from(model, mixture_of_codes(codes, self.n_clusters, seed))
        set_posterior_noise(model.head, codes)
        yield joint


class _JitteredNoise(NamedTuple):
    """Noise of the objective and of the corruption."""

    plain: Noise
    jitter: Tensor


@dataclass(frozen=True, kw_only=True)
class _JitteredObjective(GMVAEObjective):
    """Objective of GMVAE with an encoder that sees jittered images at first."""

    jitter: AffineJitter
    until: float

    def draw_noise(  # type: ignore[override]
        self, network: GMVAEModel, n_rows: int, generator: torch.Generator
    ) -> _JitteredNoise:
        plain = super().draw_noise(network, n_rows, generator)
        return _JitteredNoise(plain, self.jitter.draw((n_rows, network.y_dim), generator))

    def terms(  # type: ignore[override]
        self, network: GMVAEModel, y: Tensor, noise: _JitteredNoise, progress: float
    ) -> Terms:
        """Terms of a batch, whose jitter fades with the epochs."""
        strength = max(0.0, 1.0 - progress / self.until)
        seen = self.jitter(y, strength * noise.jitter) if strength else y
        return terms(network, y, self.in_use(noise.plain, progress), seen)


def reconstruction(model: GMVAEModel, seen: Tensor, y: Tensor) -> Tensor:
    """Log p(y | x) at the mean of q(x | seen), shape (B,): the model as an autoencoder."""
    return model.p_y_given_x(model.q_xw_given_y(seen).q_x.mean).log_prob(y)


@torch.no_grad()
def start_from(model: GMVAEModel, mixture: Mixture) -> None:
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
