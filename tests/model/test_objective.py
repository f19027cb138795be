"""Every term of the objective against an independent reference, and their inequalities."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from gmvae.model import objective
from gmvae.model.gmvae import Noise
from gmvae.model.objective import Terms

K, M, B, Y_DIM = 3, 4, 5, 6


@pytest.fixture(params=["bernoulli", "gaussian"])
def observation(request):
    return request.param


def batch(observation, n=B):
    torch.manual_seed(3)
    real = torch.randn(n, Y_DIM, dtype=torch.float64)
    return torch.sigmoid(real) if observation == "bernoulli" else real


def numpy_terms(model, y, x, w):
    """The terms as in the paper, for given samples, with loops and scipy densities."""
    with torch.no_grad():
        q_x, q_w = model.q_xw_given_y(y)
        p_x, p_y = model.p_x_given_wz(w), model.p_y_given_x(x)
    sd = lambda q: np.exp(0.5 * q.log_var.numpy())  # noqa: E731
    n_mc, n = x.shape[:2]
    out = {name: np.zeros(n) for name in Terms.__dataclass_fields__}
    for b in range(n):
        m_q, s_q = q_x.mean[b].numpy(), sd(q_x)[b]
        m_w, s_w = q_w.mean[b].numpy(), sd(q_w)[b]
        out["w_prior"][b] = np.sum(-np.log(s_w) + (s_w**2 + m_w**2 - 1) / 2)
        for j in range(n_mc):
            if model.observation_model.observation == "bernoulli":
                p = p_y.mean[j, b].numpy()
                log_p_y = np.sum(y[b].numpy() * np.log(p) + (1 - y[b].numpy()) * np.log1p(-p))
            else:
                log_p_y = stats.norm(p_y.mean[j, b], sd(p_y)[j, b]).logpdf(y[b].numpy()).sum()
            m_k, s_k = p_x.mean[j, b].numpy(), sd(p_x)[j, b]
            density = np.array([stats.norm(m_k[k], s_k[k]).pdf(x[j, b]).prod() for k in range(K)])
            p_z = density / density.sum()
            kl = np.sum(np.log(s_k / s_q) + (s_q**2 + (m_q - m_k) ** 2) / (2 * s_k**2) - 0.5, 1)
            out["reconstruction"][b] += log_p_y / n_mc
            out["conditional_prior"][b] += np.sum(p_z * kl) / n_mc
            out["z_prior"][b] += np.sum(p_z * np.log(p_z * K)) / n_mc
            log_q = stats.norm(m_q, s_q).logpdf(x[j, b].numpy()).sum()
            out["elbo"][b] += (log_p_y + np.log(density.mean()) - log_q) / n_mc
    out["elbo"] -= out["w_prior"]
    return out


def draw(model, y, noise):
    """The samples that `objective.terms` computes from the noise."""
    q_x, q_w = model.q_xw_given_y(y)
    return q_x.rsample(noise.x).detach(), q_w.rsample(noise.w).detach()


def test_terms_equal_an_independent_computation(small_model, observation):
    model, y = small_model(observation), batch(observation)
    noise = model.draw_noise(M, B)
    x, w = draw(model, y, noise)
    ours = objective.terms(model, y, noise)
    for name, expected in numpy_terms(model, y, x, w).items():
        actual = getattr(ours, name)
        assert actual.shape == (B,), name
        np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-9, err_msg=name)


def test_one_pass_over_m_equals_a_loop(small_model, observation):
    model, y = small_model(observation), batch(observation)
    noise = model.draw_noise(M, B)
    x, w = draw(model, y, noise)
    together = objective.terms(model, y, noise)
    one_by_one = [numpy_terms(model, y, x[j : j + 1], w[j : j + 1]) for j in range(M)]
    for name in one_by_one[0]:
        looped = np.mean([values[name] for values in one_by_one], axis=0)
        np.testing.assert_allclose(getattr(together, name).detach().numpy(), looped, rtol=1e-9)


def test_mixture_form_is_the_expectation_over_z(small_model):
    """log sum_k p(z=k) p(x|z=k) = E_p(z|x) [log p(x|z)] - KL(p(z|x) || p(z)): exact, pointwise."""
    model = small_model()
    w, x = torch.randn(8, 2, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64)
    p_x = model.p_x_given_wz(w)
    log_p_z = model.log_p_z_given_xw(x, p_x)
    densities = p_x.log_prob(x.unsqueeze(-2))
    expected = (log_p_z.exp() * (densities - log_p_z - math.log(K))).sum(-1)
    torch.testing.assert_close(model.log_p_x_given_w(x, p_x), expected)


def test_objective_below_elbo_below_log_likelihood(small_model, observation):
    """The chain of inequalities, with an importance-sampled log p(y) at its end."""
    model, y = small_model(observation), batch(observation, n=3)
    torch.manual_seed(0)
    n = 40_000
    with torch.no_grad():
        values = objective.terms(model, y, model.draw_noise(n, len(y)))
        likelihood = model.log_likelihood(y, model.draw_noise(n, len(y)))
        paper = values.reconstruction - values.conditional_prior - values.w_prior - values.z_prior
    gap = (values.elbo - paper).numpy()
    assert np.all(gap > -0.02), gap
    assert np.all((likelihood - values.elbo).numpy() > 0), likelihood - values.elbo
    assert gap.max() > 1e-3, "the first inequality should be strict for overlapping components"


def test_log_likelihood_against_quadrature(small_model):
    """With one-dimensional x and w, log p(y) is an integral over a grid."""
    model = small_model("gaussian", x_dim=1, w_dim=1)
    y = batch("gaussian", n=2)
    grid = torch.linspace(-9, 9, 1201, dtype=torch.float64)
    step = grid[1] - grid[0]
    with torch.no_grad():
        p_x = model.p_x_given_wz(grid[:, None])  # (W, K, 1)
        densities = p_x.log_prob(grid[:, None, None, None])  # (X, W, K)
        log_p_x_w = torch.logsumexp(densities, -1) - math.log(K)
        log_p_w = torch.distributions.Normal(0.0, 1.0).log_prob(grid)
        log_p_x = torch.logsumexp(log_p_x_w + log_p_w, dim=1) + step.log()
        log_p_y = model.p_y_given_x(grid[:, None, None]).log_prob(y)  # (X, B)
        expected = torch.logsumexp(log_p_y + log_p_x[:, None], dim=0) + step.log()
        torch.manual_seed(0)
        estimate = model.log_likelihood(y, model.draw_noise(200_000, len(y)))
    np.testing.assert_allclose(estimate.numpy(), expected.numpy(), atol=0.05)


@pytest.mark.parametrize("loss", [objective.paper_loss, objective.exact_loss])
def test_gradients_against_finite_differences(small_model, observation, loss):
    model, y = small_model(observation), batch(observation)

    noise = model.draw_noise(2, B)

    def value():
        return loss(objective.terms(model, y, noise))

    value().backward()
    step = 1e-6
    for parameter in model.parameters():
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for index in np.random.default_rng(0).integers(len(flat), size=3):
            before = flat[index].item()
            flat[index] = before + step
            above = value().item()
            flat[index] = before - step
            below = value().item()
            flat[index] = before
            expected = (above - below) / (2 * step)
            assert gradient[index].item() == pytest.approx(expected, rel=2e-4, abs=2e-6)


def made_up_terms(z_prior):
    value = torch.full((B,), 2.0)
    return Terms(3 * value, value, value, z_prior, value)


@pytest.mark.parametrize(("mean", "gradient"), [(0.4, 0.0), (0.6, 1.0)])
def test_threshold_has_no_gradient_below_lambda(mean, gradient):
    z_prior = torch.full((B,), mean, requires_grad=True)
    loss = objective.paper_loss(made_up_terms(z_prior), z_prior_threshold=0.5)
    loss.backward()
    assert loss.item() == pytest.approx(max(0.5, mean) - (6 - 2 - 2))
    assert z_prior.grad.sum().item() == pytest.approx(gradient)


def test_threshold_acts_on_the_mean_of_the_batch():
    z_prior = torch.tensor([0.0, 0.9, 0.9, 0.9, 0.9], requires_grad=True)  # mean 0.72
    objective.paper_loss(made_up_terms(z_prior), z_prior_threshold=0.5).backward()
    assert z_prior.grad[0] > 0


def test_z_prior_at_its_extremes():
    even = torch.full((M, B, K), 1 / K).log()
    torch.testing.assert_close(objective.z_prior(even), torch.zeros(B), atol=1e-6, rtol=0)
    certain = torch.tensor([0.0, -200.0, -200.0]).expand(M, B, K)
    torch.testing.assert_close(objective.z_prior(certain), torch.full((B,), math.log(K)))


def test_warm_up_weight_scales_the_z_prior_alone():
    z_prior = torch.full((B,), 1.5)
    full = objective.paper_loss(made_up_terms(z_prior))
    none = objective.paper_loss(made_up_terms(z_prior), z_prior_weight=0.0)
    assert (full - none).item() == pytest.approx(1.5)


@pytest.mark.parametrize(("progress", "in_use"), [(0.0, 2), (1.99, 2), (2.0, 3), (5.5, 3)])
def test_number_of_samples_changes_after_the_last_comparison(small_model, progress, in_use):
    model, y = small_model("bernoulli"), batch("bernoulli")
    changing = objective.GMVAEObjective("paper", 3, 0.0, 0.0, 2, 2)
    noise = changing.draw_noise(model, B, torch.Generator().manual_seed(0))
    assert len(noise.x) == len(noise.w) == 3
    expected = objective.terms(model, y, Noise(noise.x[:in_use], noise.w[:in_use]))
    found = changing(model, y, noise, progress)
    assert found["elbo"] == expected.elbo.mean()
    assert found["conditional_prior"] == expected.conditional_prior.mean()
