"""Bound of a training step: its matrix products and convolutions alone, forward and backward.

Nothing else is done: no bias, normalisation, activation, loss, optimizer or conversion.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gmvae.kernels.transposed_convolution import NarrowConvTranspose2d
from gmvae.model.gmvae import GMVAEModel

Product = Callable[[], object]


def products(model: GMVAEModel, batch: int, n_samples_mc: int, dtype: torch.dtype) -> list[Product]:
    """One function per layer of the model, with the shapes that a forward pass of a batch has.

    The layer that reads the samples computes no gradient for them.
    """
    found: list[Product] = []
    layers = [
        m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))
    ]

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        x = inputs[0].detach().to(dtype)
        reads_samples = not inputs[0].requires_grad
        make = _linear if isinstance(layer, nn.Linear) else _convolution
        found.append(make(layer, x, torch.randn_like(output).to(dtype), not reads_samples))

    handles = [layer.register_forward_hook(note) for layer in layers]
    q_x, q_w = model.train().q_xw_given_y(torch.rand(batch, 784))
    noise = model.draw_noise(n_samples_mc, batch)
    model.p_x_given_wz(q_w.rsample(noise.w))
    model.p_y_given_x(q_x.rsample(noise.x))
    for handle in handles:
        handle.remove()
    return found


def _linear(layer: nn.Linear, x: Tensor, gradient: Tensor, needs_input: bool) -> Product:
    weight = layer.weight.detach().to(dtype=x.dtype)
    x, gradient = x.flatten(0, -2).contiguous(), gradient.flatten(0, -2).contiguous()

    def step() -> None:
        torch.mm(x, weight.t())
        torch.mm(gradient.t(), x)
        if needs_input:
            torch.mm(gradient, weight)

    return step


def _convolution(
    layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor, gradient: Tensor, needs_input: bool
) -> Product:
    if isinstance(layer, NarrowConvTranspose2d):
        return _narrow(layer, x)
    weight = layer.weight.detach().to(x.dtype).contiguous(memory_format=torch.channels_last)
    x, gradient = (v.contiguous(memory_format=torch.channels_last) for v in (x, gradient))
    transposed = isinstance(layer, nn.ConvTranspose2d)
    lost = list(layer.output_padding)

    def step() -> None:
        if transposed:
            functional.conv_transpose2d(
                x, weight, None, layer.stride, layer.padding, layer.output_padding
            )
        else:
            functional.conv2d(x, weight, None, layer.stride, layer.padding)
        torch.ops.aten.convolution_backward(
            gradient, x, weight, None, layer.stride, layer.padding, [1, 1], transposed, lost, 1,
            [needs_input, True, False],
        )  # fmt: skip

    return step


def _narrow(layer: NarrowConvTranspose2d, x: Tensor) -> Product:
    """The matrix product inside this layer."""
    weight = layer.weight.detach().to(x.dtype).flatten(1)
    pixels = x.permute(0, 2, 3, 1).flatten(0, 2).contiguous()
    gradient = torch.randn(weight.shape[1], len(pixels)).to(x.dtype)

    def step() -> None:
        torch.mm(weight.t(), pixels.t())
        torch.mm(gradient, pixels)
        torch.mm(weight, gradient)

    return step
