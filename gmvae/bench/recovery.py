"""What is done each time the pipeline starts, before it makes its plan.

A job that was killed leaves no half-written product under its name, since all are moved there when
they are complete. What can still be wrong with a product happened afterwards: it was truncated,
overwritten, or written by an older version. Such products are set aside here, so that the pipeline,
which looks at names and times alone, makes them anew.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from gmvae.bench import files, locks
from gmvae.bench.config import Config, DatasetSpec
from gmvae.bench.errors import DataError, OlderFormatError
from gmvae.bench.grid import Run
from gmvae.bench.manifests import damaged, read_manifest
from gmvae.bench.records import AGAIN, read_metrics, read_record

DATA = Path("data")
LOCK = Path(".snakemake/gmvae.lock")
RESOLVED = "config.json"
ASIDE = ".damaged"
LEFT_OVER_SECONDS = 600
READERS = {"run.json": read_record, "metrics.json": read_metrics}


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
        If it holds runs of an older version of this project, which would be lost.
    """
    locks.hold(LOCK, "a run of this pipeline in this folder")
    results = Path(config.results)
    _require_writable(results)
    listed = list(runs)
    _refuse_older([results / run.path for run in listed])
    lines = [line for spec in config.datasets for line in _repair(spec)]
    lines += [_set_aside(path, reason) for path, reason in find_damage(config, listed)]
    _remove_left_overs([results, *(results / run.path for run in listed)])
    files.write_json(results / RESOLVED, dataclasses.asdict(config))
    return lines


def find_damage(config: Config, runs: Iterable[Run]) -> Iterator[tuple[Path, str]]:
    """Products that are there and cannot be trusted, each with what is wrong.

    Parameters
    ----------
    config : Config
    runs : iterable of Run
    """
    results = Path(config.results)
    lists = [DATA / spec.name / "data.sha256" for spec in config.datasets]
    lists += sorted((results / "logs").glob("*.sha256"))
    folders = [results / run.path for run in runs]
    lists += [folder / name for folder in folders for name in ("train.sha256", "score.sha256")]
    found = set(itertools.chain.from_iterable(map(damaged, lists)))
    for path in sorted(found):
        yield path, "does not have the content that was written (its SHA-256 is another)"
    for folder in folders:
        for name, read in READERS.items():
            path = folder / name
            if path.exists() and path not in found:
                try:
                    read(path)
                except DataError as error:
                    yield path, str(error).removeprefix(f"{path} ").removesuffix(f"; {AGAIN}")


def _refuse_older(folders: Iterable[Path]) -> None:
    older = []
    for folder in folders:
        try:
            read_record(folder / "run.json")
        except OlderFormatError:
            older.append(folder)
        except DataError:
            pass  # missing or damaged, and dealt with elsewhere
    if older:
        raise DataError(
            f"{len(older)} runs of an older version of this project are here, like {older[0]}, and "
            "would be overwritten; move the folder away, or choose another by 'results' in the "
            "config"
        )


def _repair(spec: DatasetSpec) -> list[str]:
    """Make damaged arrays of a data set anew, as old as they were if they are what they were.

    The pipeline would take them for new data, and train everything again.
    """
    manifest = DATA / spec.name / "data.sha256"
    found = damaged(manifest)
    if not found:
        return []
    from gmvae.bench.prepare import prepare

    before, written = read_manifest(manifest), manifest.stat().st_mtime_ns
    lines = [_set_aside(path, "does not have the content that was written") for path in found]
    prepare(spec.name, spec.npz, manifest.parent)
    if read_manifest(manifest) == before:
        for path in (*before, manifest):
            os.utime(path, ns=(written, written))
    return lines


def _set_aside(path: Path, reason: str) -> str:
    aside = path.with_name(path.name + ASIDE)
    path.replace(aside)
    return f"{path} {reason}; it is now {aside.name} and will be made anew"


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
