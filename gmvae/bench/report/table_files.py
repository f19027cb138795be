"""Writing the tables: CSV for programs, Markdown for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gmvae.bench.disk import files
from gmvae.bench.report.tables import SETTING, Tables

EXPLANATION = """\
Accuracies on the test split, in percent, over the seeds of a setting: mean ± standard deviation
(with n - 1). *Exemplar*: the paper's protocol, a cluster takes the class of its most probable test
sample (needs probabilities; the mean is taken over samples that are equally probable). *Hungarian*:
best one-to-one matching of clusters to classes; with K above the number of classes the samples of
unmatched clusters count as wrong. *By ELBO*: exemplar accuracy of the one run with the best
training ELBO, the choice that needs no labels. *Majority* gives each cluster its most frequent
class and flatters large K. *Used*: clusters with test samples, the fewest and the most of all runs;
fewer than K have died. *Published* figures were not run here; where a paper has no other protocol
they are Hungarian (see the sources). *Time*: median training time of a
run. Failed runs are counted beside all runs, have their reason below, and are in no other column.
"""


def write_tables(tables: Tables, folder: Path, mark: str | None, note: str | None = None) -> None:
    """Write ``runs.csv``, ``curves.csv``, ``table1.csv``, ``times.csv`` and ``table1.md``.

    Parameters
    ----------
    tables : Tables
    folder : Path
    mark : str or None
        Remark that goes on the tables, such as "smoke, not comparable".
    note : str or None
        Remark for people alone, on ``table1.md``.
    """
    for name, text in as_csv(tables, mark).items():
        files.write_text(folder / name, text)
    files.write_text(
        folder / "table1.md", markdown(tables, "; ".join(part for part in (mark, note) if part))
    )


def as_csv(tables: Tables, mark: str | None) -> dict[str, str]:
    """Content of each CSV file by its name.

    Parameters
    ----------
    tables : Tables
    mark : str or None
        As for `write_tables`.
    """
    table = tables.table1.copy()
    if mark:
        table["variant"] = [f"{v} ({mark})" if isinstance(v, str) else mark for v in table.variant]
    frames = {"runs": tables.runs, "curves": tables.curves, "table1": table, "times": tables.times}
    return {
        f"{name}.csv": frame.to_csv(index=False, lineterminator="\n")
        for name, frame in frames.items()
    }


def markdown(tables: Tables, mark: str) -> str:
    """Table 1 as Markdown, with the failures and the sources below.

    Parameters
    ----------
    tables : Tables
    mark : str
        Remark at its head; may be empty.

    Returns
    -------
    str
    """
    parts = ["# Unsupervised clustering accuracy\n"]
    if mark:
        parts.append(f"**{mark}**\n")
    parts.append(EXPLANATION)
    for dataset, rows in for_people(tables):
        shown = pd.DataFrame([row for _, row in rows])
        shown = shown.loc[:, (shown != "").any()]
        table = shown.to_markdown(index=False, disable_numparse=True, colalign=_alignment(shown))
        parts.append(f"## {dataset}\n\n{table}\n")
    parts += _failures(tables.runs)
    sources = tables.table1["published_source"].dropna().unique()
    if len(sources):
        parts.append("## Sources\n\n" + "".join(f"- {source}\n" for source in sources))
    return "\n".join(parts)


def for_people(tables: Tables) -> Iterator[tuple[str, list[tuple[dict[str, Any], dict[str, str]]]]]:
    """For each data set the rows of table 1, each also with its cells as text.

    Parameters
    ----------
    tables : Tables
    """
    seconds = _median_seconds(tables)
    for dataset, rows in tables.table1.groupby("dataset", sort=False):
        yield dataset, [(row, _shown(row, seconds)) for row in rows.to_dict("records")]


def number(value: Any, decimals: int = 1) -> str:
    """A number as people read it; empty where there is none."""
    return "" if pd.isna(value) else f"{value:.{decimals}f}"


def _alignment(shown: pd.DataFrame) -> tuple[str, ...]:
    return tuple("left" if name in ("method", "variant") else "right" for name in shown)


def _median_seconds(tables: Tables) -> dict[tuple, float]:
    """Median training time of the finished runs of each setting."""
    finished = tables.times[(tables.runs["status"] == "finished").to_numpy()]
    groups = finished.groupby(SETTING, sort=False, dropna=False)["train_seconds"]
    return {_key(setting): float(times.median()) for setting, times in groups}


def _key(setting: Iterable[Any]) -> tuple:
    return tuple(None if pd.isna(value) else value for value in setting)


def _shown(row: dict[str, Any], seconds: dict[tuple, float]) -> dict[str, str]:
    return {
        "method": row["method"],
        "variant": _text(row["variant"]),
        "K": _text(row["K"]),
        "M": _text(row["M"]),
        "runs": f"{row['n_runs']}" + (f" ({row['n_failed']} failed)" if row["n_failed"] else ""),
        "exemplar": _spread(row, "accuracy_exemplar"),
        "exemplar best": number(row["accuracy_exemplar_best"]),
        "by ELBO": number(row["accuracy_exemplar_by_elbo"]),
        "Hungarian": _spread(row, "accuracy_hungarian"),
        "Hungarian best": number(row["accuracy_hungarian_best"]),
        "majority": number(row["accuracy_majority_mean"]),
        "NMI": number(row["nmi_mean"], 3),
        "ARI": number(row["ari_mean"], 3),
        "used": _range(row["clusters_used_min"], row["clusters_used_max"]),
        "published": _spread(row, "published"),
        "published best": number(row["published_best"]),
        "time": _duration(seconds.get(_key(row[name] for name in SETTING))),
    }


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _range(least: Any, most: Any) -> str:
    if pd.isna(least):
        return ""
    return f"{least:.0f}" if least == most else f"{least:.0f} to {most:.0f}"


def _spread(row: dict[str, Any], name: str) -> str:
    mean, std = row[f"{name}_mean"], row[f"{name}_std"]
    return number(mean) + ("" if pd.isna(mean) or pd.isna(std) else f" ± {std:.1f}")


def _failures(runs: pd.DataFrame) -> list[str]:
    failed = runs[runs["status"] != "finished"]
    if failed.empty:
        return []
    lines = [
        f"- `{row.path}`: {row.status.replace('_', ' ')}, {row.reason}\n"
        for row in failed.itertuples()
    ]
    return ["## Failed runs\n\n" + "".join(lines)]
