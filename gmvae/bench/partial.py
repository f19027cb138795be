"""A look at a grid that is not complete: tables and figures of what has finished."""

from __future__ import annotations

from pathlib import Path

from gmvae.bench import figures, files
from gmvae.bench.errors import DataError
from gmvae.bench.report_tables import write_tables
from gmvae.bench.score import score_run
from gmvae.bench.tables import ScoredRun, build

DATA = Path("data")


def write_partial(folders: list[Path], results: Path, mark: str | None) -> str:
    """Score the finished runs and write all tables and figures to ``{results}/partial``.

    Parameters
    ----------
    folders : list of Path
        Of all runs of the grid, finished or not.
    results : Path
    mark : str or None

    Returns
    -------
    str
        A line that says how many runs went in.
    """
    finished = [folder for folder in folders if (folder / "run.json").exists()]
    if not finished:
        raise DataError(f"none of the {len(folders)} runs of this grid has finished yet")
    scored = [_scored(folder) for folder in finished]
    target = results / "partial"
    remark = f"{len(finished)} of {len(folders)} runs"
    remark = f"{mark}; {remark}" if mark else remark
    write_tables(build(scored), target, remark)
    for name in figures.available():
        figures.write_figure(name, target, remark)
    return f"{target}: {remark}"


def _scored(folder: Path) -> ScoredRun:
    """Score a run anew: its files belong to the pipeline, which may be at work on them."""
    record = files.read_json(folder / "run.json")
    labels = DATA / record["run"]["dataset"] / "test-labels.npy"
    return ScoredRun(folder, record, score_run(folder, labels))
