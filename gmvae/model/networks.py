"""Trunks and decoders of GMVAE and of every baseline with a network."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn

from gmvae.kernels.transposed_convolution import NarrowConvTranspose2d
from gmvae.model.architectures import Architecture, convolution_sizes, image_shape_of


class Trunk(nn.Module):
    """Maps samples to features: convolutions, then fully connected layers.

    Parameters
    ----------
    arch : Architecture
    y_dim : int
        Values per sample.
    """

    def __init__(self, arch: Architecture, y_dim: int):
        super().__init__()
        self.sizes = convolution_sizes(arch, y_dim)
        self.shape = image_shape_of(arch, y_dim) if self.sizes else None
        layers: list[nn.Module] = []
        channels = self.shape.channels if self.shape else 1
        for conv in arch.convolutions:
            layers.append(nn.Conv2d(channels, *conv, bias=not arch.batch_norm))
            layers += activation_2d(arch, conv.channels)
            channels = conv.channels
        self.convolutions = channels_last(nn.Sequential(*layers))
        width = channels * math.prod(self.sizes[-1]) if self.sizes else y_dim
        self.dense = nn.Sequential(*dense_layers(arch, (width, *arch.hidden)))
        self.n_features = arch.hidden[-1]

    def forward(self, y: Tensor) -> Tensor:
        """(B, y_dim) -> (B, n_features)."""
        if self.shape:
            # (B, channels, height, width), for which the values are channels last in memory.
            y = y.unflatten(-1, self.shape).permute(0, 3, 1, 2)
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
        self.sizes, self.n_outputs = convolution_sizes(arch, y_dim), n_outputs
        self.shape = image_shape_of(arch, y_dim) if self.sizes else None
        hidden = arch.hidden[::-1]
        if not self.shape:
            layers = dense_layers(arch, (latent_dim, *hidden))
            self.dense = nn.Sequential(*layers, nn.Linear(hidden[-1], n_outputs * y_dim))
            return
        self.channels = arch.convolutions[-1].channels
        width = self.channels * math.prod(self.sizes[-1])
        self.dense = nn.Sequential(*dense_layers(arch, (latent_dim, *hidden, width)))
        self.convolutions = channels_last(self._mirrored(arch, n_outputs * self.shape.channels))

    @property
    def output_bias(self) -> Tensor:
        """Last bias, shape (n_outputs * channels,) with convolutions, else (n_outputs * y_dim,)."""
        last: Any = (self.convolutions if self.shape else self.dense)[-1]
        return last.bias

    def _mirrored(self, arch: Architecture, n_channels: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        channels_out = [n_channels, *(conv.channels for conv in arch.convolutions[:-1])]
        for index in reversed(range(len(arch.convolutions))):
            conv = arch.convolutions[index]
            # Rows lost to a strided convolution's rounding return as output padding.
            height, width = (side + 2 * conv.padding - conv.kernel for side in self.sizes[index])
            lost = height % conv.stride, width % conv.stride
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
        if not self.shape:
            return features
        image = features.unflatten(-1, (*self.sizes[-1], self.channels))
        image = self.convolutions(image.permute(0, 3, 1, 2))
        # As in a sample, the channels are last within each output.
        outputs = image.unflatten(1, (self.n_outputs, self.shape.channels))
        return outputs.permute(0, 1, 3, 4, 2).flatten(1)


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
