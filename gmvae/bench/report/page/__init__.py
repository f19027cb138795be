"""The page of a results folder: one self-contained HTML file."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

import gmvae
from gmvae.bench.disk import files
from gmvae.bench.report import effects, figures
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.figures import synthetic
from gmvae.bench.report.numbers import duration, number
from gmvae.bench.report.page import cards, curves
from gmvae.bench.report.selection import SYNTHETIC
from gmvae.bench.report.table_files import EXPLANATION, for_people, read_table, read_tables
from gmvae.bench.report.tables import SETTING, Tables, published
from gmvae.bench.runs import environment

FOLDER = Path(__file__).parent
SENTENCES = {"stability_grid": effects.sentences, "synthetic": synthetic.sentences}
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


@dataclass(frozen=True)
class Frame:
    """Frame of a page.

    Attributes
    ----------
    shown : sequence of str
        Names of the figures.
    command : str
        The command that makes the results again.
    mark : str or None
        Remark at the top, such as "smoke, not comparable"; the tables carry it, too.
    note : str or None
        Another remark at the top, such as "18 of 19 runs"; ``table1.csv`` does not carry it.
    config : mapping
        The whole configuration.
    """

    shown: Sequence[str]
    command: str
    mark: str | None
    note: str | None
    config: Mapping[str, Any]


def write_page(source: Source, frame: Frame, path: Path) -> Path:
    """Write the page from the tables and figures in the tables folder of a source.

    Parameters
    ----------
    source : Source
    frame : Frame
    path : Path
        File to write.

    Returns
    -------
    Path
        The same path.
    """
    tables = read_tables(source.tables, frame.mark)
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=jinja2.select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = templates.get_template("page.html").render(
        mark="; ".join(part for part in (frame.mark, frame.note) if part),
        command=frame.command,
        version=gmvae.__version__,
        machine=environment.machine(),
        libraries=environment.libraries(),
        program=environment.program(),
        n_runs=len(tables.runs),
        n_failed=int((tables.runs["status"] != "finished").sum()),
        training_time=duration(float(tables.times["train_seconds"].sum())),
        findings=list(_findings(source, frame, tables)),
        explanation=EXPLANATION,
        tables=[(dataset, _with_difference(rows)) for dataset, rows in for_people(tables)],
        sources=list(tables.table1["published_source"].dropna().unique()),
        failures=tables.runs[tables.runs["status"] != "finished"].to_dict("records"),
        figures=[_Product.read(source.tables, name) for name in frame.shown],
        cards=cards.cards_of(source),
        settings=list(_settings(source)),
        config=_as_json(frame.config),
        curve_width=curves.WIDTH,
        curve_height=curves.HEIGHT,
    )
    files.write_text(path, page)
    return path


@dataclass(frozen=True)
class _Product:
    """A figure, its SVG as a data URI."""

    name: str
    caption: str
    svg: str

    @classmethod
    def read(cls, results: Path, name: str) -> _Product:
        svg = (results / f"{name}.svg").read_bytes()
        uri = "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
        return cls(name, figures.caption(name), uri)


@dataclass(frozen=True)
class _RunDetails:
    """Details of one run."""

    title: str
    status: str
    path: str
    parameters: str
    provenance: str
    curves: list[curves.Curve]


def _findings(source: Source, frame: Frame, tables: Tables) -> Iterator[str]:
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
        if name in frame.shown:
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
        difference = ""
        for kind in ("mean", "best"):
            both = [row.get(f"{ours}_{kind}"), row[f"published_{kind}"]]
            if not any(map(pd.isna, both)):
                difference = f"{both[0] - both[1]:+.1f} ({kind})"
                break
        found.append({**shown, "ours − published": difference})
    names = [name for name in found[0] if any(row[name] for row in found)]
    return [{name: row[name] for name in names} for row in found]


def _settings(source: Source) -> Iterator[tuple[str, list[_RunDetails]]]:
    for setting, runs in source.runs.groupby(SETTING, sort=False, dropna=False):
        row = pd.Series(dict(zip(SETTING, setting, strict=True)))
        details = [_details(source, run) for run in runs.to_dict("records")]
        yield f"{row['dataset']}: {_setting(row)}", details


def _details(source: Source, run: dict[str, Any]) -> _RunDetails:
    record = source.record(run["path"])
    figures_of_run = {
        "exemplar": number(run["accuracy_exemplar"]),
        "Hungarian": number(run["accuracy_hungarian"]),
        "ELBO": number(run["elbo"], 2),
    }
    parts = [f"{name} {value}" for name, value in figures_of_run.items() if value]
    return _RunDetails(
        title=", ".join([f"seed {run['seed']}", *parts, f"{run['train_seconds']:.1f} s"]),
        status=run["status"]
        if run["status"] == "finished"
        else f"{run['status']}: {run['reason']}",
        path=run["path"],
        parameters=_as_json(dict(record.run.parameters)),
        provenance=_as_json({name: getattr(record, name) for name in SHOWN_OF_RECORD}),
        curves=curves.curves_of(source, run["path"]),
    )


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)
