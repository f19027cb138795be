"""The tables of a grid: one row per run, one per epoch, and the paper's Table 1."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gmvae.bench.disk import files
from gmvae.bench.grid.seal import date_of
from gmvae.bench.report.published import SEPARATOR, published, re_runs, spread_text
from gmvae.bench.report.selection import PUBLISHED_DATASET
from gmvae.bench.runs import metrics
from gmvae.bench.runs.record import Record, Scores

SETTING = ["dataset", "method", "variant", "K", "M"]
MAIN = ["accuracy_hungarian", "accuracy_exemplar"]
CHOICES = {"by_elbo": ("elbo", 1), "by_conditional_prior": ("conditional_prior", -1)}
"""Columns with the score of the run that a criterion chooses: its column among the runs, and its
sign, such that the highest value is chosen."""
PERCENT = [*MAIN, "accuracy_majority"]
SCORES = [*PERCENT, "nmi", "ari"]
OF_RECORD = ["elbo", "conditional_prior", "n_parameters", "precision", "threads"]
UNSUPERVISED = ["silhouette", "silhouette_space"]
PROVENANCE = ["origin", "sealed"]
"""One of `gmvae.bench.runs.record.ORIGINS`, and the date of the seal of the config."""
RUN_COLUMNS = [
    *(*SETTING, "seed", "status", "reason", *SCORES, "clusters_used", *OF_RECORD, "path"),
    *UNSUPERVISED,
    *PROVENANCE,
]
# Times differ between executions; without them, the other tables can be compared by bytes.
TIME_COLUMNS = [*SETTING, "seed", "train_seconds", "peak_memory_mb", "started", "path"]
CURVE_COLUMNS = [*SETTING, "seed", "epoch", *MAIN]
TABLE_COLUMNS = [
    *SETTING,
    *("n_runs", "n_failed"),
    *(f"{name}_{suffix}" for name in MAIN for suffix in ("best", "mean", "std", *CHOICES)),
    *(f"{name}_mean_with_failed" for name in MAIN),
    *("accuracy_majority_mean", "nmi_mean", "ari_mean"),
    *("clusters_used_min", "clusters_used_max"),
    *("published_best", "published_mean", "published_std", "published_source"),
    *("re_run", "re_run_source"),
    *("silhouette_mean", "silhouette_space", "agreement", "elbo_mean"),
    *PROVENANCE,
]
WHOLE_NUMBERS = [
    *("K", "M", "n_runs", "n_failed", "n_parameters"),
    *("clusters_used", "clusters_used_min", "clusters_used_max"),
]
DECIMALS = {"train_seconds": 2, "peak_memory_mb": 1}


@dataclass(frozen=True)
class Tables:
    """All tables of a grid.

    Attributes
    ----------
    runs : DataFrame
        One row per run, `RUN_COLUMNS`; accuracies in percent.
    curves : DataFrame
        One row per run and epoch, `CURVE_COLUMNS`; accuracies in percent.
    table1 : DataFrame
        One row per setting, `TABLE_COLUMNS`; accuracies in percent.
    times : DataFrame
        One row per run, `TIME_COLUMNS`; the only table that differs between two executions.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    table1: pd.DataFrame
    times: pd.DataFrame


@dataclass(frozen=True)
class ScoredRun:
    """A run with its scores.

    Attributes
    ----------
    record : Record
    scores : Scores
    clusters : ndarray of int, shape (N,)
        Cluster of each test sample; empty for a run without clusters.
    """

    record: Record
    scores: Scores
    clusters: NDArray[np.integer[Any]]

    @classmethod
    def read(cls, folder: Path) -> ScoredRun:
        """Read ``run.json``, ``metrics.json`` and the clusters from the folder of a run."""
        clusters = files.read_arrays(folder / "test.npz", ["clusters"])["clusters"]
        return cls(Record.read(folder), Scores.read(folder), clusters)


def build(scored: Iterable[ScoredRun], config_sha256: str | None = None) -> Tables:
    """Build all tables.

    Parameters
    ----------
    scored : iterable of ScoredRun
        The rows of the tables keep this order.
    config_sha256 : str, optional
        Checksum of the config (`gmvae.bench.grid.seal.config_sha256`); runs that began under a seal
        of another one count as not sealed.

    Returns
    -------
    Tables
    """
    listed = list(scored)
    rows = [_row(run, config_sha256) for run in listed]
    runs, times = _frame(rows, RUN_COLUMNS), _frame(rows, TIME_COLUMNS)
    curves = _frame([row for run in listed for row in _curve_rows(run)], CURVE_COLUMNS)
    return Tables(runs, curves, table1(runs, [run.clusters for run in listed]), times)


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    whole = {name: "Int64" for name in WHOLE_NUMBERS if name in columns}
    return pd.DataFrame(rows, columns=columns).astype(whole)


