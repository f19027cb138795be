"""Files of the tables: CSV for programs and for the rest of the report, Markdown for people."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from gmvae.bench.disk import files
from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import SUBMITTED
from gmvae.bench.report.numbers import number
from gmvae.bench.report.published import SEPARATOR
from gmvae.bench.report.tables import SETTING, Tables

# Columns of the CSV files with text, and with whole numbers that may be missing.
TEXT = (
    *("dataset", "method", "variant", "status", "reason", "precision", "path", "started"),
    *("published_source", "re_run", "re_run_source", "factor", "at", "quantity"),
    *("silhouette_space", "origin", "sealed", "submission"),
)
WHOLE = ("K", "M", "n_parameters", "clusters_used_min", "clusters_used_max")
_SUBMITTED_COLUMNS = ("method", "variant", "K", "M", "runs", "exemplar", "NMI", "Hungarian")
EXPLANATION = """\
Accuracies on the test split in percent, as mean ± standard deviation (ddof = 1) over the seeds of a
setting. *Exemplar* is the paper's protocol: each cluster takes the class of the test sample with
the highest probability of that cluster (averaged over ties; methods without probabilities have no
value). *Hungarian* is the best one-to-one matching of clusters to classes; if K exceeds the number
of classes, samples of unmatched clusters count as wrong. *By ELBO* and *by conditional prior* are
the exemplar accuracies of the runs with the best training ELBO and with the lowest conditional
prior, a term of the objective; both choices need no labels. *Majority* gives each cluster its most
frequent class and flatters a large K. *Used* is the number of clusters that hold test samples, as a
range over all runs; if it is below K, the other clusters are empty. *Published* results were not
run here; they are exemplar accuracies, or Hungarian ones where the source says so. *Re-run* results
were measured by others who ran a method again, by Hungarian matching. *Time* is the median training
time of a run. Failed runs are counted under *runs* and listed below with their reason. Means are
over the other runs; *with failed* is the exemplar mean over all runs, in which a run without
clusters counts as 0. *Used* includes failed runs, too.

Data without labels have no accuracies. These columns need no labels, and are there for all data:
*silhouette* is the mean silhouette of at most 2,000 test samples, from -1 to 1, in the *latent*
space of the method, or of the *samples* themselves if it has none; values in different spaces
cannot be compared. *Agreement* is the mean adjusted Rand index between the clusters that two seeds
give the test samples: 1 if all seeds find the same clusters, about 0 if they have nothing in
common. *ELBO* is the mean training bound in nats per sample, which depends on the method and on the
scale of the data. None of them says that the clusters are those that a person would see.
"""
ORIGINS = {
    "transductive": "was fitted to the training and the test samples together, without labels, "
    "since it cannot predict: the others have not seen the test samples",
    "foreign": "shows assignments that another program made and this one scored: how they were "
    "made is not known here, and no time was measured",
}
"""Remarks on methods whose assignments were not made as those of the others."""


def write_tables(
    tables: Tables, folder: Path, mark: str | None, note: str | None = None
) -> list[Path]:
    """Write ``runs.csv``, ``curves.csv``, ``table1.csv``, ``times.csv`` and ``table1.md``.

    Parameters
    ----------
    tables : Tables
    folder : Path
    mark : str or None
        Remark on both tables 1, such as "smoke, not comparable".
    note : str or None
        Remark on ``table1.md`` only.

    Returns
    -------
    list of Path
        The files.
    """
    remarks = "; ".join(part for part in (mark, note) if part)
    texts = {**as_csv(tables, mark), "table1.md": markdown(tables, remarks)}
    for name, text in texts.items():
        files.write_text(folder / name, text)
    return [folder / name for name in texts]


def as_csv(tables: Tables, mark: str | None) -> dict[str, str]:
    """Content of each CSV file by its name.

    Parameters
    ----------
    tables : Tables
    mark : str or None
        As in `write_tables`.
    """
    table = tables.table1.copy()
    if mark:
        table["variant"] = [f"{v} ({mark})" if isinstance(v, str) else mark for v in table.variant]
    frames = {**vars(tables), "table1": table}
    return {f"{name}.csv": csv_text(frame) for name, frame in frames.items()}


def csv_text(frame: pd.DataFrame) -> str:
    """A table as CSV, which `read_table` reads."""
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text


def read_tables(folder: Path, mark: str | None) -> Tables:
    """Read the CSV files that `write_tables` wrote with the same mark."""
    tables = Tables(*(read_table(folder / f"{field.name}.csv") for field in fields(Tables)))
    if mark:
        tables.table1["variant"] = [
            None if variant == mark else variant.removesuffix(f" ({mark})")
            for variant in tables.table1["variant"]
        ]
    return tables


def read_table(path: Path) -> pd.DataFrame:
    """Read one table of the report from CSV; an empty cell is a missing value.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    try:
        # Otherwise pandas takes a variant named "None" or "1" for a missing value or a number.
        text = dict.fromkeys(TEXT, str)
        frame = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
        return frame.astype({name: "Int64" for name in WHOLE if name in frame})
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read as a table ({error}); delete the file and run the same command "
            "again"
        ) from error


