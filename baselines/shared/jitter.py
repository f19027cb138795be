"""Random affine maps of images, a corruption that keeps what a digit is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gmvae.model.architectures import ImageShape


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
