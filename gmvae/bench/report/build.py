"""Steps of the report: tables, one figure, the page, or all of them in one process.

Each step writes its products and a list of their checksums with the key of what they were made
from. The steps import their libraries late, since the workflow computes all keys when it starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import key_of, write_manifest
from gmvae.bench.disk.errors import ConfigError, DataError, did_you_mean
from gmvae.bench.disk.layout import DATA, LOGS, RESOLVED_CONFIG, SCORES, SUBMITTED
from gmvae.bench.grid.config import Config, read_resolved
from gmvae.bench.grid.runs import Run, is_finished, make_runs
from gmvae.bench.grid.seal import config_sha256
from gmvae.bench.grid.sources import source_checksum
from gmvae.bench.report import figures
from gmvae.bench.runs.score import is_scored, score_run, score_runs

HERE = Path(__file__).parent
PUBLISHED = HERE / "published" / "published.csv"
TABLE_NAMES = ("table1.csv", "table1.md", "runs.csv", "curves.csv", "times.csv")
PAGE_NAME = "report/index.html"
PARTIAL = "partial"


def make_tables(results: Path) -> None:
    """Make all tables of a grid whose runs are scored.

    Parameters
    ----------
    results : Path
        Its ``config.json`` says which runs there are.
    """
    config = read_resolved(results)
    products = _write_tables(make_runs(config), results, results, config)
    write_manifest(results / LOGS / "tables.sha256", products, tables_key(results, config))


def make_figure(results: Path, name: str) -> None:
    """Draw one figure from the tables and the files of the runs.

    Parameters
    ----------
    results : Path
    name : str
        One of `gmvae.bench.report.figures.available`.

    Raises
    ------
    ConfigError
        If there is no such figure.
    """
    from gmvae.bench.report.drawing.source import Source

    known = figures.available()
    if name not in known:
        raise ConfigError(
            f"unknown figure {name!r}{did_you_mean(name, known)}; choose from {', '.join(known)}"
        )
    mark = read_resolved(results).mark
    products = figures.write_figure(name, Source(results, results), results, mark)
    manifest = results / LOGS / f"{name}.sha256"
    write_manifest(manifest, products, figure_key(results, name, mark))


def make_page(results: Path, command: str) -> None:
    """Make the page from the tables and figures.

    Parameters
    ----------
    results : Path
    command : str
        The command that makes the results again, shown on the page.
    """
    from gmvae.bench.report.drawing.source import Source
    from gmvae.bench.report.page import write_page

    config = read_resolved(results)
    names = shown_figures(make_runs(config))
    path, source = results / PAGE_NAME, Source(results, results)
    shown = [name for name in names if figures.has_content(name, source, source.tables)]
    write_page(source, shown, path, command=command, mark=config.mark)
    key = page_key(results, names, command, config.mark)
    write_manifest(results / LOGS / "page.sha256", [path], key)


def make_report(results: Path, *, partial: bool) -> str:
    """Score, then make tables, figures and page in one process.

    Parameters
    ----------
    results : Path
    partial : bool
        Take only the runs that have finished, and write to ``{results}/partial``. The workflow may
        still be training the others.

    Returns
    -------
    str
        One line with the number of runs.

    Raises
    ------
    DataError
        If `partial` is set and no run has finished, or if it is not and a run is missing.
    """
    config = read_resolved(results)
    runs = make_runs(config)
    command = f"gmvae-bench report {results}"
    if partial:
        return _make_partial(config, runs, results, f"{command} --partial")
    score_runs(runs, results)
    make_tables(results)
    for name in shown_figures(runs):
        make_figure(results, name)
    make_page(results, command)
    return f"{results}: {len(runs)} runs"


def shown_figures(runs: Iterable[Run]) -> list[str]:
    """Names of the figures that have runs to show."""
    listed = list(runs)
    return [name for name in figures.available() if figures.shown_runs(name, listed)]


def tables_key(results: Path, config: Config) -> str:
    """Key of what the tables are made from."""
    sources = source_checksum("gmvae.bench.report.table_files", more=(PUBLISHED,))
    return key_of(
        sources=sources,
        scores=_checksum(results / SCORES),
        mark=config.mark,
        config=config_sha256(config),
    )


def figure_key(results: Path, name: str, mark: str | None) -> str:
    """Key of what a figure is made from."""
    return key_of(sources=_figure_sources(name), scores=_checksum(results / SCORES), mark=mark)


def page_key(results: Path, names: Sequence[str], command: str, mark: str | None) -> str:
    """Key of what the page is made from: its figures with their captions, and the configuration."""
    templates = tuple(
        HERE / "page" / "template" / f"page.{ending}" for ending in ("html", "css", "js")
    )
    return key_of(
        sources=source_checksum("gmvae.bench.report.page", more=(*templates, PUBLISHED)),
        figures={name: [_figure_sources(name), figures.caption(name)] for name in names},
        scores=_checksum(results / SCORES),
        config=_checksum(results / RESOLVED_CONFIG),
        submitted=_checksum(results / SUBMITTED),
        command=command,
        mark=mark,
    )


def _figure_sources(name: str) -> str:
    modules = ("gmvae.bench.report.figures", figures.module_of(name))
    return source_checksum(*modules, more=(PUBLISHED,))


def _checksum(path: Path) -> str:
    return files.sha256(path) if path.is_file() else ""


def _make_partial(config: Config, runs: list[Run], results: Path, command: str) -> str:
    from gmvae.bench.report.drawing.source import Source
    from gmvae.bench.report.page import write_page

    finished = [run for run in runs if is_finished(run, results / run.path)]
    if not finished:
        raise DataError(f"none of the {len(runs)} runs of this grid has finished yet")
    for run in finished:
        folder, data = results / run.path, DATA / run.dataset
        if not is_scored(folder, data):
            score_run(folder, data).write(folder)
    target, count = results / PARTIAL, f"{len(finished)} of {len(runs)} runs"
    _write_tables(finished, results, target, config, count)
    mark = f"{config.mark}; {count}" if config.mark else count
    source, names = Source(target, results), shown_figures(finished)
    for name in names:
        figures.write_figure(name, source, target, mark)
    path = target / PAGE_NAME
    shown = [name for name in names if figures.has_content(name, source, target)]
    write_page(source, shown, path, command=command, mark=config.mark, note=count)
    return f"{target}: {count}"


def _write_tables(
    runs: Iterable[Run], results: Path, target: Path, config: Config, note: str | None = None
) -> list[Path]:
    from gmvae.bench.report.table_files import write_tables
    from gmvae.bench.report.tables import ScoredRun, build

    scored = (ScoredRun.read(results / run.path) for run in runs)
    return write_tables(build(scored, config_sha256(config)), target, config.mark, note)
