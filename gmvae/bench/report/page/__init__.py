"""The report: one self-contained HTML page of a results folder."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

import gmvae
from gmvae.bench.disk import files
from gmvae.bench.disk.layout import RESOLVED_CONFIG
from gmvae.bench.report import effects, figures
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.figures import synthetic
from gmvae.bench.report.page import cards, curves
from gmvae.bench.report.table_files import EXPLANATION, for_people, number
from gmvae.bench.report.tables import SETTING, SYNTHETIC, Tables, build, published
from gmvae.bench.runs import provenance
from gmvae.bench.upkeep.status import duration

FOLDER = Path(__file__).parent

PAGE = Path("report/index.html")
PROTOCOLS = {"exemplar": "exemplar protocol", "hungarian": "Hungarian matching"}
SHOWN_OF_RECORD = (
    "started",
    "finished",
    "train_seconds",
    "peak_memory_mb",
    "resumed",
    "n_parameters",
    "threads",
    "precision",
    "time_limit",
    "program",
    "libraries",
    "machine",
    "data_sha256",
)


@dataclass(frozen=True)
class Frame:
    """How a page is framed.

    Attributes
    ----------
    shown : sequence of str
        Names of the figures.
    command : str
        What makes the results again.
    mark : str or None
        Remark at the head.
    """

    shown: Sequence[str]
    command: str
    mark: str | None = None


def write_page(source: Source, frame: Frame, folder: Path) -> None:
    """Write the report of all runs of a source to ``report/index.html``.

    Parameters
    ----------
    source : Source
    frame : Frame
    folder : Path
        Where the SVG files of the figures are; the page goes below it.
    """
    tables = build(source.scored.values())
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=jinja2.select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    resolved = source.results / RESOLVED_CONFIG
    page = environment.get_template("page.html").render(
        mark=frame.mark,
        command=frame.command,
        version=gmvae.__version__,
        machine=provenance.machine(),
        libraries=provenance.libraries(),
        program=provenance.program(),
        n_runs=len(tables.runs),
        n_failed=int((tables.runs["status"] != "finished").sum()),
        training_time=duration(float(tables.times["train_seconds"].sum())),
        findings=list(_findings(source, tables)),
        explanation=EXPLANATION,
        tables=[(dataset, _with_difference(rows)) for dataset, rows in for_people(tables)],
        sources=list(tables.table1["published_source"].dropna().unique()),
        failures=tables.runs[tables.runs["status"] != "finished"].to_dict("records"),
        figures=[_Product.read(folder, name) for name in frame.shown],
        cards=cards.cards_of(source.scored.values()),
        settings=list(_settings(source)),
        config=_as_json(files.read_json(resolved)) if resolved.is_file() else "",
        curve_width=curves.WIDTH,
        curve_height=curves.HEIGHT,
    )
    files.write_text(folder / PAGE, page)


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
    """What the page tells of one run."""

    title: str
    status: str
    path: str
    parameters: str
    provenance: str
    curves: list[curves.Curve]


def _findings(source: Source, tables: Tables) -> Iterator[str]:
    """Sentences made from the numbers: the best rows, what K and M do, the synthetic data."""
    rows = tables.table1[tables.table1["dataset"] != SYNTHETIC]
    for dataset, group in rows.groupby("dataset", sort=False):
        for metric, protocol in PROTOCOLS.items():
            means = group[f"accuracy_{metric}_mean"].astype(float)
            n_settings = int(means.notna().sum())
            if n_settings > 1:
                best = group.loc[means.idxmax()]
                runs = best["n_runs"] - best["n_failed"]
                yield (
                    f"{dataset}: by the {protocol} the best mean of {n_settings} settings is that "
                    f"of {_setting(best)}, {means.max():.1f} % over {runs} "
                    f"{'run' if runs == 1 else 'runs'}."
                )
    yield from effects.sentences(effects.effects(tables.runs))
    yield from synthetic.sentences(synthetic.table(source))


def _setting(row: pd.Series) -> str:
    parts = [row["method"], row["variant"]]
    parts += [f"{name} = {row[name]}" for name in ("K", "M") if pd.notna(row[name])]
    return ", ".join(part for part in parts if isinstance(part, str))


def _with_difference(
    rows: list[tuple[dict[str, Any], dict[str, str]]],
) -> list[dict[str, str]]:
    """Rows for people, with our figure minus the published one where there are both."""
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
    record = source.scored[run["path"]].record
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
        parameters=_as_json(record["run"]["parameters"]),
        provenance=_as_json({name: record[name] for name in SHOWN_OF_RECORD}),
        curves=curves.curves_of(source, run["path"]),
    )


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)
