"""Shares of variance that w explains, in a linear model where they are known."""

import pytest
import torch

from gmvae.model.architectures import ARCHITECTURES
from gmvae.model.distributions import DiagonalNormal
from gmvae.model.gmvae import GMVAEModel
from gmvae.model.style import style_shares


class Linear(GMVAEModel):
    """x | w, z ~ N(slope_z w, sigma_z^2), and the mean of y is a linear map of x."""

    slopes = torch.tensor([0.0, 1.0, 3.0])
    sigmas = torch.tensor([0.5, 1.0, 1.0])
    loadings = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 1.0]])  # (x_dim, y_dim)

    def __init__(self):
        arch = ARCHITECTURES["paper-fc"]
        super().__init__(arch, y_dim=3, x_dim=2, w_dim=1, n_clusters=3, observation="gaussian")

    def p_x_given_wz(self, w):
        # The second dimension of x has no style.
        mean = torch.stack([w * self.slopes, torch.zeros(len(w), 3)], dim=-1)
        log_var = 2 * self.sigmas.log().expand(len(w), 3)
        return DiagonalNormal(mean, torch.stack([log_var, log_var], dim=-1))

    def p_y_given_x(self, x):
        return DiagonalNormal(x @ self.loadings, torch.zeros(1))


def test_shares_of_a_linear_model():
    model = Linear()
    shares = style_shares(model, n_w=4000, n_x=10, generator=torch.Generator().manual_seed(0))
    style, noise = model.slopes**2, model.sigmas**2
    of_x = style / (style + 2 * noise)
    first, second = model.loadings.square().sum(1)
    of_y = first * style / (first * style + (first + second) * noise)
    assert shares.x.tolist() == pytest.approx(of_x.tolist(), abs=0.02)
    assert shares.y.tolist() == pytest.approx(of_y.tolist(), abs=0.02)


def test_a_style_that_decides_nothing_has_no_share():
    shares = style_shares(Linear(), n_w=50, n_x=5, generator=torch.Generator().manual_seed(1))
    assert shares.x[0] == 0
    assert 0 <= shares.y[0] < 0.2
