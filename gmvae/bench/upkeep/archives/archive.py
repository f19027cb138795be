"""A small archive of a grid, from which every table can be computed again.

It holds tables, figures, one line with record and scores per run, and the clusters that the scores
are computed from, but no model, no probabilities and no clusters after single epochs. A grid can be
trained in parts, on several machines or days: the archive of each part holds the runs that have
finished, and that of the last part takes in the others.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gmvae.bench.disk import files
from gmvae.bench.disk.errors import ConfigError, DataError
from gmvae.bench.disk.layout import RESOLVED_CONFIG
from gmvae.bench.grid.config import Config, read_resolved
from gmvae.bench.grid.runs import Run, is_finished, make_runs
from gmvae.bench.grid.seal import config_sha256
from gmvae.bench.report import figures
from gmvae.bench.report.build import PARTIAL, TABLE_NAMES, make_report, shown_figures
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.numbers import duration
from gmvae.bench.report.table_files import write_tables
from gmvae.bench.report.tables import build
from gmvae.bench.runs.record import Record
from gmvae.bench.upkeep.archives.contents import (
    ASSIGNMENTS,
    FOR_FIGURES,
    RECORDS,
    ArchivedRun,
    ArchivedSource,
    counted,
    read_archive,
    scored_runs,
)

N_COLOURS = 64
"""Of the pictures, which are a third as large then."""


def archive(
    results: Path,
    target: Path,
    *,
    parts: Sequence[Path] = (),
    partial: bool = False,
    command: str | None = None,
) -> str:
    """Write the archive of a grid.

    Parameters
    ----------
    results : Path
        Folder in which the workflow has finished, or has trained some of the runs.
    target : Path
        Folder to write to.
    parts : sequence of Path
        Archives of the same config, which have the runs that `results` lacks.
    partial : bool
        Archive the runs that are there, even if they are not all runs of the config.
    command : str, optional
        Command that made the results.

    Returns
    -------
    str
        The number of runs and the size.

    Raises
    ------
    ConfigError
        If `target` is a folder to be read, or holds anything but an archive.
    DataError
        If a run is missing, or if runs do not belong together.
    """
    _check_target(target, results, parts)
    config = read_resolved(results)
    runs = make_runs(config)
    in_parts = bool(parts) or partial
    found, origins = _find(runs, results, parts, in_parts=in_parts)
    _refuse_missing(runs, found, results, parts, partial=partial)
    _refuse_different_makings(found.values())
    _write_runs(found, results, target, FOR_FIGURES if len(found) == len(runs) else ())
    if in_parts:
        _write_tables(config, len(runs), found, target)
        _draw(config, found, origins, target)
    else:
        _copy_report(runs, results, target)
    _describe(target, found, len(runs), config.mark, command)
    return f"{target}: {counted(len(found), len(runs))}, {_megabytes(target):.1f} MB"


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / files.MEGABYTE


def _copy_report(runs: Sequence[Run], results: Path, target: Path) -> None:
    for name in TABLE_NAMES:
        _copy(results / name, target / name)
    for name in shown_figures(runs):
        _copy_figure(name, results, target)


def _check_target(target: Path, results: Path, parts: Sequence[Path]) -> None:
    if target.resolve() in {path.resolve() for path in (results, *parts)}:
        raise ConfigError(f"{target} is to be read; give another folder to write to")
    if target.is_dir() and any(target.iterdir()) and not (target / RECORDS).is_file():
        raise ConfigError(f"{target} is neither empty nor an archive; give another folder")


def _write_runs(
    found: Mapping[str, ArchivedRun], results: Path, target: Path, leave_out: Collection[str]
) -> None:
    """Write config, records, scores and arrays, and remove the figures of an earlier archive."""
    for name in figures.available():
        for ending in figures.endings(name):
            (target / f"{name}.{ending}").unlink(missing_ok=True)
    lines = (f"{json.dumps(one.as_dict())}\n" for one in found.values())
    files.write_text(target / RECORDS, "".join(lines))
    arrays = {
        f"{path}/{name}": array
        for path, one in found.items()
        for name, array in one.arrays.items()
        if name not in leave_out
    }
    files.write_arrays(target / ASSIGNMENTS, **arrays)
    _copy(results / RESOLVED_CONFIG, target / RESOLVED_CONFIG)


def _find(
    runs: Sequence[Run], results: Path, parts: Sequence[Path], *, in_parts: bool
) -> tuple[dict[str, ArchivedRun], dict[str, Path]]:
    """The runs that are there, in the order of the grid, and the folder that has each."""
    # Once: a training that ends from now on has no scores yet.
    done = {run.path for run in runs if is_finished(run, results / run.path)}
    if in_parts and done:
        make_report(results, partial=True)  # which scores the runs
    known = {one.record.run.path: (one, part) for part in parts[::-1] for one in read_archive(part)}
    found, origins = {}, {}
    unknown = sorted(known.keys() - {run.path for run in runs})
    if unknown:
        raise DataError(
            f"{known[unknown[0]][1]} has a run {unknown[0]}, which the config of {results} does "
            "not have; use the archive of the same config"
        )
    for run in runs:
        if run.path in done:
            found[run.path], origins[run.path] = ArchivedRun.read(results / run.path), results
        elif run.path in known:
            one, part = known[run.path]
            if one.record.run != run:
                raise DataError(
                    f"{part} has a run {run.path} with other parameters, "
                    f"{dict(one.record.run.parameters)}; use the archive of the same config"
                )
            found[run.path], origins[run.path] = one, part
    return found, origins


def _refuse_missing(
    runs: Sequence[Run],
    found: Mapping[str, ArchivedRun],
    results: Path,
    parts: Sequence[Path],
    *,
    partial: bool,
) -> None:
    missing = [run.path for run in runs if run.path not in found]
    if missing and not (partial and found):
        where = f"neither in {results} nor in a part" if parts else f"not in {results}"
        raise DataError(
            f"{len(missing)} of {len(runs)} runs are {where}, first {missing[0]}; train them, or "
            "archive what there is with --partial"
        )


def _refuse_different_makings(archived: Iterable[ArchivedRun]) -> None:
    """Refuse runs of one method from different code, and runs on different data of one name."""
    first: dict[tuple[str, str], Record] = {}
    for one in archived:
        record = one.record
        for key, value in (
            (("sources_sha256", record.run.class_path), record.sources_sha256),
            (("data_sha256", record.run.dataset), record.data_sha256),
        ):
            other = first.setdefault(key, record)
            if getattr(other, key[0]) != value:
                raise DataError(
                    f"{other.run.path} and {record.run.path} were made with different "
                    f"{'code' if key[0] == 'sources_sha256' else 'data'} ({key[0]}), on "
                    f"{other.finished[:10]} and {record.finished[:10]}; train the older one again"
                )


def _write_tables(
    config: Config, n_runs: int, found: Mapping[str, ArchivedRun], target: Path
) -> None:
    note = None if len(found) == n_runs else counted(len(found), n_runs)
    tables = build(scored_runs(found.values()), config_sha256(config))
    write_tables(tables, target, config.mark, note)


def _draw(
    config: Config,
    found: Mapping[str, ArchivedRun],
    origins: Mapping[str, Path],
    target: Path,
) -> None:
    """Figures of an archive with parts.

    A figure whose runs are all in one part is copied from there, and drawn if they are all in the
    results folder. If they are in several, it is drawn if it needs tables and clusters alone.
    """
    runs = [one.record.run for one in found.values()]
    for name in shown_figures(runs):
        folders = {origins[run.path] for run in figures.shown_runs(name, runs)}
        [folder, *others] = folders
        if not others and (folder / RECORDS).is_file():
            _copy_figure(name, folder, target)
            continue
        if others and not figures.needs_no_model(name):
            continue
        source = (
            ArchivedSource(target, target, archived=found)
            if others
            else Source(folder / PARTIAL, folder)
        )
        with tempfile.TemporaryDirectory() as drawn:
            figures.write_figure(name, source, Path(drawn), config.mark)
            _copy_figure(name, Path(drawn), target)


def _copy_figure(name: str, folder: Path, target: Path) -> None:
    for ending in figures.endings(name):
        if ending != "svg":
            _copy(folder / f"{name}.{ending}", target / f"{name}.{ending}")


def _copy(path: Path, target: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path} does not exist; run the workflow to its end before archiving")
    with files.replacing(target) as temporary:
        if path.suffix == ".png":
            from PIL import Image

            Image.open(path).convert("RGB").quantize(N_COLOURS).save(temporary, optimize=True)
        else:
            shutil.copyfile(path, temporary)


def _describe(
    target: Path,
    found: Mapping[str, ArchivedRun],
    n_runs: int,
    mark: str | None,
    command: str | None,
) -> None:
    """Write the archive's README: what there is, where and when it was made, how to check it."""
    records = [one.record for one in found.values()]
    commits = Counter(_commit(record.program) for record in records)
    machines = Counter(record.machine["processor"] for record in records)
    spent = duration(sum(record.train_seconds for record in records))
    statuses = Counter(record.status for record in records)
    parts = [f"{n} {status.replace('_', ' ')}" for status, n in statuses.items()]
    first, last = min(r.started for r in records), max(r.finished for r in records)
    code, processors = _counted(commits), _counted(machines)
    versions = _counted(Counter(str(record.libraries.get("torch")) for record in records))
    text = f"""\
# Results of {counted(len(records), n_runs)}{f" ({mark})" if mark else ""}

- Runs: {len(records)} ({", ".join(parts)}), those of [{RESOLVED_CONFIG}]({RESOLVED_CONFIG}).
{f"- Command: `{command}`." + chr(10) if command else ""}- Code: {code}.
- Processor: {processors}; torch {versions}.
- Time: {spent} of training in all (a network that several runs share counts for each of them),
  between {first} and {last}.
- Check: `gmvae-bench verify {target}` computes the final scores again from the clusters in
  `{ASSIGNMENTS}` and the test labels, and the tables from these and from `{RECORDS}`. The
  silhouette is taken as recorded, since the archive has no latent codes.

[table1.md](table1.md) is the table for people. `{RECORDS}` has one line per run: its record, with
every parameter, and its scores, also after each epoch. On another processor the values differ
within the spread over seeds.
"""
    files.write_text(target / "README.md", text)


def _commit(program: Mapping[str, Any]) -> str:
    changed = " with changes" if program.get("git_dirty") else ""
    return f"commit {program.get('git_commit')}{changed}"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} ({n} runs)" for name, n in counts.items())
