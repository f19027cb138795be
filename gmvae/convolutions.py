"""A transposed convolution to few channels that a processor does quickly."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class NarrowConvTranspose2d(nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d`` with the same parameters and results, made for few channels.

    Processors' convolution libraries handle vectors of channels, so that a decoder's last layer,
    with one channel for 28 x 28 pixels, takes them longer than all its other convolutions. Here it
    is one matrix product, which gives each input pixel's k x k patch, and k x k shifted additions
    of whole planes. On other devices than the processor the library's own layer is used.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, h, w) -> (N, n_channels, height, width), float32 where `input` is bfloat16."""
        if input.device.type != "cpu" or output_size is not None:
            return super().forward(input, output_size)
        n, channels, height, width = input.shape
        # A view of an image that is channels last in memory, and so is its gradient.
        pixels = input.permute(0, 2, 3, 1).reshape(-1, channels)
        patches = (self.weight.flatten(1).t() @ pixels.t()).view(
            self.out_channels, *self.kernel_size, n, height, width
        )
        return _OverlapAdd.apply(
            patches, self.bias, self.stride[0], self.padding[0], self.output_padding[0]
        )


class _OverlapAdd(torch.autograd.Function):
    """Add overlapping patches (C, k, k, N, h, w) up to images (N, C, height, width) plus a bias.

    The image is kept as stride x stride planes of one pixel out of stride x stride each: a patch's
    part in a plane is then a contiguous block.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(patches: Tensor, bias: Tensor, stride: int, padding: int, extra: int) -> Tensor:
        channels, kernel, _, n, height, width = patches.shape
        dtype = torch.promote_types(patches.dtype, torch.float32)
        sides = [_blocks(side, kernel, stride, extra) for side in (height, width)]
        planes = bias.to(dtype).view(1, 1, channels, 1, 1, 1)
        planes = planes.expand(stride, stride, channels, n, *sides).contiguous()
        for part, window in _shifts(kernel, stride, height, width):
            planes[window] += patches[part].permute(1, 2, 0, 3, 4, 5)
        image = planes.permute(3, 2, 4, 0, 5, 1).reshape(n, channels, *(stride * s for s in sides))
        return image[_inner(image, height, width, kernel, stride, padding, extra)]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        patches, bias, *ctx.numbers = inputs
        ctx.shape, ctx.dtype, ctx.bias_dtype = patches.shape, patches.dtype, bias.dtype

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        (gradient,) = gradients
        channels, kernel, _, n, height, width = ctx.shape
        stride, padding, extra = ctx.numbers
        sides = [_blocks(side, kernel, stride, extra) for side in (height, width)]
        image = gradient.new_zeros(n, channels, *(stride * side for side in sides))
        image[_inner(image, height, width, kernel, stride, padding, extra)] = gradient
        blocks = image.view(n, channels, sides[0], stride, sides[1], stride)
        planes = blocks.to(ctx.dtype).permute(1, 3, 5, 0, 2, 4).contiguous()
        patches = gradient.new_empty(ctx.shape, dtype=ctx.dtype)
        for part, window in _shifts(kernel, stride, height, width):
            inside = (slice(None), *window[:2], *window[3:])
            patches[part] = planes[inside]
        bias = gradient.sum((0, 2, 3)).to(ctx.bias_dtype)
        return patches, bias, None, None, None


def _blocks(side: int, kernel: int, stride: int, extra: int) -> int:
    """Side of a plane, for an input of `side` pixels."""
    return math.ceil(((side - 1) * stride + kernel + extra) / stride)


def _shifts(
    kernel: int, stride: int, height: int, width: int
) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Parts of patches (C, k, k, ...) and where in the planes (s, s, C, N, ., .) each one goes."""
    steps = range(math.ceil(kernel / stride))
    everything = slice(None)
    return [
        (
            (everything, slice(a * stride, (a + 1) * stride), slice(b * stride, (b + 1) * stride)),
            (
                slice(min(stride, kernel - a * stride)),
                slice(min(stride, kernel - b * stride)),
                everything,
                everything,
                slice(a, a + height),
                slice(b, b + width),
            ),
        )
        for a in steps
        for b in steps
    ]


def _inner(
    image: Tensor, height: int, width: int, kernel: int, stride: int, padding: int, extra: int
) -> tuple[slice, slice, slice, slice]:
    """The window of an image that is left when the padding is cut off."""
    ends = ((side - 1) * stride + kernel + extra - padding for side in (height, width))
    everything = slice(None)
    return everything, everything, *(slice(padding, end) for end in ends)  # type: ignore[return-value]
