"""What is done each time the pipeline starts, before it makes its plan.

A job that was killed leaves no half-written product under its name, since all are moved there when
they are complete. What can still be wrong with a product happened afterwards: it was truncated or
overwritten. Such products are set aside here, so that the pipeline, which looks at names and times
alone, makes them anew.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gmvae.bench.disk import files, locks
from gmvae.bench.disk.checksums import damaged, read_manifest
from gmvae.bench.disk.errors import DataError, OtherFormatError
from gmvae.bench.disk.layout import (
    CHECKPOINTS,
    DATA,
    DATA_LIST,
    LISTS_OF_A_RUN,
    LOCK,
    LOGS,
    METRICS,
    RESOLVED_CONFIG,
)
from gmvae.bench.grid.config import Config, DatasetSpec
from gmvae.bench.grid.runs import Run
from gmvae.bench.runs.record import AGAIN, read_metrics, read_record

ASIDE = ".damaged"
LEFT_OVER_SECONDS = 600
OTHER_CONTENT = "does not have the content that was written (its SHA-256 is another)"


def begin(config: Config, runs: Iterable[Run]) -> list[str]:
    """Take the folder for this pipeline alone, and set aside what is not as its jobs left it.

    Parameters
    ----------
    config : Config
        Also written to ``{results}/config.json``, from where it goes into each ``run.json``.
    runs : iterable of Run

    Returns
    -------
    list of str
        A line for each thing that was done.

    Raises
    ------
    BusyError
        If another pipeline is at work in this folder.
    StorageError
        If the results folder cannot be written.
    DataError
        If it holds runs of another version of this project, which would be lost.
    """
    results = Path(config.results)
    folders = [results / run.path for run in runs]
    _require_writable(results)
    for lock in (LOCK, results / ".lock"):
        locks.hold(lock, f"a run of this pipeline in {lock.parent.resolve()}")
    _refuse_other_versions(folders)
    lines = [line for spec in config.datasets for line in _repair(spec)]
    for path, reason in find_damage(config, folders):
        path.replace(path.with_name(path.name + ASIDE))
        lines.append(f"{path} {reason}; it is now {path.name}{ASIDE} and will be made anew")
    checkpoints = [folder / CHECKPOINTS for folder in folders]
    data = [DATA / spec.name for spec in config.datasets]
    _remove_left_overs([*data, results, results / LOGS, *folders, *checkpoints])
    files.write_json(results / RESOLVED_CONFIG, dataclasses.asdict(config))
    return lines


def find_damage(config: Config, folders: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Products that are there and are to be made anew, each with the reason.

    Parameters
    ----------
    config : Config
    folders : iterable of Path
        Of all runs.
    """
    for path in sorted((Path(config.results) / LOGS).glob("*.sha256")):
        yield from ((product, OTHER_CONTENT) for product in damaged(path))
    for folder in folders:
        found = [product for name in LISTS_OF_A_RUN for product in damaged(folder / name)]
        yield from ((product, OTHER_CONTENT) for product in found)
        for path, read in ((folder / "run.json", read_record), (folder / METRICS, read_metrics)):
            if not path.exists() or path in found:
                continue
            try:
                record = read(path)
            except DataError as error:
                yield path, str(error).removeprefix(f"{path} ").removesuffix(f"; {AGAIN}")
                continue
            if path.name == "run.json" and _may_go_on(record, config.time_limit):
                before = record["time_limit"] or 0
                yield path, f"is of a run that ended at a time limit of {before:g} s"


def _may_go_on(record: dict[str, Any], limit: float | None) -> bool:
    """Whether a run was out of time, and would have more of it now."""
    if record["status"] != "timed_out":
        return False
    return limit is None or limit > (record["time_limit"] or 0)


def _refuse_other_versions(folders: Iterable[Path]) -> None:
    others = []
    for folder in folders:
        try:
            read_record(folder / "run.json")
        except OtherFormatError:
            others.append(folder)
        except DataError:
            pass  # missing or damaged, and dealt with elsewhere
    if others:
        raise DataError(
            f"{len(others)} runs of another version of this project are here, like {others[0]}, "
            "and would be overwritten; move the folder away, or choose another by 'results' in "
            "the config"
        )


def _repair(spec: DatasetSpec) -> list[str]:
    """Make lost or damaged arrays of a data set anew, as old as they were if they are the same.

    The pipeline would take them for new data, and train everything again.
    """
    manifest = DATA / spec.name / DATA_LIST
    before = read_manifest(manifest)
    wrong = {*damaged(manifest), *(path for path in before if not path.is_file())}
    if not wrong:
        return []
    from gmvae.bench.data.prepare import prepare

    written = manifest.stat().st_mtime_ns
    with tempfile.TemporaryDirectory(dir=DATA, prefix=f".{spec.name}-") as name:
        prepare(spec.name, spec.npz, Path(name))
        made = read_manifest(Path(name) / DATA_LIST)
        now = {manifest.parent / path.name: checksum for path, checksum in made.items()}
        for path in sorted(Path(name).iterdir()):
            if now == before:
                os.utime(path, ns=(written, written))
            path.replace(manifest.parent / path.name)
    return [f"{path} was lost or damaged and has been made anew" for path in sorted(wrong)]


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise files.storage_error(folder, error) from error


def _remove_left_overs(folders: Iterable[Path]) -> None:
    """Temporary files of jobs that were killed while they wrote."""
    for folder in folders:
        for path in folder.glob(".*-????????.*"):
            if path.is_file() and time.time() - path.stat().st_mtime > LEFT_OVER_SECONDS:
                path.unlink(missing_ok=True)
