"""The tables of a grid: one row per run, one per epoch, and the paper's Table 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gmvae.bench.report.selection import PUBLISHED_DATASET
from gmvae.bench.runs.record import Record, Scores

PUBLISHED = Path(__file__).with_name("published.csv")

SETTING = ["dataset", "method", "variant", "K", "M"]
SCORES = ["accuracy_hungarian", "accuracy_exemplar", "accuracy_majority", "nmi", "ari"]
PERCENT = ["accuracy_hungarian", "accuracy_exemplar", "accuracy_majority"]
RUN_COLUMNS = [
    *SETTING,
    "seed",
    "status",
    "reason",
    *SCORES,
    "clusters_used",
    "elbo",
    "n_parameters",
    "precision",
    "threads",
    "path",
]
# Times differ between executions; without them, the other tables can be compared by bytes.
TIME_COLUMNS = [*SETTING, "seed", "train_seconds", "peak_memory_mb", "started", "path"]
CURVE_COLUMNS = [*SETTING, "seed", "epoch", "accuracy_hungarian", "accuracy_exemplar"]
SUFFIXES = ["best", "mean", "std", "by_elbo"]
TABLE_COLUMNS = [
    *SETTING,
    "n_runs",
    "n_failed",
    *(f"accuracy_hungarian_{suffix}" for suffix in SUFFIXES),
    *(f"accuracy_exemplar_{suffix}" for suffix in SUFFIXES),
    "accuracy_majority_mean",
    "nmi_mean",
    "ari_mean",
    "clusters_used_min",
    "clusters_used_max",
    "published_best",
    "published_mean",
    "published_std",
    "published_source",
]
WHOLE_NUMBERS = ("K", "M", "clusters_used", "n_parameters")
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
    """

    record: Record
    scores: Scores

    @classmethod
    def read(cls, folder: Path) -> ScoredRun:
        """Read ``run.json`` and ``metrics.json`` from the folder of a run."""
        return cls(Record.read(folder), Scores.read(folder))

    @property
    def path(self) -> str:
        """Path of the run's folder below the results folder."""
        return self.record.run.path


def build(scored: Iterable[ScoredRun]) -> Tables:
    """Build all tables.

    Parameters
    ----------
    scored : iterable of ScoredRun
        The rows of the tables keep this order.

    Returns
    -------
    Tables
    """
    listed = list(scored)
    runs = _frame(map(_run_row, listed), RUN_COLUMNS)
    curves = _frame((row for run in listed for row in _curve_rows(run)), CURVE_COLUMNS)
    times = _frame(map(_time_row, listed), TIME_COLUMNS)
    return Tables(runs, curves, table1(runs, published()), times)