def markdown(tables: Tables, mark: str) -> str:
    """Table 1 as Markdown, followed by the failed runs and the sources.

    Parameters
    ----------
    tables : Tables
    mark : str
        Remark below the title; may be empty.

    Returns
    -------
    str
    """
    parts = ["# Unsupervised clustering accuracy\n"]
    if mark:
        parts.append(f"**{mark}**\n")
    parts.append(EXPLANATION)
    parts += [f"{line}\n" for line in provenance(tables)]
    for dataset, rows in for_people(tables):
        shown = pd.DataFrame([row for _, row in rows])
        shown = shown.loc[:, (shown != "").any()]
        sides = ["left" if name in ("method", "variant") else "right" for name in shown]
        table = shown.to_markdown(index=False, disable_numparse=True, colalign=sides)
        parts.append(f"## {dataset}\n\n{table}\n")
    failed = [
        f"- `{run.path}`: {run.status.replace('_', ' ')}, {run.reason}\n"
        for run in tables.runs[tables.runs["status"] != "finished"].itertuples()
    ]
    if failed:
        parts.append("## Failed runs\n\n" + "".join(failed))
    sources = sources_of(tables.table1)
    if sources:
        parts.append("## Sources\n\n" + "".join(f"- {source}\n" for source in sources))
    return "\n".join(parts)


def provenance(tables: Tables) -> list[str]:
    """Explain marked methods, and how many runs began under a sealed config, one text each.

    Parameters
    ----------
    tables : Tables
    """
    there = set(tables.runs["origin"].dropna())
    marked = {name: text for name, text in ORIGINS.items() if name in there}
    lines = [f"A method marked *({name})* {text}." for name, text in marked.items()]
    sealed = tables.runs["sealed"].dropna()
    if len(sealed):
        lines.append(
            f"{len(sealed)} of {len(tables.runs)} runs began under this configuration as it was "
            f"sealed on {' and '.join(sorted(set(sealed)))}: grid, parameters and seeds were fixed "
            "before. A row is *sealed* if all its runs are."
        )
    return lines


def sources_of(table: pd.DataFrame) -> list[str]:
    """Sources of the published and the re-run results of table 1, each of them once."""
    listed = list(table["published_source"].dropna())
    for sources in table["re_run_source"].dropna():
        listed += sources.split(SEPARATOR)
    return list(dict.fromkeys(listed))


def for_people(tables: Tables) -> Iterator[tuple[str, list[tuple[dict[str, Any], dict[str, str]]]]]:
    """For each data set, the rows of table 1 as values and as the text of their cells.

    Parameters
    ----------
    tables : Tables
    """
    finished = tables.times[(tables.runs["status"] == "finished").to_numpy()]
    seconds = finished.groupby(SETTING, dropna=False)["train_seconds"].median().reset_index()
    table = tables.table1.merge(seconds, on=SETTING, how="left")
    for dataset, rows in table.groupby("dataset", sort=False):
        yield dataset, [(row, _shown(row)) for row in rows.to_dict("records")]


def submitted_rows(folder: Path) -> list[dict[str, str]]:
    """Rows of `SUBMITTED` in a folder, as text by column; none if there is no such file."""
    if not (folder / SUBMITTED).is_file():
        return []
    found = []
    for row in read_table(folder / SUBMITTED).to_dict("records"):
        # A submission may have been made by a version with fewer columns.
        cells = _shown(defaultdict(lambda: math.nan, row))
        names = {"submission": row["submission"], "data set": row["dataset"]}
        found.append({**names, **{name: cells[name] for name in _SUBMITTED_COLUMNS}})
    return found


def _shown(row: Mapping[str, Any]) -> dict[str, str]:
    seconds = number(row["train_seconds"])
    return {
        "method": row["method"] + ("" if pd.isna(row["origin"]) else f" ({row['origin']})"),
        "variant": _text(row["variant"]),
        "K": _text(row["K"]),
        "M": _text(row["M"]),
        "runs": f"{row['n_runs']}" + (f" ({row['n_failed']} failed)" if row["n_failed"] else ""),
        "exemplar": _spread(row, "accuracy_exemplar"),
        "with failed": number(row["accuracy_exemplar_mean_with_failed"]) if row["n_failed"] else "",
        "exemplar best": number(row["accuracy_exemplar_best"]),
        "by ELBO": number(row["accuracy_exemplar_by_elbo"]),
        "by conditional prior": number(row["accuracy_exemplar_by_conditional_prior"]),
        "Hungarian": _spread(row, "accuracy_hungarian"),
        "Hungarian best": number(row["accuracy_hungarian_best"]),
        "majority": number(row["accuracy_majority_mean"]),
        "NMI": number(row["nmi_mean"], 3),
        "ARI": number(row["ari_mean"], 3),
        "silhouette": _silhouette(row),
        "agreement": number(row["agreement"], 3),
        "ELBO": number(row["elbo_mean"], 2),
        "used": _range(row["clusters_used_min"], row["clusters_used_max"]),
        "published": _spread(row, "published"),
        "published best": number(row["published_best"]),
        "re-run": _text(row["re_run"]),
        "time": f"{seconds} s" if seconds else "",
        "sealed": _text(row["sealed"])[:10],
    }


def _silhouette(row: Mapping[str, Any]) -> str:
    mean = number(row["silhouette_mean"], 3)
    return f"{mean} ({row['silhouette_space']})" if mean else ""


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _range(least: Any, most: Any) -> str:
    if pd.isna(least):
        return ""
    return f"{least:.0f}" if least == most else f"{least:.0f} to {most:.0f}"


def _spread(row: Mapping[str, Any], name: str) -> str:
    mean, std = row[f"{name}_mean"], row[f"{name}_std"]
    return number(mean) + ("" if pd.isna(mean) or pd.isna(std) else f" ± {std:.1f}")
