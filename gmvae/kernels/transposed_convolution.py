"""Transposed convolution to few channels that is fast on a CPU."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class NarrowConvTranspose2d(nn.ConvTranspose2d):
    """A square ``torch.nn.ConvTranspose2d`` for few channels, with the same parameters and results.

    CPU libraries for convolutions work on vectors of channels, so that the last layer of a decoder,
    with one channel for 28 x 28 pixels, takes longer than all its other convolutions. Here it is
    one matrix product, which gives the k x k patch of each input pixel, and k x k shifted additions
    of whole planes. Other devices use the library's own layer.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, h, w) -> (N, n_channels, height, width); bfloat16 gives float32 on a CPU."""
        if input.device.type != "cpu" or output_size is not None:
            return super().forward(input, output_size)
        n, channels, height, width = input.shape
        # For an image that is channels last in memory this is a view, and so is its gradient.
        pixels = input.permute(0, 2, 3, 1).reshape(-1, channels)
        patches = (self.weight.flatten(1).t() @ pixels.t()).view(
            self.out_channels, *self.kernel_size, n, height, width
        )
        return _OverlapAdd.apply(patches, self.bias, _Geometry(self, height, width))


class _Geometry:
    """Positions in an image of k x k patches, one patch per pixel of a height x width input.

    The image is stored as stride x stride planes, each with one pixel out of stride x stride, so
    that the part of a patch in a plane is a contiguous block.

    Attributes
    ----------
    plane : list of int
        Height and width of a plane.
    inner : tuple of slice
        Window of an image (N, C, ., .) without the padding.
    shifts : list of pairs of tuples
        Parts of patches (C, k, k, ...), each with its place in planes (s, s, C, N, ., .).
    """

    def __init__(self, layer: nn.ConvTranspose2d, height: int, width: int):
        kernel, stride, padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
        whole = [
            (side - 1) * stride + kernel + more
            for side, more in zip((height, width), layer.output_padding, strict=True)
        ]
        everything = slice(None)
        self.stride = stride
        self.plane = [math.ceil(side / stride) for side in whole]
        windows = (slice(padding, side - padding) for side in whole)
        self.inner = (everything, everything, *windows)
        self.shifts = [
            (
                (everything, slice(a, a + stride), slice(b, b + stride)),
                (
                    slice(min(stride, kernel - a)),
                    slice(min(stride, kernel - b)),
                    everything,
                    everything,
                    slice(a // stride, a // stride + height),
                    slice(b // stride, b // stride + width),
                ),
            )
            for a in range(0, kernel, stride)
            for b in range(0, kernel, stride)
        ]


class _OverlapAdd(torch.autograd.Function):
    """Sum of overlapping patches (C, k, k, N, h, w) and a bias, images (N, C, height, width)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(patches: Tensor, bias: Tensor, geometry: _Geometry) -> Tensor:
        channels, n, stride = len(patches), patches.shape[3], geometry.stride
        dtype = torch.promote_types(patches.dtype, torch.float32)
        planes = bias.to(dtype).view(1, 1, channels, 1, 1, 1)
        planes = planes.expand(stride, stride, channels, n, *geometry.plane).contiguous()
        for part, window in geometry.shifts:
            planes[window] += patches[part].permute(1, 2, 0, 3, 4, 5)
        image = planes.permute(3, 2, 4, 0, 5, 1).reshape(
            n, channels, *(stride * side for side in geometry.plane)
        )
        return image[geometry.inner]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        patches, bias, ctx.geometry = inputs
        ctx.shape, ctx.dtype, ctx.bias_dtype = patches.shape, patches.dtype, bias.dtype

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = gradients
        geometry = ctx.geometry
        n, channels = gradient.shape[:2]
        (height, width), stride = geometry.plane, geometry.stride
        image = gradient.new_zeros(n, channels, stride * height, stride * width)
        image[geometry.inner] = gradient
        blocks = image.view(n, channels, height, stride, width, stride)
        planes = blocks.to(ctx.dtype).permute(1, 3, 5, 0, 2, 4).contiguous()
        patches = gradient.new_empty(ctx.shape, dtype=ctx.dtype)
        for part, window in geometry.shifts:
            patches[part] = planes[(slice(None), *window[:2], *window[3:])]
        return patches, gradient.sum((0, 2, 3)).to(ctx.bias_dtype), None
