"""Results on MNIST that others have published or measured, from ``published.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from gmvae.bench.report.selection import PUBLISHED_DATASET

FILE = Path(__file__).with_name("published.csv")
SEPARATOR = " | "
"""Between the sources of several results in one cell; semicolons are within them."""


def _rows(kind: str) -> pd.DataFrame:
    rows = pd.read_csv(FILE, dtype={"K": "Int64", "M": "Int64", "n_runs": "Int64"})
    return rows[rows["kind"] == kind].drop(columns="kind").reset_index(drop=True)


def published() -> pd.DataFrame:
    """Results of the papers that introduced a method, or of the GMVAE paper; one row per setting.

    Returns
    -------
    DataFrame
        ``method``, ``K``, ``M``, ``best``, ``mean``, ``std`` (accuracies in percent), ``n_runs``,
        ``protocol`` ("exemplar" or "hungarian") and ``source``.
    """
    return _rows("published")


def re_runs() -> pd.DataFrame:
    """Results that others got when they ran a method again, with any number of rows per setting.

    Returns
    -------
    DataFrame
        As from `published`.
    """
    return _rows("re-run")


def of_setting(rows: pd.DataFrame, setting: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows about a setting of ours among results of others; none on other data than theirs."""
    if setting["dataset"] != PUBLISHED_DATASET:
        return []
    same = rows["method"] == setting["method"]
    for name in ("K", "M"):
        same &= rows[name].isna() if pd.isna(setting[name]) else rows[name].eq(setting[name])
    return list(rows[same.fillna(value=False)].to_dict("records"))


def known_value(row: Mapping[str, Any]) -> float:
    """The mean of a result, or the best if that is all that is known."""
    return float(row["best"] if pd.isna(row["mean"]) else row["mean"])


def spread_text(row: pd.Series) -> str:
    """A result as text: mean ± standard deviation, or the one figure that is known."""
    if pd.isna(row["mean"]):
        return f"{row['best']:.1f} (best)"
    return f"{row['mean']:.1f}" + ("" if pd.isna(row["std"]) else f" ± {row['std']:.1f}")
