"""Results on MNIST that others have published or measured, from ``published.csv``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

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


def spread_text(row: pd.Series) -> str:
    """A result as text: mean ± standard deviation, or the one figure that is known."""
    if pd.isna(row["mean"]):
        return f"{row['best']:.1f} (best)"
    return f"{row['mean']:.1f}" + ("" if pd.isna(row["std"]) else f" ± {row['std']:.1f}")
