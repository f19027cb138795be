"""A results folder held against itself: every number from the assignments that are stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import damaged, incomplete, read_manifest
from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import DATA, LISTS_OF_A_RUN, LOGS, METRICS
from gmvae.bench.grid.config import read_resolved
from gmvae.bench.grid.runs import Run, is_finished, make_runs
from gmvae.bench.report.table_files import as_csv, markdown
from gmvae.bench.report.tables import ScoredRun, build
from gmvae.bench.runs.record import read_metrics, read_record
from gmvae.bench.runs.score import score_run

SHOWN = 3


def verify(results: Path, data: Path = DATA) -> str:
    """Recompute every metric and every table of a results folder.

    Parameters
    ----------
    results : Path
        In which the pipeline has finished; ``config.json`` says what runs there should be.
    data : Path
        Where ``{dataset}/test-labels.npy`` are.

    Returns
    -------
    str
        That there is no difference, and in how much.

    Raises
    ------
    DataError
        With all differences, if there is one; or if something needed is missing.
    """
    config = read_resolved(results)
    scored: list[ScoredRun] = []
    differences: list[str] = []
    runs = make_runs(config)
    for run in runs:
        differences += _check_run(results, data, run, scored)
    if len(scored) == len(runs):
        differences += _check_tables(results, scored, config.mark)
    differences += _check_lists(results)
    if differences:
        raise DataError(
            "\n".join([f"{len(differences)} differences in {results}:", *differences])
            + "\nrun the pipeline again, which remakes what was changed; delete what differs then"
        )
    return f"{results}: {len(scored)} runs and all tables recomputed, no differences"


def _check_run(results: Path, data: Path, run: Run, scored: list[ScoredRun]) -> Iterator[str]:
    """Differences of one run, which is added to `scored` if it can be read."""
    folder = results / run.path
    for name, products in LISTS_OF_A_RUN.items():
        for path in incomplete(folder / name, products):
            yield f"  {path} is missing, or not in {name}"
        for path in damaged(folder / name, thorough=True):
            yield f"  {path} does not have the content that was written"
    try:
        record, stored = read_record(folder / "run.json"), read_metrics(folder / METRICS)
        scores = score_run(folder, data / run.dataset / "test-labels.npy")
        yield from _check_assignments(folder)
    except DataError as error:
        yield f"  {error}"
        return
    scored.append(ScoredRun(folder, record, scores))
    if not is_finished(run, folder):
        yield f"  {folder} holds the result of {scored[-1].path}, {record['run']['parameters']}"
    for place, was, is_now in _unequal("", stored, scores):
        yield f"  {folder / METRICS}: {place} is {was}, recomputed {is_now}"


def _check_assignments(folder: Path) -> Iterator[str]:
    """Whether clusters and exemplars are the most probable, up to the rounding to float32."""
    arrays = files.read_arrays(folder / "test.npz")
    if "probabilities" not in arrays:
        return
    probabilities, clusters = arrays["probabilities"], arrays["clusters"]
    chosen = probabilities[np.arange(len(clusters)), clusters]
    if (chosen < probabilities.max(axis=1)).any():
        yield f"  {folder / 'test.npz'}: clusters are not the most probable ones"
    which, samples = arrays["exemplars"].T
    if (probabilities[samples, which] < probabilities.max(axis=0)[which]).any():
        yield f"  {folder / 'test.npz'}: exemplars are not the most probable samples"
    if set(which) != set(clusters):
        yield f"  {folder / 'test.npz'}: not every cluster in use has an exemplar"


def _unequal(place: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _unequal(f"{place}.{key}".strip("."), one.get(key), other.get(key))
    elif one != other:
        yield place, one, other


def _check_tables(results: Path, scored: list[ScoredRun], mark: str | None) -> Iterator[str]:
    tables = build(scored)
    for name, text in {**as_csv(tables, mark), "table1.md": markdown(tables, mark or "")}.items():
        path = results / name
        stored = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        expected = text.splitlines()
        lines = [
            f"  {path}, line {number}: is {_line(stored, number)}, recomputed "
            f"{_line(expected, number)}"
            for number in range(1, max(len(stored), len(expected)) + 1)
            if _line(stored, number) != _line(expected, number)
        ]
        yield from lines[:SHOWN]
        if len(lines) > SHOWN:
            yield f"  {path}: {len(lines) - SHOWN} more lines differ"


def _line(lines: list[str], number: int) -> str:
    return repr(lines[number - 1]) if number <= len(lines) else "missing"


def _check_lists(results: Path) -> Iterator[str]:
    """Tables and figures against the checksums that their jobs left."""
    for path in sorted((results / LOGS).glob("*.sha256")):
        missing = [product for product in read_manifest(path) if not product.is_file()]
        for product in missing:
            yield f"  {product} is missing"
        for product in damaged(path, thorough=True):
            yield f"  {product} does not have the content that was written"
