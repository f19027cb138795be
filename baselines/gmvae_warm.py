"""Our variant of GMVAE with a warm start and a corruption of images.

The model, its objective and the start from a mixture are those of `gmvae.GMVAE`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gmvae.clusterer.parameters import NonNegative
from gmvae.estimator import GMVAE
from gmvae.model.architectures import image_shape_of
from gmvae.model.gmvae import GMVAEModel, Noise
from gmvae.model.objective import GMVAEObjective, Terms, terms
from gmvae.start.gmvae_from_mixture import start_from_mixture
from gmvae.training.restarts import Phase

from .shared.jitter import AffineJitter

JITTERED_SHARE = 2 / 3
"""Share of the epochs of the joint training over which the jitter fades."""


@dataclass(kw_only=True, eq=False, repr=False)
class WarmGMVAE(GMVAE):
    """GMVAE that starts from a mixture of an autoencoder's codes, whatever the number of samples.

    It is `gmvae.GMVAE` with ``init="mixture"`` and, for images, `jitter`: the encoder sees each
    image moved, turned, stretched and sheared a little, and the decoder has to reconstruct the
    original. A lower bound of log p(y) remains one under such a corruption (Im et al.,
    arXiv:1511.06406). The jitter fades in the second phase, and the last epochs train the paper's
    objective on the images themselves.

    Parameters
    ----------
    n_clusters : int, default=10
        K.
    jitter : float, default=0
        Standard deviation of the noise on the six entries of an affine map, in half widths of the
        image; 0.1 suits digits. Only for images with values from 0 to 1, or bytes.
    init : {"mixture"}, default="mixture"
        The only start of this class.
    n_samples_mc, init_n_samples_mc, network, x_dim, w_dim, observation, objective, \
z_prior_threshold, z_prior_warmup_epochs, pretrain_epochs, pretrain_learning_rate, epochs, \
batch_size, learning_rate, schedule, n_init, select_by, init_epochs, precision, device, verbose, \
random_state
        As for `gmvae.GMVAE`.

    Attributes
    ----------
    labels_, elbo_, history_, records_, model_, best_init_, observation_, n_features_in_
        As for `gmvae.GMVAE`.
    """

    init: Literal["mixture"] = "mixture"
    jitter: NonNegative = 0.0

    def _objective(self) -> GMVAEObjective:
        plain = super()._objective()
        if not self.jitter:
            return plain
        until = JITTERED_SHARE * self.epochs_
        return _JitteredObjective(**vars(plain), jitter=self._affine_jitter(), until=until)

    def _affine_jitter(self) -> AffineJitter:
        return AffineJitter(self.jitter, image_shape_of(self._arch(), self.n_features_in_))

    def _begin(self, Y: ArrayLike) -> Tensor:
        samples = super()._begin(Y)
        y_dim = samples.shape[1]
        are_images = self.image_shape_ is not None or math.isqrt(y_dim) ** 2 == y_dim
        if self.jitter and not (are_images and self.observation_ == "bernoulli"):
            raise ValueError(
                f"jitter={self.jitter!r} is for images with values from 0 to 1 (or bytes), but the "
                f"samples have {y_dim} values each and a {self.observation_} observation; pass "
                "image_shape=(height, width, channels), or use jitter=0"
            )
        return samples

    def _first_phase(self, samples: Tensor, seed: int) -> Iterator[Phase]:
        """The autoencoder, which sees what the jitter leaves."""
        corruption = self._affine_jitter() if self.jitter else None
        epochs = self._epochs_of_autoencoder(samples)
        return start_from_mixture(self, samples, seed, epochs=epochs, corruption=corruption)


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
