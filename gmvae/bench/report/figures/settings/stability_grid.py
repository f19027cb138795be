"""Accuracy of GMVAE by K and M with every seed visible (after arXiv:1611.02648v2, Figure 4).

Axes go from 0 to 100 %. Exemplar accuracy lets clusters share a class, so it tends to rise with K.
Hungarian matching gives each class one cluster, and counts the samples of all other clusters as
wrong: it falls as soon as K exceeds the number of classes, however pure the clusters are. (If 30
clusters of equal size each hold one of ten classes, it is 33 %.)
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from gmvae.bench.report.drawing.names import counted, listed
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import MARKERS, METRIC_LABELS, WIDTH, colours, finish, notice
from gmvae.bench.report.published import published
from gmvae.bench.report.selection import PUBLISHED_DATASET, SYNTHETIC
from gmvae.bench.report.statistics.effects import ALL, effects

SPREAD = 0.56  # of the places of M around a K
HALF = 0.09  # of the places of seeds around that of their M
HEIGHT = 2.7  # inches of a panel
ROW_HEIGHT = 0.2  # inches, of the table


def table(source: Source) -> pd.DataFrame:
    """The effects of K and M; the figure shows those over all settings."""
    return effects(source.runs)


def draw(source: Source, table: pd.DataFrame) -> Figure:
    """One panel per data set, network and protocol; each point is one run, each dash their mean.

    The rows below give the effects of K and M on the mean and the spread of exemplar accuracy: the
    value at the largest K (or M) minus that at the smallest, averaged over the other parameter,
    with bootstrap intervals over seeds (expanded percentiles; none with fewer than five seeds).
    Collapsed runs have no point, but their accuracies count in these rows.

    Parameters
    ----------
    source : Source
    table : DataFrame
        The effects.

    Returns
    -------
    Figure
    """
    finished = source.finished
    shown = finished[(finished["method"] == "gmvae") & (finished["dataset"] != SYNTHETIC)]
    if shown.empty:
        return notice("no GMVAE run with labels is in this table")
    groups = shown.groupby(["dataset", "variant"], sort=False)
    rows = _effect_rows(table)
    below = ROW_HEIGHT * (len(rows) + 1) if rows else 0.0
    figure = plt.figure(figsize=(WIDTH, HEIGHT * len(groups) + 0.4 + below))
    grid = figure.add_gridspec(
        len(groups) + 1, 2, height_ratios=[*[HEIGHT] * len(groups), below or 0.01]
    )
    all_m = sorted(shown["M"].unique())
    for row, ((dataset, variant), group) in enumerate(groups):
        for column, metric in enumerate(METRIC_LABELS):
            panel = figure.add_subplot(grid[row, column])
            _draw_panel(panel, group, metric, all_m)
            panel.set_title(f"{dataset}, gmvae, {variant}")
            if metric == "accuracy_exemplar" and dataset == PUBLISHED_DATASET:
                _draw_published(panel, group, all_m)
    if rows:
        _draw_effects(figure.add_subplot(grid[-1, :]), rows)
    _draw_legend(figure)
    return figure


def finding(source: Source, table: pd.DataFrame) -> str:
    """Mean accuracies at the smallest and the largest K, by both protocols."""
    finished = source.finished
    shown = finished[(finished["method"] == "gmvae") & (finished["dataset"] != SYNTHETIC)]
    parts = []
    for (dataset, variant, m), group in shown.groupby(["dataset", "variant", "M"], sort=False):
        ends = sorted({group["K"].min(), group["K"].max()})
        means = group.groupby("K")[list(METRIC_LABELS)].mean()
        spans = [
            f"{word} " + " and ".join(f"{means.loc[k, metric]:.1f} % at K = {k}" for k in ends)
            for metric, word in zip(METRIC_LABELS, ("exemplar", "Hungarian"), strict=True)
            if means[metric].notna().all()
        ]
        name = f"{dataset}, gmvae, {variant}, M = {m} ({counted(len(group), 'run')})"
        parts.append(f"{name}: mean accuracy is {', '.join(spans)}")
    return f"{listed(parts, 2)}." if parts else ""


def _effect_rows(found: pd.DataFrame) -> list[list[str]]:
    return [
        [
            f"{row['dataset']}, {row['variant']}",
            f"{row['factor']} from {row['from']} to {row['to']}",
            {"mean": "mean", "std": "std over seeds"}[row["quantity"]],
            "" if pd.isna(row["effect"]) else f"{row['effect']:+.1f}",
            "too few seeds"
            if pd.isna(row["effect_low"])
            else f"{row['effect_low']:+.1f} to {row['effect_high']:+.1f}",
            f"{row['n_runs']}",
        ]
        for row in found[found["at"] == ALL].to_dict("records")
    ]


def _draw_effects(axes: Axes, rows: list[list[str]]) -> None:
    """Effects as a table below the panels, in percentage points of exemplar accuracy."""
    axes.axis("off")
    names = [
        "data, network",
        "effect of",
        "on exemplar",
        "points",
        "95 % interval",
    ]
    drawn = axes.table(
        rows,
        colLabels=[*names, "runs"],
        cellLoc="left",
        colLoc="left",
        edges="horizontal",
        bbox=Bbox.unit(),
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8)
    drawn.auto_set_column_width(range(len(names) + 1))
    for cell in drawn.get_celld().values():
        cell.set(linewidth=0.5, edgecolor="0.7")


def _draw_legend(figure: Figure) -> None:
    """One entry per label, the values of M first."""
    handles = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    order = sorted(handles, key=lambda label: not label.startswith("M ="))
    chosen = [handles[label] for label in order]
    figure.legend(chosen, order, loc="outside lower center", ncols=len(order))


def _position(index: int, m_index: int, n_m: int) -> float:
    return index + SPREAD * ((m_index + 0.5) / n_m - 0.5)


def _draw_panel(axes: Axes, group: pd.DataFrame, metric: str, all_m: list) -> None:
    all_k = sorted(group["K"].unique())
    palette = colours(all_m)
    for m_index, m in enumerate(all_m):
        for k_index, k in enumerate(all_k):
            values = group[(group["K"] == k) & (group["M"] == m)][metric].dropna()
            if values.empty:
                continue
            at = _position(k_index, m_index, len(all_m))
            axes.plot(
                at + HALF * np.linspace(-1, 1, len(values) + 2)[1:-1],
                values,
                linestyle="none",
                marker=MARKERS[m_index % len(MARKERS)],
                markersize=4,
                markerfacecolor=(*palette[m], 0.45),
                markeredgecolor=palette[m],
                label=f"M = {m}, one point per seed",
            )
            axes.hlines(
                values.mean(),
                at - HALF,
                at + HALF,
                color="black",
                linewidth=1.6,
                zorder=3,
                label="mean",
            )
    axes.set_xticks(range(len(all_k)), [str(k) for k in all_k])
    axes.set_xlim(-0.6, len(all_k) - 0.4)
    axes.set_xlabel("number of clusters K")
    axes.set_ylim(0, 100)
    axes.set_ylabel(METRIC_LABELS[metric])
    axes.grid(axis="x", visible=False)
    finish(axes)


def _draw_published(axes: Axes, group: pd.DataFrame, all_m: list) -> None:
    all_k = sorted(group["K"].unique())
    rows = published()
    rows = rows[
        (rows["method"] == "gmvae") & rows["K"].isin(all_k) & rows["M"].isin(set(group["M"]))
    ]
    for row in rows.itertuples():
        at = _position(all_k.index(row.K), all_m.index(row.M), len(all_m)) + 0.15
        axes.errorbar(
            at,
            row.mean,
            yerr=row.std,
            fmt="_",
            color="0.45",
            capsize=2,
            markersize=7,
            linewidth=1,
            label="published mean ± std",
        )
