"""Choosing a restart without labels: accuracy of the run that a criterion picks out of n.

The runs of a setting, which differ only in their seeds, stand for restarts of one fit. The criteria
are the training ELBO, the conditional prior (a term of the objective; the lowest is best) and the
agreement with the other runs on training samples, which needs three runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gmvae.bench.report.drawing.names import listed, setting_of
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import METRIC_LABELS, finish, notice, panels
from gmvae.bench.report.selection import FEWEST_TO_CHOOSE_FROM
from gmvae.bench.report.statistics.choice import Criteria, interval, worth
from gmvae.bench.report.tables import SETTING
from gmvae.bench.runs.metrics import agreements

METRIC = "accuracy_exemplar"
SCORES = [METRIC, "accuracy_hungarian", "nmi"]
SIGNS = {"elbo": 1.0, "conditional_prior": -1.0}
LOOKS: dict[str, dict[str, Any]] = {
    "best": {"label": "best of n (needs labels)", "color": "0.4", "linestyle": "--"},
    "mean": {"label": "one at random", "color": "0.4"},
    "elbo": {"label": "by ELBO", "color": "C0", "marker": "o"},
    "conditional_prior": {"label": "by conditional prior", "color": "C1", "marker": "s"},
    "agreement": {"label": "by agreement", "color": "C2", "marker": "D"},
}
WORDS = {
    "mean": "at random",
    "elbo": "by ELBO",
    "conditional_prior": "by conditional prior",
    "agreement": "by agreement",
    "best": "with labels",
}
MOST = 8
"""Largest number of runs to pick from."""
SPARE = 2
"""Runs that are never all taken: out of nearly all runs there is only one choice, and no spread."""
PER_ROW = 3


def table(source: Source) -> pd.DataFrame:
    """Scores of the picked run by setting, score, criterion and n, with 95 % bootstrap intervals.

    Accuracies are in percent.
    """
    rows = [
        {**setting, **row}
        for setting, runs in _settings(source)
        for row in _rows(source, runs.reset_index(drop=True))
    ]
    columns = [*SETTING, "n_runs", "score", "criterion", "n", "value", "low", "high"]
    frame = pd.DataFrame(rows, columns=columns).astype({"K": "Int64", "M": "Int64"})
    return frame.round(4)


def draw(source: Source, table: pd.DataFrame) -> Figure:
    """Bands are 95 % intervals over seeds, by bootstrap.

    Parameters
    ----------
    source : Source
    table : DataFrame
        From `table`.

    Returns
    -------
    Figure
    """
    shown = table[table["score"] == METRIC]
    if shown.empty:
        return notice(
            f"no method that trains in epochs and has {FEWEST_TO_CHOOSE_FROM} runs of a setting "
            "with labels is in this table"
        )
    settings = list(shown.groupby(SETTING, sort=False, dropna=False))
    figure, axes = panels([2.3] * len(settings), min(PER_ROW, len(settings)))
    for panel, (setting, rows) in zip(axes, settings, strict=True):
        _draw_panel(panel, rows)
        panel.set_title(_title(dict(zip(SETTING, setting, strict=True))))
    figure.supylabel(METRIC_LABELS[METRIC], fontsize=9)
    lines = {line.get_label(): line for panel in axes for line in panel.lines}
    figure.legend(handles=list(lines.values()), loc="outside lower center", ncols=3)
    return figure


def finding(source: Source, table: pd.DataFrame) -> str:
    """Accuracy of the picked run at the largest n, by criterion, beside both bounds."""
    shown = table[table["score"] == METRIC]
    parts = []
    for setting, rows in shown.groupby(SETTING, sort=False, dropna=False):
        most = rows["n"].max()
        values = rows[rows["n"] == most].set_index("criterion")["value"]
        words = [f"{values[name]:.1f} % {WORDS[name]}" for name in WORDS if name in values]
        name = setting_of(dict(zip(SETTING, setting, strict=True)))
        parts.append(f"{name}: picking one of {most} runs gives {', '.join(words)}")
    return f"{listed(parts, 2)}." if parts else ""


def _settings(source: Source) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """Settings of methods that train in epochs, with the runs to pick from."""
    for setting, runs in source.finished.groupby(SETTING, sort=False, dropna=False):
        if len(runs) >= FEWEST_TO_CHOOSE_FROM and len(source.history(runs["path"].iloc[0])):
            yield dict(zip(SETTING, setting, strict=True)), runs


def _rows(source: Source, runs: pd.DataFrame) -> Iterator[dict[str, object]]:
    criteria = _criteria(source, runs)
    for score in SCORES:
        values = runs[score].to_numpy(dtype=float)
        for n in range(1, min(len(runs) - SPARE, MOST) + 1) if np.isfinite(values).all() else ():
            for criterion, samples in worth(criteria, values, n).items():
                low, high = interval(samples)
                yield {
                    "n_runs": len(runs),
                    "score": score,
                    "criterion": criterion,
                    "n": n,
                    **{"value": samples[0], "low": low, "high": high},
                }


def _criteria(source: Source, runs: pd.DataFrame) -> Criteria:
    """Values of the last epoch and the agreement of every two runs, where all runs have them."""
    last = [source.history(path).iloc[-1] for path in runs["path"]]
    values = {
        name: sign * np.array([float(epoch[name]) for epoch in last])
        for name, sign in SIGNS.items()
        if all(name in epoch and np.isfinite(epoch[name]) for epoch in last)
    }
    clusters = [source.assignments(path).get("train_clusters") for path in runs["path"]]
    known = [one for one in clusters if one is not None]
    return Criteria(values, agreements(known) if len(known) == len(clusters) else None)


def _draw_panel(axes: Axes, rows: pd.DataFrame) -> None:
    for criterion, look in LOOKS.items():
        line = rows[rows["criterion"] == criterion]
        if line.empty:
            continue
        axes.plot(line["n"], line["value"], markersize=3.5, linewidth=1.2, **look)
        if criterion in (*SIGNS, "agreement"):
            colour = look["color"]
            axes.fill_between(line["n"], line["low"], line["high"], color=colour, alpha=0.12, lw=0)
    axes.set_xlabel("n")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(axes)


def _title(setting: dict[str, object]) -> str:
    names = [str(setting[name]) for name in ("dataset", "method", "variant")]
    counts = [f"{name} = {setting[name]}" for name in ("K", "M") if not pd.isna(setting[name])]
    return f"{', '.join(names[:2])}\n{', '.join([*names[2:], *counts])}"
