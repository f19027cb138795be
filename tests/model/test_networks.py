"""Shapes, sizes and layers of the architectures."""

import dataclasses
import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from gmvae.model.architectures import ARCHITECTURES, ImageShape, architecture
from gmvae.model.gmvae import GMVAEModel
from gmvae.model.networks import Decoder, Trunk


def multiply_adds(model, n_mc):
    """Multiply-adds per image, counted by hooks on the layers with a product."""
    counts = []

    def count(layer, inputs, output):
        if isinstance(layer, nn.Linear):
            rows = inputs[0].numel() // layer.in_features
            counts.append(rows * layer.in_features * layer.out_features)
        elif isinstance(layer, nn.Conv2d):
            counts.append(output.numel() * layer.weight[0].numel())
        elif isinstance(layer, nn.ConvTranspose2d):
            counts.append(inputs[0].numel() * layer.weight[0].numel())

    for layer in model.modules():
        layer.register_forward_hook(count)
    model.eval()
    q_x, q_w = model.q_xw_given_y(torch.zeros(1, 784))
    noise = model.draw_noise(n_mc, 1)
    model.p_x_given_wz(q_w.rsample(noise.w))
    model.p_y_given_x(q_x.rsample(noise.x))
    return sum(counts)


def gmvae(name, n_clusters):
    return GMVAEModel(
        architecture(name),
        y_dim=784,
        n_clusters=n_clusters,
        observation="bernoulli",
    )


def images_of(name, shape):
    return dataclasses.replace(architecture(name), image_shape=ImageShape(*shape))


@pytest.mark.parametrize(("n_clusters", "n_mc", "millions"), [(10, 1, 25.6), (30, 10, 189)])
def test_cost_of_the_papers_network(n_clusters, n_mc, millions):
    cost = multiply_adds(gmvae("paper-conv", n_clusters), n_mc)
    assert cost / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_decoder_returns_the_shape_that_the_trunk_takes(name, n_outputs):
    arch = architecture(name)
    features = Trunk(arch, 784)(torch.rand(3, 784))
    assert features.shape == (3, arch.hidden[-1])
    assert Decoder(arch, 4, 784, n_outputs)(torch.rand(3, 4)).shape == (3, n_outputs * 784)


@pytest.mark.parametrize("side", [20, 27, 28, 33])
@pytest.mark.parametrize("name", ["fast-conv", "paper-conv"])
def test_decoder_restores_any_image_size(name, side):
    arch = architecture(name)
    assert Decoder(arch, 4, side**2)(torch.rand(2, 4)).shape == (2, side**2)


@pytest.mark.parametrize("shape", [(40, 24, 3), (8, 32, 1), (29, 31, 2), (8, 8, 3)])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_images_of_any_shape_and_number_of_channels(shape, n_outputs):
    arch, y_dim = images_of("fast-conv", shape), math.prod(shape)
    assert Trunk(arch, y_dim)(torch.rand(3, y_dim)).shape == (3, 500)
    decoder = Decoder(arch, 4, y_dim, n_outputs)
    assert decoder(torch.rand(3, 4)).shape == (3, n_outputs * y_dim)
    assert decoder.output_bias.shape == (n_outputs * shape[2],)


def test_channels_are_last_in_samples():
    """A colour that changes in one place changes its own value of the sample, and no other."""
    shape = ImageShape(8, 12, 3)
    arch = images_of("fast-conv", shape)
    trunk = Trunk(arch, math.prod(shape)).eval()
    image = torch.rand(1, *shape)
    expected = trunk.convolutions(image.permute(0, 3, 1, 2))
    seen = []
    trunk.convolutions.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0]))
    trunk(image.flatten(1))
    torch.testing.assert_close(trunk.convolutions(seen[0]), expected)
    assert seen[0].shape == (1, 3, 8, 12)
    torch.testing.assert_close(seen[0][0, 2], image[0, :, :, 2])
    decoder = Decoder(arch, 4, math.prod(shape), n_outputs=2).eval()
    images = []
    decoder.convolutions.register_forward_hook(lambda layer, inputs, output: images.append(output))
    mean, log_var = decoder(torch.rand(2, 4)).chunk(2, dim=-1)
    (output,) = images  # (2, 6, 8, 12): the colours of the means, then those of the log variances
    torch.testing.assert_close(mean.unflatten(-1, shape), output[:, :3].permute(0, 2, 3, 1))
    torch.testing.assert_close(log_var.unflatten(-1, shape), output[:, 3:].permute(0, 2, 3, 1))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_batch_normalisation_before_every_relu(name):
    arch = architecture(name)
    model = gmvae(name, 3)
    for part in (model.trunk, model.observation_model.decoder):
        layers = [layer for layer in part.modules() if not list(layer.children())]
        for before, layer in pairwise(layers):
            if isinstance(layer, nn.ReLU):
                normalised = isinstance(before, (nn.BatchNorm1d, nn.BatchNorm2d))
                assert normalised == arch.batch_norm
    assert any(isinstance(layer, nn.Tanh) for layer in model.beta)


def test_pixels_keep_their_neighbours():
    """The trunk sees rows as rows: a shifted stroke is a shifted feature map."""
    trunk = Trunk(architecture("fast-conv"), 784).eval()
    image = torch.zeros(1, 28, 28)
    image[0, 8:12, 8:12] = 1
    maps = trunk.convolutions(image[:, None])
    shifted = trunk.convolutions(image.roll(4, dims=2)[:, None])
    torch.testing.assert_close(maps[..., 1:5, 1:4], shifted[..., 1:5, 2:5])


def test_unknown_network():
    with pytest.raises(ValueError, match=r"unknown network 'fast-fd'; choose one of: dec-fc,"):
        architecture("fast-fd")


def test_convolutions_need_images():
    with pytest.raises(ValueError, match=r"each sample has 10 values.*network='fast-fc'"):
        Trunk(architecture("fast-conv"), 10)
    with pytest.raises(ValueError, match=r"4x4 pixels are too small"):
        Trunk(architecture("paper-conv"), 16)
    with pytest.raises(ValueError, match=r"3x40 pixels are too small"):
        Trunk(images_of("fast-conv", (3, 40, 1)), 120)
