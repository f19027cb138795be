"""Trunks and decoders of GMVAE and of every baseline with a network."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from gmvae.kernels.transposed_convolution import NarrowConvTranspose2d
from gmvae.model.architectures import Architecture, convolution_sides


class Trunk(nn.Module):
    """Maps samples to features: convolutions, then fully connected layers.

    Parameters
    ----------
    arch : Architecture
    y_dim : int
        Values per sample; a square number for a convolutional architecture.
    """

    def __init__(self, arch: Architecture, y_dim: int):
        super().__init__()
        self.sides = convolution_sides(arch, y_dim)
        layers: list[nn.Module] = []
        channels = 1
        for conv in arch.convolutions:
            layers.append(nn.Conv2d(channels, *conv, bias=not arch.batch_norm))
            layers += activation_2d(arch, conv.channels)
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

    @property
    def output_bias(self) -> Tensor:
        """Last bias, shape (n_outputs,) with convolutions, else (n_outputs * y_dim,)."""
        last: Any = (self.convolutions if self.sides else self.dense)[-1]
        return last.bias

    def _mirrored(self, arch: Architecture, n_outputs: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        channels_out = [n_outputs, *(conv.channels for conv in arch.convolutions[:-1])]
        for index in reversed(range(len(arch.convolutions))):
            conv = arch.convolutions[index]
            # Rows lost to a strided convolution's rounding return as output padding.
            lost = (self.sides[index] + 2 * conv.padding - conv.kernel) % conv.stride
            sizes = conv.channels, channels_out[index], conv.kernel, conv.stride, conv.padding, lost
            if index == 0:
                layers.append(NarrowConvTranspose2d(*sizes))
            else:
                layers.append(nn.ConvTranspose2d(*sizes, bias=not arch.batch_norm))
                layers += activation_2d(arch, channels_out[index])
        return nn.Sequential(*layers)

    def forward(self, latent: Tensor) -> Tensor:
        """(N, latent_dim) -> (N, n_outputs * y_dim)."""
        features = self.dense(latent)
        if not self.sides:
            return features
        image = features.unflatten(-1, (self.sides[-1], self.sides[-1], self.channels))
        return self.convolutions(image.permute(0, 3, 1, 2)).flatten(1)


def as_batch(rows: Tensor) -> Tensor:
    """Convert rows to network input: float32, with pixel bytes scaled from 0..255 to 0..1."""
    return rows.float().div_(255.0) if rows.dtype == torch.uint8 else rows


def full_precision(values: Tensor) -> Tensor:
    """Convert bfloat16 output to float32 for the densities; other types are unchanged."""
    return values.float() if values.dtype == torch.bfloat16 else values


def channels_last(layers: nn.Sequential) -> nn.Sequential:
    """Store the weights so that convolutions of channels-last images need no copies."""
    return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def dense_layers(arch: Architecture, widths: tuple[int, ...]) -> list[nn.Module]:
    """Fully connected layers between `widths`, each with the activation of `arch`.

    Here and in the convolutions, a layer before a batch normalisation has no bias, since the
    normalisation would subtract it.
    """
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        norm = [nn.BatchNorm1d(n_out)] if arch.batch_norm else []
        layers += [nn.Linear(n_in, n_out, bias=not norm), *norm, nn.ReLU(inplace=True)]
    return layers


def activation_2d(arch: Architecture, channels: int) -> list[nn.Module]:
    """Batch normalisation, if the architecture has it, and ReLU after a convolution."""
    norm = [nn.BatchNorm2d(channels)] if arch.batch_norm else []
    return [*norm, nn.ReLU(inplace=True)]