def _frame(rows: Iterable[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    whole = {name: "Int64" for name in WHOLE_NUMBERS if name in columns}
    return pd.DataFrame(list(rows), columns=columns).astype(whole)


def published() -> pd.DataFrame:
    """Published results on MNIST, with their source."""
    return pd.read_csv(PUBLISHED, dtype={"K": "Int64", "M": "Int64"})


def table1(runs: pd.DataFrame, published_rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise the seeds of each setting, and append published rows of settings that were not run.

    Parameters
    ----------
    runs : DataFrame
        Columns are `RUN_COLUMNS`.
    published_rows : DataFrame
        From `published`; used if MNIST is among the data sets.

    Returns
    -------
    DataFrame
        One row per setting in order of appearance, then the published rows; columns are
        `TABLE_COLUMNS`, accuracies in percent. Best, mean, standard deviation (ddof=1) and the run
        chosen by ELBO are taken over the runs that finished.
    """
    rows = []
    for setting, group in runs.groupby(SETTING, sort=False, dropna=False):
        known = dict(zip(SETTING, setting, strict=True))
        rows.append({**known, **_statistics(group), **_published_values(known, published_rows)})
    if PUBLISHED_DATASET in set(runs["dataset"]):
        rows += _published_only(runs, published_rows)
    table = pd.DataFrame(rows, columns=TABLE_COLUMNS)
    whole = ("K", "M", "clusters_used_min", "clusters_used_max")
    return table.astype(dict.fromkeys(whole, "Int64"))


def _setting_of(scored: ScoredRun) -> dict[str, Any]:
    return {name: getattr(scored.record.run, name) for name in [*SETTING, "seed"]}


def _run_row(scored: ScoredRun) -> dict[str, Any]:
    record, final = scored.record, scored.scores.final or {}
    of_record = ("status", "reason", "elbo", "n_parameters", "precision", "threads")
    row = {
        **_setting_of(scored),
        **{name: _scaled(name, final.get(name)) for name in SCORES},
        **{name: getattr(record, name) for name in of_record},
        "clusters_used": final.get("clusters_used"),
        "path": scored.path,
    }
    return {name: _rounded(name, value) for name, value in row.items()}


def _time_row(scored: ScoredRun) -> dict[str, Any]:
    of_record = ("train_seconds", "peak_memory_mb", "started")
    row = {
        **_setting_of(scored),
        **{name: getattr(scored.record, name) for name in of_record},
        "path": scored.path,
    }
    return {name: _rounded(name, value) for name, value in row.items()}


def _curve_rows(scored: ScoredRun) -> list[dict[str, Any]]:
    setting = _setting_of(scored)
    names = ("accuracy_hungarian", "accuracy_exemplar")
    columns = [scored.scores.epochs.get(name, []) for name in names]
    return [
        {
            **setting,
            "epoch": epoch,
            **{n: _rounded(n, _scaled(n, v)) for n, v in zip(names, values, strict=True)},
        }
        for epoch, values in enumerate(zip(*columns, strict=True), start=1)
    ]


def _scaled(name: str, value: float | None) -> float | None:
    return 100 * value if value is not None and name in PERCENT else value


def _rounded(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return round(value, DECIMALS.get(name, 4))


def _statistics(group: pd.DataFrame) -> dict[str, Any]:
    finished = group[group["status"] == "finished"]
    values: dict[str, Any] = {
        "n_runs": len(group),
        "n_failed": len(group) - len(finished),
    }
    for name in ("accuracy_hungarian", "accuracy_exemplar"):
        scores = finished[name].astype(float)
        values[f"{name}_best"] = scores.max()
        values[f"{name}_mean"] = scores.mean()
        values[f"{name}_std"] = scores.std(ddof=1)
        values[f"{name}_by_elbo"] = _by_elbo(finished, name)
    for name in ("accuracy_majority", "nmi", "ari"):
        values[f"{name}_mean"] = finished[name].astype(float).mean()
    # Failed runs count here: this column is meant to show the collapsed ones.
    used = group["clusters_used"].dropna()
    values["clusters_used_min"] = None if used.empty else int(used.min())
    values["clusters_used_max"] = None if used.empty else int(used.max())
    return {
        name: round(value, 4 if name[:3] in ("nmi", "ari") else 2)
        if isinstance(value, float)
        else value
        for name, value in values.items()
    }


def _by_elbo(finished: pd.DataFrame, name: str) -> float | None:
    """Score of the run with the best training ELBO; None if no run has one."""
    scored = finished[finished["elbo"].notna() & finished[name].notna()]
    return None if scored.empty else float(scored.loc[scored["elbo"].astype(float).idxmax(), name])


def _matches(known: dict[str, Any], row: Any) -> bool:
    def same(ours: Any, theirs: Any) -> bool:
        return (pd.isna(ours) and pd.isna(theirs)) or (
            not pd.isna(ours) and not pd.isna(theirs) and int(ours) == int(theirs)
        )

    return known["method"] == row.method and same(known["K"], row.K) and same(known["M"], row.M)


def _published_values(known: dict[str, Any], published_rows: pd.DataFrame) -> dict[str, Any]:
    if known["dataset"] != PUBLISHED_DATASET:
        return {}
    for row in published_rows.itertuples():
        if _matches(known, row):
            return _published_columns(row)
    return {}


def _published_columns(row: Any) -> dict[str, Any]:
    return {f"published_{name}": getattr(row, name) for name in ("best", "mean", "std", "source")}


def _published_only(runs: pd.DataFrame, published_rows: pd.DataFrame) -> list[dict[str, Any]]:
    ours = runs[runs["dataset"] == PUBLISHED_DATASET][SETTING].to_dict("records")
    return [
        {
            "dataset": PUBLISHED_DATASET,
            "method": row.method,
            "K": row.K,
            "M": row.M,
            "n_runs": 0,
            "n_failed": 0,
            **_published_columns(row),
        }
        for row in published_rows.itertuples()
        if not any(_matches(known, row) for known in ours)
    ]
