"""Accuracy of GMVAE by epoch for every K and M.

Each thin line is one run, the thick line is the mean, and the band is the range over seeds, from
five seeds on. A run that is still rising at the end would gain from more epochs.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gmvae.bench.report.drawing.layout import fitted
from gmvae.bench.report.drawing.names import counted, listed, setting_of
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import METRIC_LABELS, WIDTH, finish, notice, panels
from gmvae.bench.report.selection import SYNTHETIC
from gmvae.bench.report.statistics.effects import LEAST_SEEDS
from gmvae.bench.report.tables import SETTING

METRIC = "accuracy_exemplar"
MOST_COLUMNS = 4
HEIGHT, FOOT = 1.9, 0.6  # inches of a row, and of axis label and legend


def draw(source: Source) -> Figure:
    """Columns are K if there are at most four; rows are data set, network and M.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Figure
    """
    shown = _shown(source)
    if shown.empty:
        return notice("no GMVAE run with labels is in this table")
    all_k = sorted(shown["K"].unique())
    by_setting = dict(list(shown.groupby(["dataset", "variant", "M", "K"], sort=False)))
    rows = list(dict.fromkeys(setting[:3] for setting in by_setting))
    places = [(*row, k) for row in rows for k in all_k]
    if len(all_k) > MOST_COLUMNS:
        places = [place for place in places if place in by_setting]
    room = WIDTH / min(len(all_k), MOST_COLUMNS) - 0.7
    figure, axes = panels([HEIGHT] * len(places), min(len(all_k), MOST_COLUMNS))
    for panel, setting in zip(axes, places, strict=True):
        if setting in by_setting:
            _draw_panel(panel, by_setting[setting])
            dataset, variant, m, k = setting
            parts = fitted(f"{dataset}, gmvae, {variant}, K = {k}, M = {m}", room, 8)
            panel.set_title("\n".join(parts), fontsize=8)
        else:
            panel.axis("off")
    n_columns = min(len(all_k), MOST_COLUMNS)
    for column in range(n_columns):
        lowest = [panel for panel in axes[column::n_columns] if panel.axison][-1]
        lowest.set_xlabel("epoch")
    figure.supylabel(METRIC_LABELS[METRIC], fontsize=9)
    handles = {
        label: handle
        for panel in axes
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=len(handles)
    )
    figure.set_size_inches(WIDTH, figure.get_figheight() + FOOT)
    return figure


def finding(source: Source) -> str:
    """Mean accuracy after the first and the last epoch, and the range at the end."""
    parts = []
    for setting, group in _shown(source).groupby(SETTING, sort=False):
        by_seed = group.pivot(index="epoch", columns="seed", values=METRIC)
        means, last = by_seed.mean(axis=1), by_seed.iloc[-1]
        name = setting_of(dict(zip(SETTING, setting, strict=True)))
        parts.append(
            f"{name}: mean exemplar accuracy goes from {means.iloc[0]:.1f} % after epoch "
            f"{means.index[0]} to {means.iloc[-1]:.1f} % after epoch {means.index[-1]}, where "
            f"{counted(len(last), 'seed')} "
            + (
                f"lie between {last.min():.1f} and {last.max():.1f} %"
                if len(last) > 1
                else "was run"
            )
        )
    return f"{listed(parts, 2)}." if parts else ""


def _shown(source: Source) -> pd.DataFrame:
    """Epochs of the GMVAE runs that finished and have labels."""
    runs, curves = source.runs, source.curves
    shown = curves[(curves["method"] == "gmvae") & (curves["dataset"] != SYNTHETIC)]
    shown = shown[shown[METRIC].notna()]
    run = [*SETTING, "seed"]
    finished = runs.loc[(runs["status"] == "finished") & (runs["method"] == "gmvae"), run]
    return shown.merge(finished, on=run) if len(shown) else shown


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
    if by_seed.shape[1] >= LEAST_SEEDS:
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
    axes.set_ylim(0, 100)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    finish(axes)
