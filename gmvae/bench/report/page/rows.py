"""Table 1 as the page shows it: differences from others' results, best values, definitions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gmvae.bench.report.numbers import signed
from gmvae.bench.report.published import known_value, of_setting, published, re_runs
from gmvae.bench.report.selection import PUBLISHED_DATASET
from gmvae.bench.report.table_files import for_people
from gmvae.bench.report.tables import Tables

ORDER = (
    *("method", "variant", "K", "M", "runs", "exemplar", "NMI", "Hungarian"),
    *("published", "ours − published", "re-run", "ours − re-run"),
    *("ARI", "majority", "used", "time"),
)
"""Columns at the left of the page's table, where they are; the others follow as they are."""
TEXT = ("method", "variant")
DEFINITIONS = {
    "K": "clusters",
    "M": "Monte Carlo samples",
    "runs": "seeds",
    "exemplar": "%, paper's protocol: class of the surest sample",
    "with failed": "exemplar mean, failed runs as 0",
    "NMI": "0 to 1",
    "ARI": "at most 1, adjusted for chance",
    "Hungarian": "%, one cluster per class",
    "exemplar best": "% of the best seed",
    "Hungarian best": "% of the best seed",
    "by ELBO": "exemplar of the run it chooses",
    "by conditional prior": "exemplar of the run it chooses",
    "majority": "%, a cluster takes its most frequent class",
    "used": "clusters with test samples",
    "silhouette": "−1 to 1, without labels",
    "agreement": "adjusted Rand index between seeds",
    "ELBO": "nats per sample",
    "published": "in the paper, not run here",
    "published best": "in the paper, not run here",
    "ours − published": "points, same protocol",
    "re-run": "by others, Hungarian",
    "ours − re-run": "points, Hungarian",
    "time": "of training, median",
    "sealed": "config fixed before the runs",
}
HIGHER_IS_BETTER = (
    *("exemplar", "exemplar best", "by ELBO", "by conditional prior", "with failed"),
    *("Hungarian", "Hungarian best", "majority", "NMI", "ARI", "agreement"),
)


@dataclass(frozen=True)
class Cell:
    """Text of a cell, and whether it has the best value of its column."""

    text: str
    is_best: bool = False


@dataclass(frozen=True)
class PageTable:
    """Table 1 of one data set.

    Attributes
    ----------
    dataset : str
    columns : list of str
    rows : list of tuple
        The row of table 1, and a `Cell` for each column.
    """

    dataset: str
    columns: list[str]
    rows: list[tuple[dict[str, Any], list[Cell]]]


def page_tables(tables: Tables) -> Iterator[PageTable]:
    """Table 1 for each data set, without columns that are empty.

    Parameters
    ----------
    tables : Tables
    """
    for dataset, rows in for_people(tables):
        cells = [{**shown, **_differences(row)} for row, shown in rows]
        names = [name for name in cells[0] if any(one[name] for one in cells)]
        names.sort(key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
        best = {
            name: _best([one[name] for one in cells]) for name in names if name in HIGHER_IS_BETTER
        }
        shown = [
            (row, [Cell(one[name], _value(one[name]) == best.get(name)) for name in names])
            for (row, _), one in zip(rows, cells, strict=True)
        ]
        yield PageTable(dataset, names, shown)


def _value(text: str) -> float:
    """The number that a cell begins with; NaN without one, which equals nothing."""
    try:
        return float(text.split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return math.nan


def _best(texts: list[str]) -> float | None:
    """Highest value of a column with more than one."""
    known = [value for value in map(_value, texts) if not math.isnan(value)]
    return max(known) if len(set(known)) > 1 else None


def _differences(row: Mapping[str, Any]) -> dict[str, str]:
    """Our result minus those of others, in points, under the protocol of theirs."""
    if row["dataset"] != PUBLISHED_DATASET or not row["n_runs"]:
        return {"ours − published": "", "ours − re-run": ""}
    return {
        "ours − published": _from_published(row),
        "ours − re-run": "; ".join(
            signed(row["accuracy_hungarian_mean"] - known_value(other))
            for other in of_setting(re_runs(), row)
            if pd.notna(row["accuracy_hungarian_mean"])
        ),
    }


def _from_published(row: Mapping[str, Any]) -> str:
    for theirs in of_setting(published(), row):
        for kind in ("mean", "best"):
            difference = row[f"accuracy_{theirs['protocol']}_{kind}"] - theirs[kind]
            if pd.notna(difference):
                return f"{signed(difference)} ({kind})"
    return ""
