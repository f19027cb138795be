"""Over-regularisation on synthetic data and its remedies (arXiv:1611.02648v2, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.stats import binomtest

from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import colours, finish, notice
from gmvae.bench.report.selection import GENERATIVE, SYNTHETIC, WITH_CLUSTERS

WIDTH = 10.5  # inches: a landscape page
N_POINTS = 1000
POINT_SIZE = 3.0
LATENT_DIM = 2
USUAL_K = 8
MEANS = {"accuracy_majority": 2, "clusters_used": 1, "elbo": 3, "z_prior": 3}
"""Columns of the table that are means over runs, with their decimals."""
FOUND = 95.0
"""Majority accuracy in percent; with five arcs of equal size, missing one leaves at most 80."""


def table(source: Source) -> pd.DataFrame:
    """Summarise the runs of each variant of the objective.

    Parameters
    ----------
    source : Source

    Returns
    -------
    DataFrame
        One row per variant: ``n_runs``; ``n_found``, the runs that find all five arcs (majority
        accuracy of 95 % or more, so each cluster keeps to one arc); ``found``, their fraction, with
        the ends of its 95 % Wilson interval; and means over runs of ``accuracy_majority``
        (percent), ``clusters_used``, ``elbo`` (nats) and the ``z_prior`` (nats) of the last epoch.
    """
    rows = []
    for setting, group in _groups(source).items():
        shown = _with_clusters(group)
        n_found = int((shown["accuracy_majority"] >= FOUND).sum())
        # The denominator counts runs without a result, which have not found the arcs.
        interval = binomtest(n_found, len(group)).proportion_ci(method="wilson")
        last = [source.history(path)["z_prior"].iloc[-1] for path in shown["path"]]
        shown = shown.assign(z_prior=np.array(last, float))
        rows.append(
            {
                **setting._asdict(),
                "n_runs": len(group),
                "n_found": n_found,
                "found": round(n_found / len(group), 3),
                "found_low": round(interval.low, 3),
                "found_high": round(interval.high, 3),
                **{
                    name: round(float(shown[name].astype(float).mean()), decimals)
                    for name, decimals in MEANS.items()
                },
            }
        )
    columns = ["n_runs", "n_found", "found", "found_low", "found_high"]
    return pd.DataFrame(rows, columns=[*Variant._fields, *columns, *MEANS])


def sentences(found: pd.DataFrame) -> list[str]:
    """The rows of `table`, one sentence each."""
    return [_sentence(row) for row in found.to_dict("records")]


def _sentence(row: Mapping[str, Any]) -> str:
    ends = [100 * row[name] for name in ("found_low", "found_high")]
    sentence = (
        f"{SYNTHETIC}, {_variant_of(row)}: {row['n_found']} of {row['n_runs']} runs find the five "
        f"arcs (95 % interval {ends[0]:.0f} to {ends[1]:.0f} %)"
    )
    if pd.isna(row["elbo"]):
        return f"{sentence}; no run has a result."
    return (
        f"{sentence}; on average, training ends with a z-prior term of {row['z_prior']:.2f} nats, "
        f"{row['clusters_used']:.1f} clusters in use and an ELBO of {row['elbo']:.2f} nats."
    )


def draw(source: Source, table: pd.DataFrame) -> Figure:
    """Data, reconstructions and latent spaces at the top; training curves below.

    Each variant shows the latent space of two runs, with the best and with the median training
    ELBO: test points at their posterior means, coloured by cluster, and the components at w = 0 as
    contours of two standard deviations. A run finds the five arcs if each cluster keeps to one arc,
    that is, if at least 95 % of the points are right by majority vote.

    Parameters
    ----------
    source : Source
    table : DataFrame
        From the function `table`.

    Returns
    -------
    Figure
    """
    groups = {key: _with_clusters(group) for key, group in _groups(source).items()}
    groups = {key: group for key, group in groups.items() if len(group)}
    if not groups:
        return notice(f"no finished GMVAE run on {SYNTHETIC} is in this table")
    figure = plt.figure(figsize=(WIDTH, 7.3))
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[3.8, 3.5])[:, 0]
    _draw_spaces(upper, source, groups)
    _draw_training(lower, source, groups, table)
    return figure


class Variant(NamedTuple):
    """Setting of the runs in one panel."""

    method: str
    variant: str
    K: int
    M: int

    def __str__(self) -> str:
        """Name of the variant, with method, K and M if they are not GMVAE, 8 and 1."""
        parts = [] if self.method == "gmvae" else [self.method]
        parts += [self.variant] + ([] if self.K == USUAL_K else [f"K = {self.K}"])
        return ", ".join(parts + ([] if self.M == 1 else [f"M = {self.M}"]))


def _variant_of(row: Mapping[str, Any]) -> Variant:
    return Variant(*(row[name] for name in Variant._fields))


def _draw_spaces(figure: Any, source: Source, groups: Mapping[Variant, pd.DataFrame]) -> None:
    """Data, reconstructions, and two latent spaces per variant."""
    points = source.images(SYNTHETIC)[:N_POINTS]
    labels = source.labels(SYNTHETIC)[:N_POINTS]
    panels = figure.subplots(2, len(groups) + 2, squeeze=False)
    ordered = {
        variant: group.sort_values("elbo", ascending=False) for variant, group in groups.items()
    }
    best = max(ordered, key=lambda variant: ordered[variant]["elbo"].iloc[0])
    _draw_points(panels[0][0], points, labels, "data, by arc")
    again = source.estimator(ordered[best]["path"].iloc[0]).reconstruct(points)
    _draw_points(panels[0][1], again, labels, f"reconstructed\n({best})")
    for panel in panels[1][:2]:
        panel.axis("off")
    panels[1][1].text(
        1,
        0.5,
        "top: run with best ELBO\nbottom: median ELBO\n(lower of two)",
        ha="right",
        va="center",
        fontsize=8,
    )
    for column, (variant, group) in enumerate(ordered.items(), start=2):
        _draw_latent(panels[0][column], source, group.iloc[0], points, str(variant))
        _draw_latent(panels[1][column], source, group.iloc[len(group) // 2], points, "")


def _draw_training(
    figure: Any, source: Source, groups: Mapping[Variant, pd.DataFrame], table: pd.DataFrame
) -> None:
    """Curves over epochs, and the fraction of runs that found the arcs."""
    palette = colours(list(groups))
    panels = figure.subplots(1, len(_QUANTITIES) + 1)
    for panel, (quantity, label) in zip(panels, _QUANTITIES.items(), strict=False):
        for variant, group in groups.items():
            curves = pd.DataFrame([_curve(source, path, quantity) for path in group["path"]]).T
            _draw_curve(panel, curves, palette[variant], str(variant))
        panel.set(xlabel="epoch", ylabel=label)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
        finish(panel)
    _draw_fractions(panels[-1], table, palette)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=min(len(names), 8),
        title="mean over seeds; bands: ± standard error",
    )


_QUANTITIES = {
    "z_prior": "z-prior term (nats)",
    "clusters_used": "clusters in use",
    "accuracy_majority": "majority accuracy (%)",
}


def _groups(source: Source) -> dict[Variant, pd.DataFrame]:
    """Runs of generative methods on the synthetic data."""
    runs = source.runs[source.runs["dataset"] == SYNTHETIC]
    is_shown = [source.record(path).run.class_path in GENERATIVE for path in runs["path"]]
    groups = runs[np.array(is_shown, bool)].groupby(list(Variant._fields), sort=False)
    return {Variant(*key): group for key, group in groups}


def _with_clusters(group: pd.DataFrame) -> pd.DataFrame:
    """Runs with a model, including collapsed ones, which this figure is about."""
    return group[group["status"].isin(WITH_CLUSTERS) & group["elbo"].notna()]


def _draw_points(
    axes: Axes, points: NDArray[np.floating], groups: NDArray[np.integer], title: str
) -> None:
    palette = colours(list(range(int(groups.max()) + 1)))
    shades = [palette[group] for group in groups]
    axes.scatter(points[:, 0], points[:, 1], c=shades, s=POINT_SIZE, linewidths=0, rasterized=True)
    axes.set_title(title, fontsize=8)
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(visible=False)


def _draw_latent(
    axes: Axes, source: Source, run: pd.Series, points: NDArray[np.floating], title: str
) -> None:
    estimator = source.estimator(run["path"])
    clusters = estimator.predict(points)
    if estimator.model_.x_dim != LATENT_DIM:
        axes.text(0.5, 0.5, "x is not 2-D", ha="center", transform=axes.transAxes)
        axes.axis("off")
        return
    _draw_points(axes, estimator.transform(points), clusters, title)
    for mean, std in zip(*_components(estimator), strict=True):
        width, height = 4 * std  # two standard deviations on each side
        axes.add_patch(Ellipse(tuple(mean), width, height, fill=False, linewidth=0.8, color="0.2"))
    axes.autoscale_view()
    axes.set_xlabel(f"seed {run['seed']}: ELBO {run['elbo']:.2f}", fontsize=7)


def _components(estimator: Any) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Means and standard deviations at w = 0, each of shape (K, x_dim)."""
    import torch  # late: the page imports this module for its sentences only

    with torch.no_grad():
        p_x = estimator.model_.p_x_given_wz(torch.zeros(1, estimator.model_.w_dim))
        return p_x.mean[0].numpy(), torch.exp(0.5 * p_x.log_var[0]).numpy()


