"""The narrow transposed convolution, against torch's."""

import pytest
import torch
from torch import nn

from gmvae.kernels.transposed_convolution import NarrowConvTranspose2d


@pytest.mark.parametrize(
    "numbers",
    [
        (3, 1, 4, 2, 1, 0),
        (3, 2, 6, 1, 0, 0),
        (2, 1, 5, 2, 1, 1),
        (2, 1, 3, 3, 1, 2),
        (3, 3, 4, 2, 1, (0, 1)),
        (3, 6, 4, 2, 1, (1, 0)),
    ],
)
@pytest.mark.parametrize("channels_last", [False, True])
def test_narrow_transposed_convolution_is_torchs(numbers, channels_last):
    torch.manual_seed(0)
    ours = NarrowConvTranspose2d(*numbers).double()
    theirs = nn.ConvTranspose2d(*numbers).double()
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(2, numbers[0], 5, 4, dtype=torch.float64)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    images.requires_grad_()
    expected, actual = theirs(images), ours(images)
    torch.testing.assert_close(actual, expected)
    gradient = torch.randn_like(expected)
    for a, b in zip(
        torch.autograd.grad(actual, [images, *ours.parameters()], gradient),
        torch.autograd.grad(expected, [images, *theirs.parameters()], gradient),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_narrow_transposed_convolution_adds_up_in_float32():
    layer = NarrowConvTranspose2d(16, 1, 4, stride=2, padding=1)
    images = torch.rand(2, 16, 5, 5)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(images)
    assert output.dtype == torch.float32
    torch.testing.assert_close(output, layer(images), rtol=0.05, atol=0.02)
