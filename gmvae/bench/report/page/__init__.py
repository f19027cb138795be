"""The page of a results folder: one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

import gmvae
from gmvae.bench.disk import files
from gmvae.bench.disk.layout import RESOLVED_CONFIG
from gmvae.bench.report import figures
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.numbers import duration
from gmvae.bench.report.page import cards, details, provenance
from gmvae.bench.report.page.claims import claims_of
from gmvae.bench.report.page.clusters import N_IMAGES, clusters_of
from gmvae.bench.report.page.rows import DEFINITIONS, TEXT, page_tables
from gmvae.bench.report.page.summary import PROTOCOLS, summary
from gmvae.bench.report.table_files import EXPLANATION, read_tables, sources_of, submitted_rows
from gmvae.bench.report.table_files import provenance as remarks_on
from gmvae.bench.report.tables import Tables

OVERVIEW = "against_published"
"""The figure before the table: all settings, one row each."""
FOLDER = Path(__file__).parent / "template"


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
    content = _content(source, shown, read_tables(source.tables, mark))
    remark = "; ".join(part for part in (mark, note) if part)
    page = _template().render(mark=remark, command=command, **content)
    files.write_text(path, page)


def _content(source: Source, shown: Sequence[str], tables: Tables) -> dict[str, Any]:
    """All values of the template that come from the results."""
    failed = tables.runs[tables.runs["status"] != "finished"]
    labelled = tables.runs["accuracy_hungarian"].notna().any()
    return {
        "version": gmvae.__version__,
        "n_runs": len(tables.runs),
        "n_failed": len(failed),
        "training_time": duration(float(tables.times["train_seconds"].sum())),
        "summary": summary(source, tables),
        "protocols": PROTOCOLS if labelled else "",
        "claims": claims_of(source, shown) if labelled else [],
        "tables": list(page_tables(tables)),
        "definitions": DEFINITIONS,
        "text_columns": TEXT,
        "explanation": EXPLANATION,
        "remarks": remarks_on(tables),
        "sources": sources_of(tables.table1),
        "submitted": submitted_rows(source.results),
        "failures": failed.to_dict("records"),
        "overview": OVERVIEW,
        "figures": [
            _figure(source, name)
            for name in shown
            if figures.has_content(name, source, source.tables)
        ],
        "clusters": list(clusters_of(source)),
        "n_images": N_IMAGES,
        "cards": cards.cards_of(source),
        "settings": list(details.settings_of(source)),
        "curve_width": details.WIDTH,
        "curve_height": details.HEIGHT,
        "config": details.as_json(files.read_json(source.results / RESOLVED_CONFIG)),
        "provenance": provenance.provenance_of(source),
        "csv": provenance.data_uri(source.tables / "table1.csv"),
        "bibtex": provenance.BIBTEX,
    }


def _template() -> jinja2.Template:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=jinja2.select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters["unbroken"] = _unbroken
    return templates.get_template("page.html")


def _unbroken(text: str) -> str:
    """The text with its equations and percentages each on one line."""
    space = "\N{NO-BREAK SPACE}"
    return text.replace(" = ", f"{space}={space}").replace(" %", f"{space}%")


def _figure(source: Source, name: str) -> dict[str, str]:
    """A figure with its caption, its SVG as a data URI."""
    svg = base64.b64encode((source.tables / f"{name}.svg").read_bytes()).decode("ascii")
    uri = f"data:image/svg+xml;base64,{svg}"
    finding = figures.finding(name, source, source.tables)
    return {"name": name, "finding": finding, "caption": figures.caption(name), "svg": uri}
