"""CatGAN: entropies, losses and batch statistics, against independent references."""

import math

import pytest
import torch
from torch import distributions as reference

from baselines import catgan
from gmvae.model.architectures import architecture

K, X, Y, B = 4, 3, 9, 50
PAPER_FC = architecture("paper-fc")


def test_catgan_entropies_are_those_of_torch():
    log_p = torch.log_softmax(torch.randn(B, K, dtype=torch.float64), dim=1)
    each = reference.Categorical(logits=log_p).entropy()
    torch.testing.assert_close(catgan.conditional_entropy(log_p), each.mean())
    mean = reference.Categorical(probs=log_p.exp().mean(0)).entropy()
    torch.testing.assert_close(catgan.marginal_entropy(log_p), mean)
    sure = torch.full((K, K), -200.0).fill_diagonal_(0.0)
    assert float(catgan.conditional_entropy(sure)) == pytest.approx(0)
    assert float(catgan.marginal_entropy(sure)) == pytest.approx(math.log(K))


def test_catgan_losses_are_equation_7_of_the_paper():
    model = catgan._CatGANModel(
        PAPER_FC, y_dim=Y, code_dim=X, observation="bernoulli", n_clusters=K
    ).eval()
    y = torch.rand(B, Y)
    game = catgan._CatGANGame(0.5)
    noise = game.draw_noise(model, B, torch.Generator().manual_seed(1))
    discriminator, generator = list(game(model, y, noise, 0.0))
    real = (model.head(model.trunk(y + noise.real))).softmax(1)
    images = torch.sigmoid(model.generator.decoder(noise.code))
    made = (model.head(model.trunk(images + noise.made))).softmax(1)

    def entropy(p):
        return -(p * p.log()).sum(-1)

    expected = -entropy(real.mean(0)) + entropy(real).mean() - entropy(made).mean()
    torch.testing.assert_close(discriminator["loss"], expected)
    # The mutual information of sample and cluster, from their joint distribution.
    joint = real / B
    independent = joint.sum(0, keepdim=True) * joint.sum(1, keepdim=True)
    information = (joint * (joint / independent).log()).sum()
    torch.testing.assert_close(discriminator["information"], information)
    torch.testing.assert_close(generator["loss"], -entropy(made.mean(0)) + entropy(made).mean())


def test_catgan_remembers_the_statistics_of_real_samples_alone():
    arch = architecture("fast-fc")
    model = catgan._CatGANModel(arch, y_dim=Y, code_dim=X, observation="bernoulli", n_clusters=K)
    model.train()
    y = torch.rand(B, Y)
    game = catgan._CatGANGame(0.5)
    noise = game.draw_noise(model, B, torch.Generator().manual_seed(1))
    seen = model.trunk.dense[0](y + noise.real).detach()
    list(game(model, y, noise, 0.0))
    torch.testing.assert_close(model.trunk.dense[1].running_mean, 0.1 * seen.mean(0))
    assert model.trunk.dense[1].momentum == 0.1
