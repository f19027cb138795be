"""The page of a results folder: one self-contained HTML file."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

import gmvae
from gmvae.bench.disk import files
from gmvae.bench.disk.layout import RESOLVED_CONFIG
from gmvae.bench.report import figures
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.figures.runs import generation, synthetic
from gmvae.bench.report.numbers import duration, number
from gmvae.bench.report.page import cards, curves
from gmvae.bench.report.published import published
from gmvae.bench.report.selection import SYNTHETIC
from gmvae.bench.report.statistics import effects
from gmvae.bench.report.table_files import (
    EXPLANATION,
    for_people,
    read_table,
    read_tables,
    sources_of,
)
from gmvae.bench.report.tables import SETTING, Tables
from gmvae.bench.runs import environment

FOLDER = Path(__file__).parent
SENTENCES = {
    "stability_grid": effects.sentences,
    "synthetic": synthetic.sentences,
    "generation": generation.sentences,
}
"""Figures whose tables are read out in sentences."""
PROTOCOLS = {"exemplar": "exemplar protocol", "hungarian": "Hungarian matching"}
SHOWN_OF_RECORD = (
    "started",
    "finished",
    "train_seconds",
    "peak_memory_mb",
    "resumed",
    "n_parameters",
    "threads",
    "time_limit",
    "program",
    "libraries",
    "machine",
    "data_sha256",
)


def write_page(
    source: Source,
    shown: Sequence[str],
    path: Path,
    *,
    command: str,
    mark: str | None,
    note: str | None = None,
) -> None:
    """Write the page from the tables and figures in the tables folder of a source.

    Parameters
    ----------
    source : Source
    shown : sequence of str
        Names of the figures.
    path : Path
        File to write.
    command : str
        The command that makes the results again.
    mark : str or None
        Remark at the top, such as "smoke, not comparable"; the tables carry it, too.
    note : str or None
        Another remark at the top, such as "18 of 19 runs"; ``table1.csv`` does not carry it.
    """
    tables = read_tables(source.tables, mark)
    failed = tables.runs[tables.runs["status"] != "finished"]
    page = _template().render(
        mark="; ".join(part for part in (mark, note) if part),
        command=command,
        version=gmvae.__version__,
        machine=environment.machine(),
        libraries=environment.libraries(),
        program=environment.program(),
        n_runs=len(tables.runs),
        n_failed=len(failed),
        training_time=duration(float(tables.times["train_seconds"].sum())),
        findings=list(_findings(source, shown, tables)),
        explanation=EXPLANATION,
        tables=[(dataset, _with_difference(rows)) for dataset, rows in for_people(tables)],
        sources=sources_of(tables.table1),
        failures=failed.to_dict("records"),
        figures=[_figure(source.tables, name) for name in shown],
        cards=cards.cards_of(source),
        settings=list(_settings(source)),
        config=_as_json(files.read_json(source.results / RESOLVED_CONFIG)),
        curve_width=curves.WIDTH,
        curve_height=curves.HEIGHT,
    )
    files.write_text(path, page)


def _template() -> jinja2.Template:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=jinja2.select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return templates.get_template("page.html")


def _figure(results: Path, name: str) -> dict[str, str]:
    """A figure, its SVG as a data URI."""
    svg = base64.b64encode((results / f"{name}.svg").read_bytes()).decode("ascii")
    uri = f"data:image/svg+xml;base64,{svg}"
    return {"name": name, "caption": figures.caption(name), "svg": uri}


def _findings(source: Source, shown: Sequence[str], tables: Tables) -> Iterator[str]:
    """Sentences made from the numbers: the best rows, effects of K and M, the synthetic data."""
    rows = tables.table1[tables.table1["dataset"] != SYNTHETIC]
    for dataset, group in rows.groupby("dataset", sort=False):
        for metric, protocol in PROTOCOLS.items():
            means = group[f"accuracy_{metric}_mean"].astype(float)
            n_settings = int(means.notna().sum())
            if n_settings > 1:
                best = group.loc[means.idxmax()]
                runs = best["n_runs"] - best["n_failed"]
                yield (
                    f"{dataset}, {protocol}: the best mean of {n_settings} settings is "
                    f"{means.max():.1f} %, from {_setting(best)} ({runs} "
                    f"{'run' if runs == 1 else 'runs'})."
                )
    for name, sentences in SENTENCES.items():
        if name in shown:
            yield from sentences(read_table(source.tables / f"{name}.csv"))


def _setting(row: pd.Series) -> str:
    parts = [row["method"], row["variant"]]
    parts += [f"{name} = {row[name]}" for name in ("K", "M") if pd.notna(row[name])]
    return ", ".join(part for part in parts if isinstance(part, str))


def _with_difference(
    rows: list[tuple[dict[str, Any], dict[str, str]]],
) -> list[dict[str, str]]:
    """Rows for people, with the difference between our result and the published one."""
    of_papers = published()
    protocols = dict(zip(of_papers["method"], of_papers["protocol"], strict=True))
    found = []
    for row, shown in rows:
        ours = f"accuracy_{protocols.get(row['method'])}"
        differences = {
            kind: row.get(f"{ours}_{kind}", math.nan) - row[f"published_{kind}"]
            for kind in ("mean", "best")
        }
        known = [f"{value:+.1f} ({kind})" for kind, value in differences.items() if pd.notna(value)]
        found.append({**shown, "ours − published": known[0] if known else ""})
    names = [name for name in found[0] if any(row[name] for row in found)]
    return [{name: row[name] for name in names} for row in found]


def _settings(source: Source) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for setting, runs in source.runs.groupby(SETTING, sort=False, dropna=False):
        row = pd.Series(dict(zip(SETTING, setting, strict=True)))
        details = [_details(source, run) for run in runs.to_dict("records")]
        yield f"{row['dataset']}: {_setting(row)}", details


def _details(source: Source, run: dict[str, Any]) -> dict[str, Any]:
    record = source.record(run["path"])
    figures_of_run = {
        "exemplar": number(run["accuracy_exemplar"]),
        "Hungarian": number(run["accuracy_hungarian"]),
        "ELBO": number(run["elbo"], 2),
    }
    parts = [f"{name} {value}" for name, value in figures_of_run.items() if value]
    reason = "" if run["status"] == "finished" else f": {run['reason']}"
    return {
        "title": ", ".join([f"seed {run['seed']}", *parts, f"{run['train_seconds']:.1f} s"]),
        "status": f"{run['status']}{reason}",
        "path": run["path"],
        "parameters": _as_json(dict(record.run.parameters)),
        "provenance": _as_json({name: getattr(record, name) for name in SHOWN_OF_RECORD}),
        "curves": curves.curves_of(source, run["path"]),
    }


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)
