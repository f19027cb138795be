"""A look at a grid that is not complete: tables and figures of what has finished."""

from __future__ import annotations

from pathlib import Path

from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import DATA
from gmvae.bench.grid.runs import Run, is_finished
from gmvae.bench.report import figures
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.page import Frame, write_page
from gmvae.bench.report.table_files import write_tables
from gmvae.bench.report.tables import ScoredRun, build
from gmvae.bench.runs.record import read_record
from gmvae.bench.runs.score import score_run


def write_partial(runs: list[Run], results: Path, mark: str | None, command: str) -> str:
    """Score the finished runs and write tables, figures and page to ``{results}/partial``.

    Parameters
    ----------
    runs : list of Run
        All of the grid, finished or not.
    results : Path
    mark : str or None
    command : str
        What makes all of it, for the page.

    Returns
    -------
    str
        A line that says how many runs went in.
    """
    finished = [run for run in runs if is_finished(run, results / run.path)]
    if not finished:
        raise DataError(f"none of the {len(runs)} runs of this grid has finished yet")
    scored = [_scored(results / run.path) for run in finished]
    target = results / "partial"
    count = f"{len(finished)} of {len(runs)} runs"
    write_tables(build(scored), target, mark, count)
    mark = f"{mark}; {count}" if mark else count
    source = Source.of(scored, results)
    names = [name for name in figures.available() if figures.shown_runs(name, finished)]
    for name in names:
        figures.write_figure(name, source, target, mark)
    write_page(source, Frame(names, command, mark), target)
    return f"{target}: {count}"


def _scored(folder: Path) -> ScoredRun:
    """Score a run anew: its files belong to the pipeline, which may be at work on them."""
    record = read_record(folder / "run.json")
    labels = DATA / record["run"]["dataset"] / "test-labels.npy"
    return ScoredRun(folder, record, score_run(folder, labels))
