"""Components of a mixture in a plane: contours, and those that have collapsed into one."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from gmvae.bench.report.drawing.style import colours

OVERLAP = 0.9
"""Bhattacharyya coefficient from which on two components coincide; it is 1 if they are equal."""
POINT_SIZE = 4.0
Floats = NDArray[np.floating]


def at_zero(estimator: Any) -> tuple[Floats, Floats]:
    """Means and standard deviations of the components of a GMVAE at w = 0, shape (K, x_dim)."""
    import torch  # late: the page imports modules that use this one for their sentences only

    with torch.no_grad():
        p_x = estimator.model_.p_x_given_wz(torch.zeros(1, estimator.model_.w_dim))
        return p_x.mean[0].numpy(), torch.exp(0.5 * p_x.log_var[0]).numpy()


def overlaps(means: Floats, stds: Floats) -> Floats:
    """Bhattacharyya coefficients between Gaussians with diagonal covariance, shape (K, K)."""
    total = stds[:, None] ** 2 + stds[None, :] ** 2  # (K, K, x_dim)
    distance = (means[:, None] - means[None, :]) ** 2 / (4 * total)
    scale = 0.5 * np.log(total / (2 * stds[:, None] * stds[None, :]))
    coefficients: Floats = np.exp(-(distance + scale).sum(axis=2))
    return coefficients


def coinciding(means: Floats, stds: Floats) -> list[NDArray[np.intp]]:
    """Groups of two or more components of which each coincides with another one.

    Parameters
    ----------
    means, stds : ndarray, shape (K, x_dim)

    Returns
    -------
    list of ndarray of int
        Indices of components, the largest group first.
    """
    n_groups, group_of = connected_components(overlaps(means, stds) >= OVERLAP)
    groups = [np.flatnonzero(group_of == number) for number in range(n_groups)]
    return sorted((group for group in groups if len(group) > 1), key=len, reverse=True)


def draw_points(axes: Axes, points: Floats, groups: NDArray[np.integer]) -> None:
    """Points in a plane, coloured by group."""
    palette = colours(list(range(int(groups.max()) + 1)))
    shades = [palette[group] for group in groups]
    axes.scatter(points[:, 0], points[:, 1], c=shades, s=POINT_SIZE, linewidths=0, rasterized=True)
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(visible=False)


def draw_components(axes: Axes, means: Floats, stds: Floats) -> str:
    """Contours of two standard deviations, with the number of those that coincide.

    Parameters
    ----------
    axes : Axes
    means, stds : ndarray, shape (K, 2)

    Returns
    -------
    str
        A remark on the components that coincide, or on there being none.
    """
    for mean, std in zip(means, stds, strict=True):
        width, height = 4 * std  # two standard deviations on each side
        axes.add_patch(Ellipse(tuple(mean), width, height, fill=False, linewidth=0.8, color="0.2"))
    axes.autoscale_view()
    groups = coinciding(means, stds)
    for group in groups:
        axes.annotate(
            f"×{len(group)}",
            tuple(means[group].mean(axis=0)),
            ha="center",
            va="center",
            fontsize=9,
            weight="bold",
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
    n = sum(map(len, groups))
    return f"collapse: {n} of {len(means)} coincide" if n else "no components coincide"
