"""The part of a component that w, the style, decides."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gmvae.model.gmvae import GMVAEModel


class StyleShares(NamedTuple):
    """Share of the variance given z that w explains, each of shape (K,), from 0 to 1.

    By the law of total variance: Var_w E[ . | w, z ] / Var[ . | z ], both summed over dimensions,
    under the generative model.

    Attributes
    ----------
    x : Tensor
        Shares for the latent x.
    y : Tensor
        Shares for the mean of p(y | x), such as the pixels of a generated image.
    """

    x: Tensor
    y: Tensor


@torch.no_grad()
def style_shares(
    model: GMVAEModel, n_w: int = 200, n_x: int = 20, generator: torch.Generator | None = None
) -> StyleShares:
    """Estimate the shares from draws of w, and from draws of x for each of them.

    Parameters
    ----------
    model : GMVAEModel
        In evaluation mode.
    n_w : int
        Draws of w, at least 2.
    n_x : int
        Draws of x for each w and z, at least 2. The share of y is corrected for their number, as in
        a one-way analysis of variance with random effects; it is 0 if the estimate is negative.
    generator : torch.Generator, optional

    Returns
    -------
    StyleShares
    """
    device = next(model.parameters()).device
    w = torch.randn(n_w, model.w_dim, generator=generator, device=device)
    p_x = model.p_x_given_wz(w)  # (n_w, K, x_dim)
    between_x = p_x.mean.var(0).sum(-1)
    within_x = p_x.log_var.exp().mean(0).sum(-1)
    shares_y = []
    for cluster in range(model.n_clusters):
        mean, log_var = p_x.mean[:, cluster], p_x.log_var[:, cluster]
        noise = torch.randn(n_x, n_w, model.x_dim, generator=generator, device=device)
        y = model.p_y_given_x(mean + noise * torch.exp(0.5 * log_var)).mean  # (n_x, n_w, y_dim)
        within = y.var(0).mean(0).sum()
        between = (y.mean(0).var(0).sum() - within / n_x).clamp(min=0)
        shares_y.append(between / (between + within))
    return StyleShares(between_x / (between_x + within_x), torch.stack(shares_y))
