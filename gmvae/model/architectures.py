"""Named architectures: the sizes of all networks, without torch.

``paper-conv`` and ``paper-fc`` follow the appendix of arXiv:1611.02648v2; ``fast-conv`` and
``fast-fc`` are ours (see ``config/README.md``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


class Convolution(NamedTuple):
    """One convolution of a trunk, and its transpose in the decoder; the order is that of torch."""

    channels: int
    kernel: int
    stride: int
    padding: int

    def output_side(self, side: int) -> int:
        """Side of the output image for an input image with this side."""
        return (side + 2 * self.padding - self.kernel) // self.stride + 1


class ImageShape(NamedTuple):
    """Shape of an image, whose values are stored row by row with the channels last."""

    height: int
    width: int
    channels: int = 1


@dataclass(frozen=True)
class Architecture:
    """Sizes of all networks of one architecture.

    Attributes
    ----------
    convolutions : tuple of Convolution
        Empty for a fully connected trunk.
    hidden : tuple of int
        Widths of the fully connected layers after the convolutions.
    prior_hidden : int
        Width of the hidden (tanh) layer of the network beta.
    x_dim, w_dim : int
        Default sizes of the two latent variables.
    batch_norm : bool
        Whether there is a batch normalisation before each ReLU.
    image_shape : ImageShape, optional
        Shape of the samples; by default they are square grey images if there are convolutions.
    """

    convolutions: tuple[Convolution, ...]
    hidden: tuple[int, ...]
    prior_hidden: int
    x_dim: int
    w_dim: int
    batch_norm: bool = True
    image_shape: ImageShape | None = None


ARCHITECTURES: dict[str, Architecture] = {
    "dec-fc": Architecture((), (500, 500, 2000), 500, x_dim=10, w_dim=2, batch_norm=False),
    "fast-conv": Architecture(
        (Convolution(16, 4, 2, 1), Convolution(32, 4, 2, 1)), (500,), 500, x_dim=10, w_dim=2
    ),
    "fast-fc": Architecture((), (500, 500), 500, x_dim=10, w_dim=2),
    "paper-conv": Architecture(
        (Convolution(16, 6, 1, 0), Convolution(32, 6, 1, 0), Convolution(64, 4, 2, 1)),
        (500,),
        500,
        x_dim=200,
        w_dim=150,
    ),
    "paper-fc": Architecture((), (120, 120), 120, x_dim=2, w_dim=2, batch_norm=False),
}


def architecture(name: str) -> Architecture:
    """Look an architecture up by name.

    Raises
    ------
    ValueError
        If no architecture has that name.
    """
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ValueError(f"unknown network {name!r}; choose one of: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def image_side(y_dim: int) -> int:
    """Side of the square image that a sample of `y_dim` values holds.

    Raises
    ------
    ValueError
        If `y_dim` is not a square number.
    """
    side = math.isqrt(y_dim)
    if side * side != y_dim:
        raise ValueError(
            f"a convolutional network needs images, but each sample has {y_dim} values, which is "
            "not a square number; pass image_shape=(height, width, channels), or use "
            "network='fast-fc' for data that are not images"
        )
    return side


def image_shape_of(arch: Architecture, y_dim: int) -> ImageShape:
    """Shape of the images of a convolutional architecture, for samples of `y_dim` values.

    Raises
    ------
    ValueError
        If `y_dim` is not a square number and the architecture has no shape of its own.
    """
    if arch.image_shape is not None:
        return arch.image_shape
    side = image_side(y_dim)
    return ImageShape(side, side)


def convolution_sizes(arch: Architecture, y_dim: int) -> list[tuple[int, int]]:
    """Height and width before each convolution and after the last; empty without convolutions.

    Raises
    ------
    ValueError
        If the images are too small, or as `image_shape_of`.
    """
    if not arch.convolutions:
        return []
    shape = image_shape_of(arch, y_dim)
    sizes = [(shape.height, shape.width)]
    for conv in arch.convolutions:
        height, width = sizes[-1]
        sizes.append((conv.output_side(height), conv.output_side(width)))
    if min(sizes[-1]) < 1:
        raise ValueError(
            f"images of {shape.height}x{shape.width} pixels are too small for this convolutional "
            "network; use network='fast-fc'"
        )
    return sizes
