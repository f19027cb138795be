"""Accuracy of GMVAE by K and M, every seed visible (after arXiv:1611.02648v2, Figure 4)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gmvae.bench.figures.style import MARKERS, METRIC_LABELS, WIDTH, colours, finish, notice
from gmvae.bench.tables import PUBLISHED_DATASET, published

SPREAD = 0.56


def draw(runs: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """One panel a data set and protocol.

    Parameters
    ----------
    runs, curves : DataFrame
        As in `gmvae.bench.tables.Tables`.

    Returns
    -------
    Figure
    """
    finished = runs[(runs["status"] == "finished") & runs["accuracy_hungarian"].notna()]
    shown = finished[finished["method"] == "gmvae"]
    if shown.empty:
        return notice("no GMVAE run with labels is in this table")
    groups = shown.groupby(["dataset", "variant"], sort=False)
    figure, axes = plt.subplots(
        len(groups), 2, figsize=(WIDTH, 3.1 * len(groups) + 0.4), squeeze=False
    )
    all_m = sorted(shown["M"].unique())
    for row, ((dataset, variant), group) in zip(axes, groups, strict=True):
        for panel, metric in zip(row, METRIC_LABELS, strict=True):
            _draw_panel(panel, group, metric, all_m)
            panel.set_title(f"{dataset}, GMVAE {variant}")
            if metric == "accuracy_exemplar" and dataset == PUBLISHED_DATASET:
                _draw_published(panel, group, all_m)
    _draw_legend(figure)
    return figure


def _draw_legend(figure: Figure) -> None:
    """One entry for each label, the values of M first."""
    handles: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
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
                [at] * len(values),
                values,
                linestyle="none",
                marker=MARKERS[m_index % len(MARKERS)],
                markersize=5,
                markerfacecolor=(*palette[m], 0.45),
                markeredgecolor=palette[m],
                label=f"M = {m}, one point a seed",
            )
            axes.hlines(
                values.mean(),
                at - 0.11,
                at + 0.11,
                color="black",
                linewidth=1.6,
                zorder=3,
                label="mean",
            )
    axes.set_xticks(range(len(all_k)), [str(k) for k in all_k])
    axes.set_xlim(-0.6, len(all_k) - 0.4)
    axes.set_xlabel("number of clusters K")
    axes.set_ylabel(METRIC_LABELS[metric])
    axes.grid(axis="x", visible=False)
    finish(axes)


def _draw_published(axes: Axes, group: pd.DataFrame, all_m: list) -> None:
    all_k = sorted(group["K"].unique())
    rows = published()
    rows = rows[(rows["method"] == "gmvae") & rows["K"].isin(all_k) & rows["M"].isin(all_m)]
    for row in rows.itertuples():
        at = _position(all_k.index(row.K), all_m.index(row.M), len(all_m)) + 0.17
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
