"""Accuracy of GMVAE by epoch for every K and M.

Each thin line is one run, the thick line is the mean, and the band is the range over seeds.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import METRIC_LABELS, WIDTH, finish, notice
from gmvae.bench.report.selection import SYNTHETIC
from gmvae.bench.report.tables import SETTING

METRIC = "accuracy_exemplar"


def draw(source: Source) -> Figure:
    """Columns are K; rows are data set, network and M.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Figure
    """
    runs, curves = source.runs, source.curves
    shown = curves[(curves["method"] == "gmvae") & (curves["dataset"] != SYNTHETIC)]
    shown = shown[shown[METRIC].notna()]
    if not shown.empty:
        run = [*SETTING, "seed"]
        finished = runs.loc[(runs["status"] == "finished") & (runs["method"] == "gmvae"), run]
        shown = shown.merge(finished, on=run)
    if shown.empty:
        return notice("no GMVAE run with labels is in this table")
    rows = shown.groupby(["dataset", "variant", "M"], sort=False)
    all_k = sorted(shown["K"].unique())
    figure, axes = plt.subplots(
        len(rows),
        len(all_k),
        figsize=(max(WIDTH, 2.2 * len(all_k)), 2.1 * len(rows) + 0.6),
        squeeze=False,
        sharex=shown["dataset"].nunique() == 1,
        sharey=True,
    )
    for row_axes, ((dataset, variant, m), chosen) in zip(axes, rows, strict=True):
        for panel, k in zip(row_axes, all_k, strict=True):
            group = chosen[chosen["K"] == k]
            if group.empty:
                panel.axis("off")
                continue
            _draw_panel(panel, group)
            panel.set_title(f"{dataset}, {variant}: K = {k}, M = {m}")
    for column in axes.T:
        lowest = [panel for panel in column if panel.axison][-1]
        lowest.set_xlabel("epoch")
        lowest.tick_params(labelbottom=True)
    figure.supylabel(METRIC_LABELS[METRIC], fontsize=9)
    drawn = next(panel for panel in axes.flat if panel.axison)
    handles, labels = drawn.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _draw_panel(axes: Axes, group: pd.DataFrame) -> None:
    by_seed = group.pivot(index="epoch", columns="seed", values=METRIC)
    for number, seed in enumerate(by_seed):
        axes.plot(
            by_seed.index,
            by_seed[seed],
            color="0.55",
            linewidth=0.7,
            label="one seed" if number == 0 else None,
        )
    axes.fill_between(
        by_seed.index,
        by_seed.min(axis=1),
        by_seed.max(axis=1),
        color="C0",
        alpha=0.2,
        linewidth=0,
        label="range over seeds",
    )
    axes.plot(by_seed.index, by_seed.mean(axis=1), color="C0", linewidth=2, label="mean")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    finish(axes)
