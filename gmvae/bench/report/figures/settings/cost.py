"""Training time and accuracy, one point per setting."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import MARKERS, METRIC_LABELS, WIDTH, colours, finish, notice
from gmvae.bench.report.selection import SYNTHETIC
from gmvae.bench.report.tables import SETTING


def draw(source: Source) -> Figure:
    """One panel per data set (the synthetic data excepted) and protocol.

    Colour shows the method, shape K; open markers have M > 1.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Figure
    """
    finished = source.finished[source.finished["dataset"] != SYNTHETIC]
    if finished.empty:
        return notice("no run with labels is in this table")
    settings = _summarise(finished)
    all_k = sorted(settings["K"].dropna().unique())
    shapes = {k: MARKERS[index % len(MARKERS)] for index, k in enumerate(all_k)}
    palette = colours(list(settings["method"].unique()))
    groups = settings.groupby("dataset", sort=False)
    figure, axes = plt.subplots(
        len(groups), 2, figsize=(WIDTH, 3.0 * len(groups) + 0.9), squeeze=False, sharex=True
    )
    for row, (dataset, chosen) in zip(axes, groups, strict=True):
        for panel, metric in zip(row, METRIC_LABELS, strict=True):
            _draw_panel(panel, chosen, metric, palette, shapes)
            panel.set_title(dataset)
    for panel in axes[-1]:
        panel.set_xlabel("training time per run (s, median)")
    _draw_legend(figure, palette, shapes, has_open=bool((settings["M"] > 1).any()))
    return figure


def _summarise(finished: pd.DataFrame) -> pd.DataFrame:
    groups = finished.groupby(SETTING, sort=False, dropna=False)
    columns = {"seconds": ("train_seconds", "median")}
    for metric in METRIC_LABELS:
        columns[metric] = (metric, "mean")
        columns[f"{metric}_std"] = (metric, "std")
    return groups.agg(**columns).reset_index()


def _draw_panel(
    axes: Axes, settings: pd.DataFrame, metric: str, palette: dict, shapes: dict
) -> None:
    for row in settings[settings[metric].notna()].to_dict("records"):
        colour = palette[row["method"]]
        is_open = pd.notna(row["M"]) and row["M"] > 1
        spread = row[f"{metric}_std"]
        axes.errorbar(
            row["seconds"],
            row[metric],
            yerr=None if pd.isna(spread) else spread,
            color=colour,
            marker=shapes.get(row["K"], "*"),
            markersize=6,
            markerfacecolor="white" if is_open else colour,
            elinewidth=0.8,
            capsize=2,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(METRIC_LABELS[metric])
    finish(axes)


def _draw_legend(figure: Figure, palette: dict, shapes: dict, *, has_open: bool) -> None:
    def mark(label: str, **options: object) -> Line2D:
        return Line2D([], [], linestyle="none", label=label, **options)  # type: ignore[arg-type]

    handles = [mark(method, marker="o", color=colour) for method, colour in palette.items()]
    handles += [mark(f"K = {k}", marker=shape, color="0.3") for k, shape in shapes.items()]
    if has_open:
        handles.append(mark("M > 1", marker="o", color="0.3", markerfacecolor="white"))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=5,
        title="mean over seeds, bars: ± standard deviation",
    )
