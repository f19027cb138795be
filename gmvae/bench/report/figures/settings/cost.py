"""Training time and accuracy, one point per setting.

Points at the top left are accurate and cheap. A point is the median training time and the mean
accuracy over the seeds of a setting, and the bar is the range of accuracy over them; the label has
the colour of the method, and leaves out its network where all its settings have the same.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gmvae.bench.report.drawing import labels
from gmvae.bench.report.drawing.layout import Margins, sheet
from gmvae.bench.report.drawing.names import counted, listed, short_names
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import METRIC_LABELS, colours, finish, notice
from gmvae.bench.report.selection import SYNTHETIC
from gmvae.bench.report.tables import SETTING

MARGINS = Margins(0.55, 0.1, 0.35, 0.5)
LEAST_HEIGHT = 2.4  # inches
PER_LABEL = 0.15  # inches


def draw(source: Source) -> Figure:
    """One panel per data set (the synthetic data excepted) and protocol.

    Times are those of the machine that the runs were made on, next to whatever else it did.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Figure
    """
    settings = _settings(source)
    if settings.empty:
        return notice("no run with labels is in this table")
    palette = colours(list(settings["method"].unique()))
    shown = [
        (dataset, metric, rows[rows[metric].notna()])
        for dataset, rows in settings.groupby("dataset", sort=False)
        for metric in METRIC_LABELS
        if rows[metric].notna().any()
    ]
    width = MARGINS.width(1)
    sizes = [(width, max(LEAST_HEIGHT, PER_LABEL * len(rows))) for _, _, rows in shown]
    figure, axes = sheet(sizes, 1, MARGINS)
    for panel, (dataset, metric, rows) in zip(axes, shown, strict=True):
        _draw_panel(panel, rows, metric, palette)
        panel.set_title(dataset)
    return figure


def finding(source: Source) -> str:
    """The most accurate setting of each data set by each protocol, with its time."""
    parts = []
    for dataset, rows in _settings(source).groupby("dataset", sort=False):
        named = rows.assign(name=short_names(rows))
        for metric, word in zip(METRIC_LABELS, ("exemplar", "Hungarian"), strict=True):
            known = named[named[metric].notna()]
            if len(known):
                best = known.loc[known[metric].idxmax()]
                parts.append(
                    f"{dataset}: {best['name']} has the highest mean {word} accuracy of "
                    f"{counted(len(known), 'setting')}, {best[metric]:.1f} %, at "
                    f"{best['seconds']:.1f} s a run"
                )
    return f"{listed(parts)}." if parts else ""


def _settings(source: Source) -> pd.DataFrame:
    finished = source.finished[source.finished["dataset"] != SYNTHETIC]
    groups = finished.groupby([*SETTING, "origin"], sort=False, dropna=False)
    columns = {"seconds": ("train_seconds", "median")}
    for metric in METRIC_LABELS:
        columns |= {
            metric: (metric, "mean"),
            f"{metric}_low": (metric, "min"),
            f"{metric}_high": (metric, "max"),
        }
    return groups.agg(**columns).reset_index().dropna(subset="seconds")


def _draw_panel(axes: Axes, rows: pd.DataFrame, metric: str, palette: dict) -> None:
    for row in rows.to_dict("records"):
        low, mean, high = (row[f"{metric}{end}"] for end in ("_low", "", "_high"))
        axes.errorbar(
            row["seconds"],
            mean,
            yerr=[[mean - low], [high - mean]],
            color=palette[row["method"]],
            marker="o",
            markersize=5,
            elinewidth=0.8,
            alpha=0.8,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    seconds = rows["seconds"].clip(lower=1e-3)
    axes.set_xlim(seconds.min() / 1.6, seconds.max() * 2.5)
    values = rows[[f"{metric}_low", f"{metric}_high"]].to_numpy(float)
    axes.set_ylim(np.clip([values.min() - 8, values.max() + 8], 0, 105))
    axes.set_xlabel("training time per run (s, median)")
    axes.set_ylabel(METRIC_LABELS[metric])
    finish(axes)
    labels.place(
        axes,
        list(zip(rows["seconds"], rows[metric], strict=True)),
        short_names(rows),
        [palette[method] for method in rows["method"]],
    )