def _draw_curve(axes: Axes, curves: pd.DataFrame, colour: Any, name: str) -> None:
    """Mean and standard error over the columns of `curves`, which are seeds."""
    epochs = curves.index + 1
    mean, error = curves.mean(axis=1), curves.sem(axis=1).fillna(0)
    axes.fill_between(epochs, mean - error, mean + error, color=colour, alpha=0.15, linewidth=0)
    axes.plot(epochs, mean, color=colour, linewidth=1.4, label=name)


def _curve(source: Source, path: str, quantity: str) -> pd.Series:
    if quantity == "z_prior":
        return source.history(path)[quantity]
    values = pd.Series(source.scores(path).epochs[quantity], dtype=float)
    return 100 * values if quantity == "accuracy_majority" else values


def _draw_fractions(axes: Axes, found: pd.DataFrame, palette: dict[Any, Any]) -> None:
    for place, row in enumerate(found.to_dict("records")):
        colour = palette.get(_variant_of(row), "0.5")
        bar = [[row["found"] - row["found_low"]], [row["found_high"] - row["found"]]]
        axes.errorbar(row["found"], place, xerr=bar, fmt="o", color=colour, capsize=3, markersize=5)
    names = [str(_variant_of(row)) for row in found.to_dict("records")]
    axes.set_yticks(range(len(names)), names)
    axes.set(xlim=(-0.03, 1.03), ylim=(len(names) - 0.5, -0.5))
    axes.set_xlabel("runs that find the five arcs\n(fraction, 95 % Wilson interval)")
    axes.grid(axis="y", visible=False)
    finish(axes)
