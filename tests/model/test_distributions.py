"""Densities and divergences against torch.distributions."""

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from gmvae.model.distributions import BernoulliLogits, DiagonalNormal
from gmvae.model.objective import component_log_densities_and_kls


def normal(*shape):
    return DiagonalNormal(
        torch.randn(*shape, dtype=torch.float64), torch.randn(*shape, dtype=torch.float64)
    )


def reference(q):
    return Independent(Normal(q.mean, (0.5 * q.log_var).exp()), 1)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_normal_log_prob():
    q, value = normal(5, 3), torch.randn(7, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(q.log_prob(value), reference(q).log_prob(value))


def test_normal_kl_from_standard():
    q = normal(5, 3)
    standard = DiagonalNormal(torch.zeros_like(q.mean), torch.zeros_like(q.mean))
    expected = kl_divergence(reference(q), reference(standard))
    torch.testing.assert_close(q.kl_from_standard(), expected)


def test_normal_samples_have_the_right_mean_and_variance():
    q = normal(3)
    samples = q.rsample(torch.randn(200_000, *q.mean.shape, dtype=q.mean.dtype))
    error = 5 * (0.5 * q.log_var).exp() / 200_000**0.5
    assert torch.all((samples.mean(0) - q.mean).abs() < error)
    torch.testing.assert_close(samples.var(0), q.log_var.exp(), rtol=0.02, atol=0)


def test_normal_samples_pass_gradients_to_mean_and_variance():
    mean = torch.zeros(3, requires_grad=True)
    log_var = torch.zeros(3, requires_grad=True)
    DiagonalNormal(mean, log_var).rsample(torch.randn(10, 3)).square().sum().backward()
    assert mean.grad.abs().min() > 0
    assert log_var.grad.abs().min() > 0


@pytest.mark.parametrize("scale", [1, 40])
def test_bernoulli_log_prob_of_bits(scale):
    logits = scale * torch.randn(4, 6, dtype=torch.float64)
    bits = torch.randint(0, 2, (9, 4, 6)).double()
    expected = Independent(Bernoulli(logits=logits), 1).log_prob(bits)
    torch.testing.assert_close(BernoulliLogits(logits.expand_as(bits)).log_prob(bits), expected)


def test_gradient_of_bernoulli_log_prob():
    logits = torch.randn(3, 4, 6, dtype=torch.float64, requires_grad=True)
    grey = torch.rand(4, 6, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: BernoulliLogits(x).log_prob(grey), [logits])
    narrow = torch.randn(3, 1, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: BernoulliLogits(x).log_prob(grey), [narrow])
    values = grey.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: BernoulliLogits(x).log_prob(y), [logits, values])


def test_bernoulli_log_prob_of_grey_values_is_linear_in_them():
    logits = torch.randn(4, 6, dtype=torch.float64)
    density = BernoulliLogits(logits)
    ones, zeros = torch.ones_like(logits), torch.zeros_like(logits)
    expected = 0.25 * density.log_prob(ones) + 0.75 * density.log_prob(zeros)
    torch.testing.assert_close(density.log_prob(0.25 * ones), expected)
    torch.testing.assert_close(density.mean, torch.sigmoid(logits))


def test_components_against_one_distribution_at_a_time():
    n_mc, batch, n_clusters, x_dim = 3, 4, 5, 2
    q_x, p_x = normal(batch, x_dim), normal(n_mc, batch, n_clusters, x_dim)
    x = q_x.rsample(torch.randn(n_mc, batch, x_dim, dtype=q_x.mean.dtype))
    log_densities, kls = component_log_densities_and_kls(x, q_x, p_x)
    assert log_densities.shape == kls.shape == (n_mc, batch, n_clusters)
    for j in range(n_mc):
        for k in range(n_clusters):
            component = DiagonalNormal(p_x.mean[j, :, k], p_x.log_var[j, :, k])
            expected = reference(component).log_prob(x[j])
            torch.testing.assert_close(log_densities[j, :, k], expected)
            expected = kl_divergence(reference(q_x), reference(component))
            torch.testing.assert_close(kls[j, :, k], expected)


def test_kl_between_gaussians_is_that_of_torch():
    one, other = normal(7, 1, 3), normal(4, 3)
    expected = kl_divergence(reference(one), reference(other))
    assert expected.shape == (7, 4)
    torch.testing.assert_close(one.kl(other), expected)
    standard = DiagonalNormal(torch.zeros(3), torch.zeros(3))
    torch.testing.assert_close(one.kl(standard), one.kl_from_standard())
