"""All settings, one row each, on MNIST beside results of others.

Dots are runs, hollow ones those of another program. The upright dash is their mean, and the bar its
95 % interval (Student's t), from five runs on. Transductive methods have seen the test samples.
Published results and results of others who ran a method again were not obtained here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gmvae.bench.report.drawing.names import counted, listed, setting_of
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import WIDTH, finish, notice, panels
from gmvae.bench.report.published import known_value, of_setting, published, re_runs
from gmvae.bench.report.selection import PUBLISHED_DATASET, SYNTHETIC
from gmvae.bench.report.statistics.effects import LEAST_SEEDS
from gmvae.bench.report.statistics.intervals import mean_of
from gmvae.bench.report.tables import SETTING

ROW_HEIGHT = 0.23  # inches
MARGIN = 0.75  # inches, for the title and the axis of a panel
LABELS = {"exemplar": "exemplar", "hungarian": "Hungarian"}
LOOKS: dict[str, dict[str, Any]] = {
    "runs": {"label": "our runs", "marker": "o", "color": "C0", "alpha": 0.35, "markersize": 4},
    "foreign": {
        **{"label": "runs of another program", "marker": "o", "color": "C0"},
        **{"markerfacecolor": "none", "markersize": 4},
    },
    "mean": {
        **{"label": "mean of the runs, 95 % interval", "color": "C0"},
        **{"marker": "|", "markersize": 11, "markeredgewidth": 2.2},
    },
    "published": {"label": "published mean ± std", "marker": "D", "color": "C3", "markersize": 5},
    "best": {"label": "published best", "marker": ">", "color": "C3", "markersize": 5},
    "re-run": {"label": "re-run by others, ± std", "marker": "x", "color": "0.25", "markersize": 5},
}


def table(source: Source) -> pd.DataFrame:
    """Mean of our runs by setting, with its interval, beside the published result.

    On MNIST, the accuracy is by the protocol of the published result of the setting, or else of a
    re-run by others; without either, by the exemplar protocol if the method has probabilities, else
    by Hungarian matching. On other data it is by Hungarian matching. Accuracies are in percent.
    """
    finished = source.finished[source.finished["dataset"] != SYNTHETIC]
    rows = []
    keys = [*SETTING, "origin"]
    for setting, runs in finished.groupby(keys, sort=False, dropna=False):
        known = dict(zip(keys, setting, strict=True))
        rows.append({**known, **_ours(known, runs), **_theirs(known)})
    columns = ["protocol", "n_runs", "mean", "low", "high"]
    columns += [*(f"published_{name}" for name in ("mean", "std", "best")), "origin"]
    frame = pd.DataFrame(rows, columns=[*SETTING, *columns])
    return frame.astype({"K": "Int64", "M": "Int64"})


def draw(source: Source, table: pd.DataFrame) -> Figure:
    """Each row is by one protocol, which its label names; results by another are left out.

    Parameters
    ----------
    source : Source
    table : DataFrame
        From `table`.

    Returns
    -------
    Figure
    """
    if table.empty:
        return notice("no run with labels is in this table")
    groups = list(table.groupby("dataset", sort=False))
    figure, axes = panels([ROW_HEIGHT * len(rows) + MARGIN for _, rows in groups], 1)
    for panel, (dataset, rows) in zip(axes, groups, strict=True):
        for place, row in enumerate(rows.to_dict("records")):
            _draw_row(panel, place, row, source.finished)
        panel.set_yticks(range(len(rows)), [_label(row) for row in rows.to_dict("records")])
        panel.set_ylim(len(rows) - 0.4, -0.6)
        panel.set_title(dataset)
        panel.grid(axis="y", visible=False)
        finish(panel)
    axes[-1].set_xlabel("accuracy on the test split (%)")
    handles = {line.get_label(): line for panel in axes for line in _labelled(panel)}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=3)
    figure.set_size_inches(WIDTH, figure.get_figheight() + 0.5)
    return figure


def finding(source: Source, table: pd.DataFrame) -> str:
    """Our means beside those published; without any, the highest mean."""
    shown = table[table["mean"].notna()]
    if shown.empty:
        return ""
    known = shown[shown["published_mean"].notna()]
    if known.empty:
        return " ".join(_best_of(rows) for _, rows in shown.groupby("dataset", sort=False))
    parts = [
        f"{setting_of(row, ['dataset'])}: {_mean_of(row)}, published {row['published_mean']:.1f} %"
        for row in known.to_dict("records")
    ]
    return f"{PUBLISHED_DATASET}: {listed(parts)}."


def _best_of(rows: pd.DataFrame) -> str:
    best = rows.loc[rows["mean"].idxmax()]
    among = f", the highest of {len(rows)} settings" if len(rows) > 1 else ""
    return f"{setting_of(best)}: {_mean_of(best)}{among}; no published mean to compare with."


def _mean_of(row: Mapping[str, Any]) -> str:
    seeds = counted(row["n_runs"], "seed")
    return f"mean {LABELS[row['protocol']]} accuracy {row['mean']:.1f} % over {seeds}"


def _ours(setting: dict[str, Any], runs: pd.DataFrame) -> dict[str, Any]:
    protocol = _protocol(setting, runs)
    values = runs[f"accuracy_{protocol}"].astype(float).dropna()
    ours = dict(zip(("mean", "low", "high"), mean_of(values), strict=True))
    rounded = {name: round(value, 2) for name, value in ours.items()}
    return {"protocol": protocol, "n_runs": len(values), **rounded}


def _protocol(setting: dict[str, Any], runs: pd.DataFrame) -> str:
    """Protocol of the results of others; Hungarian on other data, since every method has it."""
    if setting["dataset"] != PUBLISHED_DATASET:
        return "hungarian"
    for other in (*of_setting(published(), setting), *of_setting(re_runs(), setting)):
        return str(other["protocol"])
    return "exemplar" if runs["accuracy_exemplar"].notna().any() else "hungarian"


def _theirs(setting: dict[str, Any]) -> dict[str, float]:
    row = next(iter(of_setting(published(), setting)), {})
    return {f"published_{name}": row.get(name, np.nan) for name in ("mean", "std", "best")}


def _draw_row(axes: Axes, place: int, row: dict[str, Any], finished: pd.DataFrame) -> None:
    def mark(look: str, values: Any, offset: float, low: float, high: float) -> None:
        """A mark for each value, with a bar from `low` to `high`."""
        at = np.full(np.size(values), place + offset)
        axes.plot(values, at, linestyle="none", **LOOKS[look])
        if np.isfinite(low):
            axes.hlines(place + offset, low, high, color=LOOKS[look]["color"], linewidth=1.3)

    same = [finished[n].isna() if pd.isna(row[n]) else finished[n].eq(row[n]) for n in SETTING]
    runs = finished[np.logical_and.reduce([one.fillna(value=False) for one in same])]
    dots = "foreign" if row["origin"] == "foreign" else "runs"
    mark(dots, runs[f"accuracy_{row['protocol']}"], 0.0, np.nan, np.nan)
    low = row["low"] if row["n_runs"] >= LEAST_SEEDS else np.nan
    mark("mean", row["mean"], 0.0, low, row["high"])
    if np.isfinite(row["published_mean"]):
        mean, std = row["published_mean"], row["published_std"]
        mark("published", mean, 0.28, mean - std, mean + std)
    if np.isfinite(row["published_best"]):
        mark("best", row["published_best"], 0.28, np.nan, np.nan)
    for other in of_setting(re_runs(), row):
        if other["protocol"] == row["protocol"]:
            low, high = other["mean"] - other["std"], other["mean"] + other["std"]
            mark("re-run", known_value(other), -0.28, low, high)


def _label(row: dict[str, Any]) -> str:
    return f"{setting_of(row, ['dataset'])} ({LABELS[row['protocol']]})"


def _labelled(axes: Axes) -> list[Line2D]:
    return [line for line in axes.lines if not str(line.get_label()).startswith("_")]
