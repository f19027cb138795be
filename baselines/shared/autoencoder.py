"""Denoising autoencoder, the first phase of DEC, VaDE and the warm start of GMVAE."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional

from gmvae.clusterer.base import ProbabilisticClusterer
from gmvae.clusterer.evaluation import evaluate
from gmvae.clusterer.parameters import Count, NetworkName, Positive, Share
from gmvae.model.architectures import ImageShape
from gmvae.training.loop import DivergenceError
from gmvae.training.restarts import Phase
from gmvae.training.step import TrainingSettings, TrainingStep

from .mixture_of_codes import MIN_VARIANCE

INITIAL_NOISE = 0.05
"""Initial variance of q(x | y), as a share of the variance of the codes."""

Score = Callable[[Any, Tensor, Tensor], Tensor]
"""Function of a network, the input of its encoder and the target of its decoder, both (B, y_dim).
It returns the quality of the reconstruction of each sample, (B,)."""


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


@dataclass(frozen=True)
class AffineJitter:
    """Random affine maps of images: small moves, turns, stretches and shears.

    The six entries of a map, in half widths of the image, are those of the identity plus normal
    noise. Pixels from outside the image are 0.

    Attributes
    ----------
    std : float
        Standard deviation of that noise.
    image_shape : ImageShape
    """

    std: float
    image_shape: ImageShape

    def draw(self, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Draw normal numbers, shape (B, 2, 3)."""
        return torch.randn((shape[0], 2, 3), generator=generator, device=generator.device)

    def __call__(self, y: Tensor, noise: Tensor) -> Tensor:
        """Images `y` after their maps, interpolated bilinearly, shape (B, y_dim)."""
        images = y.float().unflatten(-1, self.image_shape).permute(0, 3, 1, 2)
        maps = torch.eye(2, 3, device=y.device) + self.std * noise
        with torch.autocast(y.device.type, enabled=False):
            grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
            moved = functional.grid_sample(images, grid, align_corners=False)
        return moved.permute(0, 2, 3, 1).flatten(1)


@dataclass(frozen=True)
class Reconstruction:
    """Objective of a (denoising) autoencoder for a `gmvae.training.step.TrainingStep`.

    Attributes
    ----------
    score : Score
    corruption : Masking or AffineJitter, optional
    """

    score: Score
    corruption: Masking | AffineJitter | None

    def draw_noise(self, network: Any, n_rows: int, generator: torch.Generator) -> Tensor | None:
        """Draw random numbers for the corruption of a batch."""
        if self.corruption is None:
            return None
        return self.corruption.draw((n_rows, network.y_dim), generator)

    def __call__(
        self, network: Any, y: Tensor, noise: Tensor | None, progress: float
    ) -> dict[str, Tensor]:
        """Loss of a batch, and the mean quality of its reconstruction."""
        seen = y if self.corruption is None or noise is None else self.corruption(y, noise)
        reconstruction = self.score(network, seen, y).mean()
        return {"loss": -reconstruction, "reconstruction": reconstruction}


def pretraining(estimator: Any) -> TrainingSettings:
    """Settings of the first phase: ``pretrain_epochs``, and a rate that is lowered to zero."""
    return replace(
        TrainingSettings.of(estimator),
        epochs=estimator.pretrain_epochs,
        learning_rate=estimator.pretrain_learning_rate,
        schedule="cosine",
        phase="autoencoder",
        rate_name="pretrain_learning_rate",
    )


def codes_of(encode: Callable[[Tensor], Tensor], samples: Tensor) -> NDArray[np.float32]:
    """Codes of all samples, shape (N, x_dim).

    Raises
    ------
    DivergenceError
        If they are not finite.
    """
    codes = evaluate(lambda y: (encode(y),), samples, samples.device)[0]
    if not np.isfinite(codes).all():
        raise DivergenceError(
            "the autoencoder diverged in its last step: its codes are not finite; a lower "
            "pretrain_learning_rate usually helps"
        )
    return codes


@torch.no_grad()
def set_posterior_noise(head: nn.Linear, codes: NDArray[np.floating]) -> None:
    """Give q(x | y) one small variance for all y, after a phase without noise.

    Parameters
    ----------
    head : Linear
        Layer whose outputs are x_dim means, x_dim log variances, and possibly others.
    codes : ndarray, shape (N, x_dim)
        Codes of the training samples; the variance is `INITIAL_NOISE` times theirs.
    """
    x_dim = codes.shape[1]
    rows = slice(x_dim, 2 * x_dim)
    variances = np.maximum(INITIAL_NOISE * codes.var(axis=0), MIN_VARIANCE)
    head.weight[rows] = 0
    head.bias[rows] = torch.from_numpy(np.log(variances)).to(head.bias)


@dataclass(kw_only=True, eq=False, repr=False)
class AutoencoderFirst(ProbabilisticClusterer):
    """A clusterer whose network begins as a denoising autoencoder.

    The network has ``encode``, which gives the codes of samples, and ``reconstruction``, a `Score`.
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
            pretraining(self),
            generator,
            modules=list(model.children()),
        )
        yield Phase("autoencoder", step, has_clusters=False)
        return codes_of(model.encode, samples)

    def transform(self, Y: ArrayLike) -> NDArray[np.float32]:
        """Codes, the space that is clustered, shape (n_samples, x_dim)."""
        return self._read(lambda y: (self.model_.encode(y),), Y)[0]
