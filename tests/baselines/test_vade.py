"""VaDE: densities, bound and ELBO, against torch.distributions and Monte Carlo."""

import math

import pytest
import torch
from torch import distributions as reference

from baselines import vade
from gmvae.model.architectures import architecture

K, X, Y, B = 4, 3, 9, 50
PAPER_FC = architecture("paper-fc")


@pytest.fixture
def pixels():
    return torch.rand(B, Y, dtype=torch.float64)


def vade_model():
    model = vade._VaDEModel(
        PAPER_FC, y_dim=Y, x_dim=X, observation="bernoulli", n_clusters=K
    ).double()
    with torch.no_grad():
        for prior in (model.weight_logits, model.means, model.log_vars):
            prior.normal_()
        model.head.bias.normal_()
    return model.eval()


def mixture_of(model):
    """The prior of VaDE as torch's own distribution."""
    components = reference.Normal(model.means, torch.exp(0.5 * model.log_vars))
    return reference.MixtureSameFamily(
        reference.Categorical(logits=model.weight_logits), reference.Independent(components, 1)
    )


def test_vade_densities_are_those_of_torch():
    model = vade_model()
    x = torch.randn(B, X, dtype=torch.float64)
    prior = mixture_of(model)
    torch.testing.assert_close(torch.logsumexp(model.log_p_xz(x), dim=-1), prior.log_prob(x))
    for k in range(K):
        component = reference.Normal(model.means[k], torch.exp(0.5 * model.log_vars[k]))
        expected = component.log_prob(x).sum(-1) + torch.log_softmax(model.weight_logits, 0)[k]
        torch.testing.assert_close(model.log_p_xz(x)[:, k], expected)


def test_vade_divergences_are_those_of_torch(pixels):
    model = vade_model()
    q_x = model.q_x_given_y(pixels)
    ours = q_x.unsqueeze(-2).kl(model.p_x_given_z())
    q = reference.Normal(q_x.mean, torch.exp(0.5 * q_x.log_var))
    for k in range(K):
        component = reference.Normal(model.means[k], torch.exp(0.5 * model.log_vars[k]))
        expected = reference.kl_divergence(q, component.expand(q.batch_shape)).sum(-1)
        torch.testing.assert_close(ours[:, k], expected)


def test_vade_bound_is_equation_9_of_the_paper(pixels):
    """Written as in the paper, one factor after the other."""
    model = vade_model()
    noise = model.draw_noise(B).double()
    terms = model.terms(pixels, noise)
    with torch.no_grad():
        q_x = model.q_x_given_y(pixels)
        x = q_x.mean + noise * torch.exp(0.5 * q_x.log_var)
        mu_y = torch.sigmoid(model.p_y_given_x.decoder(x))
        pi, var = torch.softmax(model.weight_logits, 0), model.log_vars.exp()
        for i in range(5):
            densities = torch.stack(
                [
                    pi[k]
                    * torch.prod(
                        torch.exp(-((x[i] - model.means[k]) ** 2) / (2 * var[k]))
                        / torch.sqrt(2 * math.pi * var[k])
                    )
                    for k in range(K)
                ]
            )
            gamma = densities / densities.sum()
            bound = (pixels[i] * mu_y[i].log() + (1 - pixels[i]) * (1 - mu_y[i]).log()).sum()
            for k in range(K):
                inner = (
                    var[k].log()
                    + (q_x.log_var[i].exp() + (q_x.mean[i] - model.means[k]) ** 2) / var[k]
                )
                bound = bound - 0.5 * gamma[k] * inner.sum()
                bound = bound + gamma[k] * (pi[k] / gamma[k]).log()
            bound = bound + 0.5 * (1 + q_x.log_var[i]).sum()
            ours = terms["reconstruction"][i] - terms["conditional_prior"][i] - terms["z_prior"][i]
            torch.testing.assert_close(ours, bound)


def test_vade_elbo_against_monte_carlo_and_above_the_papers_bound(pixels):
    model, n = vade_model(), 4000
    y = pixels[:1]
    with torch.no_grad():
        noise = torch.randn(n, X, dtype=torch.float64)
        ours = model.elbo(y.expand(n, Y), noise)
        q_x = model.q_x_given_y(y)
        q = reference.Independent(reference.Normal(q_x.mean[0], torch.exp(0.5 * q_x.log_var[0])), 1)
        x = q.sample((n,))
        logits = model.p_y_given_x.decoder(x)
        log_p_y = reference.Independent(
            reference.Bernoulli(logits=logits, validate_args=False), 1
        ).log_prob(y.expand(n, Y))
        draws = log_p_y + mixture_of(model).log_prob(x) - q.log_prob(x)
        terms = model.terms(y.expand(n, Y), noise)
        papers = terms["reconstruction"] - terms["conditional_prior"] - terms["z_prior"]
    error = math.hypot(float(ours.std()), float(draws.std())) / math.sqrt(n)
    assert abs(float(ours.mean() - draws.mean())) < 4 * error
    assert float((ours - papers).mean()) > -4 * float((ours - papers).std()) / math.sqrt(n)


def test_vade_elbo_does_not_depend_on_who_looks_on(blobs):
    settings = {"network": "paper-fc", "epochs": 2, "pretrain_epochs": 3, "random_state": 0}
    alone = vade.VaDE(3, **settings).fit(blobs[0]).elbo_
    watched = vade.VaDE(3, **settings).fit(
        blobs[0], on_epoch=lambda *_: torch.rand(7).tolist() and None
    )
    assert watched.elbo_ == alone
