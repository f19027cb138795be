"""Verification of a results folder: every number is recomputed from the stored assignments."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from gmvae.bench.data.prepare import prepare
from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import damaged, incomplete, read_manifest
from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import DATA, DATA_LIST, LOGS, METRICS, RUN_PRODUCTS, TRAIN_LIST
from gmvae.bench.grid.config import Config, read_resolved
from gmvae.bench.grid.runs import Run, is_finished, make_runs
from gmvae.bench.grid.seal import config_sha256
from gmvae.bench.grid.sources import data_key
from gmvae.bench.report.table_files import as_csv, markdown
from gmvae.bench.report.tables import ScoredRun, build
from gmvae.bench.runs.record import Record, Scores
from gmvae.bench.runs.score import score_run
from gmvae.bench.upkeep.archives.contents import RECORDS, counted, read_archive, scored_runs
from gmvae.bench.upkeep.archives.crate import opened

SHOWN = 3


def verify(results: Path, data: Path = DATA) -> str:
    """Recompute every metric and every table of a results folder.

    Parameters
    ----------
    results : Path
        Folder in which the workflow has finished, whose ``config.json`` lists the runs; or an
        archive or crate of one, as the modules of `gmvae.bench.upkeep.archives` write them.
    data : Path
        Folder of the prepared data. For an archive or a crate, data sets of the package that are
        not there are prepared.

    Returns
    -------
    str
        One line with the number of runs that were recomputed without a difference.

    Raises
    ------
    DataError
        Lists all differences, if there is one, or names the file that is missing.
    """
    with opened(results) as folder:
        if (folder / RECORDS).is_file():
            return verify_archive(folder, data, results)
    config = read_resolved(results)
    scored: list[ScoredRun] = []
    differences: list[str] = []
    runs = make_runs(config)
    for run in runs:
        differences += _check_run(results, data, run, scored)
    if len(scored) == len(runs):
        differences += _check_tables(results, scored, config, shown=results)
    differences += _check_lists(results)
    remedy = "run the workflow again, which makes changed files again; then delete what differs"
    return _verdict(results, f"{len(scored)} runs", differences, remedy)


def verify_archive(folder: Path, data: Path, shown: Path) -> str:
    """Recompute the final scores of every run and every table of an archive; see `verify`.

    Parameters
    ----------
    folder : Path
        The archive.
    data : Path
        Folder of the data sets.
    shown : Path
        Its name in messages, which for a crate is the ZIP file.
    """
    config, archived = read_resolved(folder), read_archive(folder)
    differences: list[str] = []
    prepare_missing(config, {run.record.run.dataset for run in archived}, data)
    for run in archived:
        place = f"  {shown / RECORDS}, {run.record.run.path}"
        labels = files.read_array(data / run.record.run.dataset / "test-labels.npy")
        now = run.scores_now(labels if len(labels) else None)
        for name, was, is_now in _unequal("", {"final": run.scores.final}, {"final": now}):
            differences.append(f"{place}: {name} is {was}, recomputed {is_now}")
    known = [run.record.run.path for run in archived]
    runs = {run.path: run for run in make_runs(config)}
    if known != [path for path in runs if path in set(known)]:
        differences.append(f"  {shown / RECORDS} does not hold runs of the config, in its order")
    for run in archived:
        own = run.record.run
        if own != runs.get(own.path, own):
            differences.append(
                f"  {shown / RECORDS}, {own.path}: the parameters {dict(own.parameters)} are not "
                "those of the config"
            )
    note = None if len(known) == len(runs) else counted(len(known), len(runs))
    scored = scored_runs(archived)
    differences += _check_tables(folder, scored, config, shown=shown, note=note)
    return _verdict(shown, counted(len(known), len(runs)), differences, "make the archive again")


def prepare_missing(config: Config, names: Collection[str], data: Path) -> None:
    """Prepare those of the named data sets that are not there, if they come with the package.

    Parameters
    ----------
    config : Config
    names : collection of str
        Data sets that are needed.
    data : Path
        Folder of the prepared data.

    Raises
    ------
    DataError
        If the labels of a user's own data are not there.
    """
    for spec in config.datasets:
        if spec.name not in names or (data / spec.name / DATA_LIST).is_file():
            continue
        if spec.source is not None:
            raise DataError(
                f"{data / spec.name} does not hold the data set {spec.name}, which does not come "
                "with the package; run snakemake with the config of these results, or name the "
                "folder of the data with --data"
            )
        prepare(spec.name, None, data / spec.name, data_key(spec.name, None))


def _verdict(results: Path, n_runs: str, differences: list[str], remedy: str) -> str:
    if differences:
        first = f"{len(differences)} differences in {results}:"
        raise DataError("\n".join([first, *differences, remedy]))
    return f"{results}: {n_runs} and all tables recomputed, no differences"


def _check_run(results: Path, data: Path, run: Run, scored: list[ScoredRun]) -> Iterator[str]:
    """Differences of one run, which is added to `scored` if it can be read."""
    folder = results / run.path
    for path in incomplete(folder / TRAIN_LIST, RUN_PRODUCTS):
        yield f"  {path} is missing, or not in {TRAIN_LIST}"
    for path in damaged(folder / TRAIN_LIST, thorough=True):
        yield f"  {path} does not have the content that was written"
    try:
        record, stored = Record.read(folder), Scores.read(folder)
        scores = score_run(folder, data / run.dataset)
        clusters = files.read_arrays(folder / "test.npz", ["clusters"])["clusters"]
        yield from _check_assignments(folder)
    except DataError as error:
        yield f"  {error}"
        return
    scored.append(ScoredRun(record, scores, clusters))
    if not is_finished(run, folder):
        yield f"  {folder} holds the result of {record.run.path}, {dict(record.run.parameters)}"
    for place, was, is_now in _unequal("", vars(stored), vars(scores)):
        yield f"  {folder / METRICS}: {place} is {was}, recomputed {is_now}"


def _check_assignments(folder: Path) -> Iterator[str]:
    """Differences between the probabilities and the clusters and exemplars, up to rounding."""
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


def _check_tables(
    results: Path,
    scored: list[ScoredRun],
    config: Config,
    *,
    shown: Path,
    note: str | None = None,
) -> Iterator[str]:
    tables, mark = build(scored, config_sha256(config)), config.mark
    remarks = "; ".join(part for part in (mark, note) if part)
    for name, text in {**as_csv(tables, mark), "table1.md": markdown(tables, remarks)}.items():
        path, place = results / name, shown / name
        stored = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        pairs = enumerate(zip_longest(stored, text.splitlines()), start=1)
        lines = [
            f"  {place}, line {number}: is {_shown(was)}, recomputed {_shown(is_now)}"
            for number, (was, is_now) in pairs
            if was != is_now
        ]
        yield from lines[:SHOWN]
        if len(lines) > SHOWN:
            yield f"  {place}: {len(lines) - SHOWN} more lines differ"


def _shown(line: str | None) -> str:
    return "missing" if line is None else repr(line)


def _check_lists(results: Path) -> Iterator[str]:
    """Differences between the scores, tables and figures and the checksums of their jobs."""
    for path in sorted((results / LOGS).glob("*.sha256")):
        for product in read_manifest(path):
            if not product.is_file():
                yield f"  {product} is missing"
        for product in damaged(path, thorough=True):
            yield f"  {product} does not have the content that was written"
