"""A look at a grid that is not complete: tables and figures of what has finished."""

from __future__ import annotations

from pathlib import Path

from gmvae.bench import figures
from gmvae.bench.errors import DataError
from gmvae.bench.figures.source import Source
from gmvae.bench.grid import Run, is_finished
from gmvae.bench.layout import DATA
from gmvae.bench.records import read_record
from gmvae.bench.report_tables import write_tables
from gmvae.bench.score import score_run
from gmvae.bench.tables import ScoredRun, build


def write_partial(runs: list[Run], results: Path, mark: str | None) -> str:
    """Score the finished runs and write all tables and figures to ``{results}/partial``.

    Parameters
    ----------
    runs : list of Run
        All of the grid, finished or not.
    results : Path
    mark : str or None

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
    source = Source.of(scored, results)
    for name in figures.available():
        if figures.shown_runs(name, finished):
            figures.write_figure(name, source, target, f"{mark}; {count}" if mark else count)
    return f"{target}: {count}"


def _scored(folder: Path) -> ScoredRun:
    """Score a run anew: its files belong to the pipeline, which may be at work on them."""
    record = read_record(folder / "run.json")
    labels = DATA / record["run"]["dataset"] / "test-labels.npy"
    return ScoredRun(folder, record, score_run(folder, labels))
