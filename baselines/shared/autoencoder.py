"""Denoising autoencoder, the first phase of DEC and VaDE."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from gmvae.clusterer.base import ProbabilisticClusterer
from gmvae.clusterer.parameters import Count, NetworkName, Positive, Share
from gmvae.start.autoencoder import Reconstruction, codes_of, pretraining
from gmvae.training.restarts import Phase
from gmvae.training.step import TrainingStep


@dataclass(frozen=True)
class Masking:
    """Masking noise: values hidden at random (Vincent et al., JMLR 11, 2010, section 3.3).

    Attributes
    ----------
    share : float
        Share of the values that are hidden.
    neutral : Tensor, shape (y_dim,)
        Values in their place: 0 for pixels, the mean for real values.
    """

    share: float
    neutral: Tensor

    def draw(self, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Draw uniform numbers, shape (B, y_dim)."""
        return torch.rand(shape, generator=generator, device=generator.device)

    def __call__(self, y: Tensor, noise: Tensor) -> Tensor:
        """`y` with some of its values hidden, shape (B, y_dim)."""
        return torch.where(noise >= self.share, y, self.neutral)


@dataclass(kw_only=True, eq=False, repr=False)
class AutoencoderFirst(ProbabilisticClusterer):
    """A clusterer whose network begins as a denoising autoencoder.

    The network has ``encode``, which gives the codes of samples, and ``reconstruction``, a
    `gmvae.start.autoencoder.Score`.
    Its modules are those of the autoencoder; what it learns beyond that are parameters of its own.
    """

    network: NetworkName = "dec-fc"
    x_dim: Count | None = None
    masked: Share = 0.2
    pretrain_epochs: Count = 15
    pretrain_learning_rate: Positive = 1e-3

    def _codes_phase(
        self, samples: Tensor, neutral: Tensor, generator: torch.Generator
    ) -> Generator[Phase, None, NDArray[np.float32]]:
        """Yield the autoencoder, with `neutral` in place of masked values; returns all codes."""
        model = self.model_
        corruption = Masking(self.masked, neutral) if self.masked else None
        step = TrainingStep(
            model,
            Reconstruction(type(model).reconstruction, corruption),
            samples,
            pretraining(self, self.pretrain_epochs),
            generator,
            modules=list(model.children()),
        )
        yield Phase("autoencoder", step, has_clusters=False)
        return codes_of(model.encode, samples)

    def transform(self, Y: ArrayLike) -> NDArray[np.float32]:
        """Codes, the space that is clustered, shape (n_samples, x_dim)."""
        return self._read(lambda y: (self.model_.encode(y),), Y)[0]
