"""Trunks and decoders, shared by GMVAE and by every baseline that has a network.

The four architectures are those of section "Networks" in ``config/README.md``; ``paper-conv`` and
``paper-fc`` follow the appendix of arXiv:1611.02648v2, ``fast-conv`` and ``fast-fc`` are ours.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Convolution:
    """One convolution of a trunk (and its transpose in the decoder)."""

    channels: int
    kernel: int
    stride: int
    padding: int

    def output_side(self, side: int) -> int:
        """Side of the output image for an input of `side` pixels."""
        return (side + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True)
class Architecture:
    """The sizes of all networks of one named architecture.

    Attributes
    ----------
    convolutions : tuple of Convolution
        Empty for a fully connected trunk.
    hidden : tuple of int
        Widths of the fully connected layers after the convolutions.
    prior_hidden : int
        Width of the one hidden (tanh) layer of the network beta.
    x_dim, w_dim : int
        Default sizes of the two latent variables.
    batch_norm : bool
        Whether batch normalisation comes before each ReLU.
    """

    convolutions: tuple[Convolution, ...]
    hidden: tuple[int, ...]
    prior_hidden: int
    x_dim: int
    w_dim: int
    batch_norm: bool = True


ARCHITECTURES: dict[str, Architecture] = {
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
        If there is none of that name.
    """
    if name not in ARCHITECTURES:
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
            f"a convolutional network needs square images, but each sample has {y_dim} values, "
            "which is not a square number; use network='fast-fc' for such data"
        )
    return side


class Trunk(nn.Module):
    """Maps samples to features: convolutions, then fully connected layers.

    Parameters
    ----------
    arch : Architecture
    y_dim : int
        Values a sample; a square number for a convolutional architecture.
    """

    def __init__(self, arch: Architecture, y_dim: int):
        super().__init__()
        self.sides = convolution_sides(arch, y_dim)
        layers: list[nn.Module] = []
        channels = 1
        for conv in arch.convolutions:
            layers += [
                nn.Conv2d(channels, conv.channels, conv.kernel, conv.stride, conv.padding),
                *activation_2d(arch, conv.channels),
            ]
            channels = conv.channels
        self.convolutions = channels_last(nn.Sequential(*layers))
        width = channels * self.sides[-1] ** 2 if self.sides else y_dim
        self.dense = nn.Sequential(*dense_layers(arch, (width, *arch.hidden)))
        self.n_features = arch.hidden[-1]

    def forward(self, y: Tensor) -> Tensor:
        """(B, y_dim) -> (B, n_features)."""
        if self.sides:
            y = y.unflatten(-1, (1, self.sides[0], self.sides[0]))
            y = self.convolutions(y.contiguous(memory_format=torch.channels_last))
            # Channels last in memory: to flatten in this order copies nothing.
            y = y.permute(0, 2, 3, 1).flatten(1)
        return self.dense(y)


class Decoder(nn.Module):
    """Mirror image of `Trunk`: maps a latent vector to `n_outputs` parameters for each value of y.

    Parameters
    ----------
    arch : Architecture
    latent_dim, y_dim : int
    n_outputs : int
        1 for Bernoulli logits, 2 for the mean and the log variance of a Gaussian.
    """

    def __init__(self, arch: Architecture, latent_dim: int, y_dim: int, n_outputs: int = 1):
        super().__init__()
        self.sides = convolution_sides(arch, y_dim)
        hidden = arch.hidden[::-1]
        if not self.sides:
            layers = dense_layers(arch, (latent_dim, *hidden))
            self.dense = nn.Sequential(*layers, nn.Linear(hidden[-1], n_outputs * y_dim))
            return
        self.channels = arch.convolutions[-1].channels
        width = self.channels * self.sides[-1] ** 2
        self.dense = nn.Sequential(*dense_layers(arch, (latent_dim, *hidden, width)))
        self.convolutions = channels_last(self._mirrored(arch, n_outputs))

    def _mirrored(self, arch: Architecture, n_outputs: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        channels_out = [n_outputs, *(conv.channels for conv in arch.convolutions[:-1])]
        for index in reversed(range(len(arch.convolutions))):
            conv = arch.convolutions[index]
            # What a strided convolution rounds away has to come back as output padding.
            lost = (self.sides[index] + 2 * conv.padding - conv.kernel) % conv.stride
            layers.append(
                nn.ConvTranspose2d(
                    conv.channels, channels_out[index], conv.kernel, conv.stride, conv.padding, lost
                )
            )
            if index > 0:
                layers += activation_2d(arch, channels_out[index])
        return nn.Sequential(*layers)

    def forward(self, latent: Tensor) -> Tensor:
        """(N, latent_dim) -> (N, n_outputs * y_dim)."""
        features = self.dense(latent)
        if not self.sides:
            return features
        image = features.unflatten(-1, (self.sides[-1], self.sides[-1], self.channels))
        return self.convolutions(image.permute(0, 3, 1, 2)).flatten(1)


def full_precision(values: Tensor) -> Tensor:
    """What a network in bfloat16 returns as float32, for densities; float64 stays as it is."""
    return values.float() if values.dtype == torch.bfloat16 else values


def convolution_sides(arch: Architecture, y_dim: int) -> list[int]:
    """Image sides before each convolution and after the last; empty without convolutions."""
    if not arch.convolutions:
        return []
    sides = [image_side(y_dim)]
    for conv in arch.convolutions:
        sides.append(conv.output_side(sides[-1]))
    if sides[-1] < 1:
        raise ValueError(
            f"images of {sides[0]}x{sides[0]} pixels are too small for this convolutional network; "
            "use network='fast-fc'"
        )
    return sides


def channels_last(layers: nn.Sequential) -> nn.Sequential:
    """Lay the weights out so that convolutions run on channels-last images without copies."""
    return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def dense_layers(arch: Architecture, widths: tuple[int, ...]) -> list[nn.Module]:
    """Fully connected layers between `widths`, each with the activation of `arch`."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        norm = [nn.BatchNorm1d(n_out)] if arch.batch_norm else []
        layers += [nn.Linear(n_in, n_out), *norm, nn.ReLU(inplace=True)]
    return layers


def activation_2d(arch: Architecture, channels: int) -> list[nn.Module]:
    """Batch normalisation (where the architecture has it) and ReLU after a convolution."""
    norm = [nn.BatchNorm2d(channels)] if arch.batch_norm else []
    return [*norm, nn.ReLU(inplace=True)]
