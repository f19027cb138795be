"""Learning to reconstruct: the phase with which DEC, VaDE and the warm start of GMVAE begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from gmvae.architectures import image_side

INITIAL_NOISE = 0.05

Score = Callable[[Any, Tensor, Tensor], Tensor]
"""Maps a network, what its encoder sees and what its decoder should give, both (B, y_dim), to the
quality of the reconstruction of each sample, (B,)."""


class Corruption(Protocol):
    """What a denoising autoencoder has to undo."""

    def draw(self, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Random numbers for samples of `shape` (B, y_dim), on the device of `generator`."""

    def __call__(self, y: Tensor, noise: Tensor) -> Tensor:
        """What the encoder sees of `y`, shape (B, y_dim)."""


@dataclass(frozen=True)
class Masking:
    """Values are set to 0 at random (Vincent et al., JMLR 11, 2010, section 3.3).

    Attributes
    ----------
    share : float
        Of the values.
    """

    share: float

    def draw(self, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device)

    def __call__(self, y: Tensor, noise: Tensor) -> Tensor:
        return y * (noise >= self.share)


@dataclass(frozen=True)
class AffineJitter:
    """Images are moved, turned, stretched and sheared at random, all by a little.

    The six entries of an affine map, in units of half an image, are those of the identity and
    normal noise.

    Attributes
    ----------
    std : float
        Standard deviation of that noise.
    """

    std: float

    def draw(self, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        return torch.randn((shape[0], 2, 3), generator=generator, device=generator.device)

    def __call__(self, y: Tensor, noise: Tensor) -> Tensor:
        side = image_side(y.shape[-1])
        images = y.float().reshape(-1, 1, side, side)
        maps = torch.eye(2, 3, device=y.device) + self.std * noise
        with torch.autocast(y.device.type, enabled=False):
            grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
            moved = functional.grid_sample(images, grid, align_corners=False)
        return moved.flatten(1)


@dataclass(frozen=True)
class Reconstruction:
    """Objective of a (denoising) autoencoder, in the form that `gmvae.steps.TrainingStep` takes.

    Attributes
    ----------
    score : Score
    corruption : Corruption, optional
    """

    score: Score
    corruption: Corruption | None = None

    def draw_noise(self, network: Any, n_rows: int, generator: torch.Generator) -> Tensor | None:
        """Random numbers for the corruption of a batch."""
        if self.corruption is None:
            return None
        return self.corruption.draw((n_rows, network.y_dim), generator)

    def __call__(
        self, network: Any, y: Tensor, noise: Tensor | None, progress: float
    ) -> dict[str, Tensor]:
        """Loss of a batch."""
        seen = y if self.corruption is None or noise is None else self.corruption(y, noise)
        reconstruction = self.score(network, seen, y).mean()
        return {"loss": -reconstruction, "reconstruction": reconstruction}


@torch.no_grad()
def set_posterior_noise(head: nn.Linear, codes: NDArray[np.floating]) -> None:
    """Let q(x | y) begin with one small variance for all y, after a phase without noise.

    Parameters
    ----------
    head : Linear
        Its outputs are the means (x_dim), then the log variances (x_dim), then anything.
    codes : ndarray, shape (N, x_dim)
        Of the training samples: the variance is `INITIAL_NOISE` of theirs.
    """
    x_dim = codes.shape[1]
    rows = slice(x_dim, 2 * x_dim)
    variances = INITIAL_NOISE * codes.var(axis=0) + np.finfo(np.float32).tiny
    head.weight[rows] = 0
    head.bias[rows] = torch.from_numpy(np.log(variances)).to(head.bias)