def table1(runs: pd.DataFrame, clusters: Sequence[NDArray[Any]]) -> pd.DataFrame:
    """Summarise the seeds of each setting, and append published rows of settings that were not run.

    There are published rows if MNIST is among the data sets.

    Parameters
    ----------
    runs : DataFrame
        Columns are `RUN_COLUMNS`.
    clusters : sequence of ndarray of int, shape (N,)
        Those of the test samples in each run.

    Returns
    -------
    DataFrame
        One row per setting in order of appearance, then the published rows; columns are
        `TABLE_COLUMNS`, accuracies in percent. Best, mean, standard deviation (ddof=1) and the runs
        chosen without labels (`CHOICES`) are taken over the runs that finished.
        ``_mean_with_failed`` is over all runs of the setting; a run without clusters counts as 0.
        ``agreement`` is the mean adjusted Rand index over the pairs of runs that finished. A
        setting is sealed if all its runs are.
    """
    names = {name: f"published_{name}" for name in ("best", "mean", "std", "source")}
    theirs = published().rename(columns=names).assign(dataset=PUBLISHED_DATASET)
    by_key = {_key(row): row for row in theirs.drop(columns="n_runs").to_dict("records")}
    for key, others in _re_runs().items():
        by_key[key] = {**by_key.get(key, {}), **others}
    rows = []
    for setting, group in runs.groupby(SETTING, sort=False, dropna=False):
        known = dict(zip(SETTING, setting, strict=True))
        finished = group.index[group["status"] == "finished"]
        agreement = metrics.agreement([clusters[place] for place in finished])
        rows.append(
            {
                **by_key.get(_key(known), {}),
                **known,
                **_statistics(group),
                "agreement": None if agreement is None else round(agreement, 4),
            }
        )
    if PUBLISHED_DATASET in set(runs["dataset"]):
        ours = set(map(_key, rows))
        rows += [
            {**row, "n_runs": 0, "n_failed": 0} for key, row in by_key.items() if key not in ours
        ]
    return _frame(rows, TABLE_COLUMNS)


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Values that a row shares with the published result of the same setting."""
    names = ("dataset", "method", "K", "M")
    return tuple(None if pd.isna(row[name]) else row[name] for name in names)


def _re_runs() -> dict[tuple[Any, ...], dict[str, Any]]:
    """Results of others who ran a method again, by setting."""
    rows = re_runs().assign(dataset=PUBLISHED_DATASET)
    found = {}
    for setting, group in rows.groupby(["dataset", "method", "K", "M"], dropna=False):
        known = dict(zip(("dataset", "method", "K", "M"), setting, strict=True))
        text = "; ".join(spread_text(row) for _, row in group.iterrows())
        sources = SEPARATOR.join(group["source"])
        found[_key(known)] = {**known, "re_run": text, "re_run_source": sources}
    return found


def _row(scored: ScoredRun, config_sha256: str | None) -> dict[str, Any]:
    """All that is known of a run, with the columns of the runs and of the times."""
    record, final = scored.record, scored.scores.final or {}
    sealed = date_of(record.sealed, config_sha256)
    more: dict[str, Any] = {
        "precision": record.precision,
        "path": record.run.path,
        "sealed": sealed,
    }
    if record.origin == "foreign":
        more["train_seconds"] = None  # the time that it took to read it says nothing
    return _shown({**final, **vars(record.run), **vars(record), **more})


def _curve_rows(scored: ScoredRun) -> list[dict[str, Any]]:
    columns = [scored.scores.epochs.get(name, []) for name in MAIN]
    return [
        _shown({**vars(scored.record.run), "epoch": epoch, **dict(zip(MAIN, values, strict=True))})
        for epoch, values in enumerate(zip(*columns, strict=True), start=1)
    ]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row with accuracies in percent, and rounded."""
    percent = {name: 100 * row[name] for name in PERCENT if row.get(name) is not None}
    return {
        name: round(value, DECIMALS.get(name, 4)) if isinstance(value, float) else value
        for name, value in {**row, **percent}.items()
    }


def _statistics(group: pd.DataFrame) -> dict[str, Any]:
    finished = group[group["status"] == "finished"]
    values: dict[str, Any] = {}
    for name in MAIN:
        scores = finished[name].astype(float)
        values[f"{name}_best"] = scores.max()
        values[f"{name}_std"] = scores.std(ddof=1)
        for column, (criterion, sign) in CHOICES.items():
            values[f"{name}_{column}"] = _chosen(finished, name, criterion, sign)
        values[f"{name}_mean_with_failed"] = _with_failed(group, name)
    for name in (*SCORES, "silhouette", "elbo"):
        values[f"{name}_mean"] = finished[name].astype(float).mean()
    # Accuracies are in percent, the others are not.
    rounded = {
        name: round(value, 2 if name.startswith("accuracy") else 4)
        for name, value in values.items()
    }
    # Failed runs count here: these columns are meant to show the collapsed ones.
    used = group["clusters_used"]
    return {
        "n_runs": len(group),
        "n_failed": len(group) - len(finished),
        **rounded,
        "silhouette_space": next(iter(finished["silhouette_space"].dropna()), None),
        "clusters_used_min": used.min(),
        "clusters_used_max": used.max(),
        "origin": group["origin"].iloc[0],
        "sealed": None if group["sealed"].isna().any() else group["sealed"].max(),
    }


def _with_failed(group: pd.DataFrame, name: str) -> float:
    """Mean score of all runs, of which one without clusters counts as 0.

    NaN if the method does not have the score, or no run has clusters.
    """
    scores = group[name].astype(float)
    has_clusters = group["clusters_used"].notna()
    return math.nan if scores[has_clusters].isna().all() else scores.fillna(0.0).mean()


def _chosen(finished: pd.DataFrame, name: str, criterion: str, sign: int) -> float:
    """Score of the run with the highest value of `sign` * `criterion`; NaN if no run has one."""
    scored = finished[finished[criterion].notna() & finished[name].notna()]
    if scored.empty:
        return math.nan
    return float(scored.loc[(sign * scored[criterion].astype(float)).idxmax(), name])
