"""Preparation of a results folder when the workflow starts: locks, and damaged files set aside.

A job that was killed leaves no half-written product under its name, since all are moved there when
they are complete. A product can only be damaged afterwards, by truncation or overwriting. Such
files are set aside here, and the jobs that made them are done again.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from gmvae.bench.disk import files, locks
from gmvae.bench.disk.layout import CHECKPOINTS, DATA, LOCK, LOGS
from gmvae.bench.grid.config import Config
from gmvae.bench.grid.runs import Run, summary
from gmvae.bench.upkeep.outdated import Outdated

ASIDE = ".damaged"
LEFT_OVER_SECONDS = 600


def begin(config: Config, runs: Collection[Run], outdated: Outdated) -> list[str]:
    """Take the folder for this run of the workflow alone, and set damaged files aside.

    Parameters
    ----------
    config : Config
        Its results folder is prepared.
    runs : collection of Run
    outdated : Outdated

    Returns
    -------
    list of str
        Lines for a person: what was set aside, what is made again and why, how many runs there are.

    Raises
    ------
    BusyError
        If another run of the workflow is active in this folder.
    StorageError
        If the results folder cannot be written.
    """
    results = Path(config.results)
    _require_writable(results)
    for lock in (LOCK, results / ".lock"):
        locks.hold(lock, f"a run of this workflow in {lock.parent.resolve()}")
    lines = []
    for path, reason in outdated.damaged.items():
        path.replace(path.with_name(path.name + ASIDE))
        lines.append(f"{path} {reason}; it is now {path.name}{ASIDE} and will be made again")
    lines += outdated.lines()
    folders = [results / run.path for run in runs]
    checkpoints = [folder / CHECKPOINTS for folder in folders]
    data = [DATA / spec.name for spec in config.datasets]
    _remove_left_overs([*data, results, results / LOGS, *folders, *checkpoints])
    return [*lines, summary(runs, len(runs) - len(outdated.to_do(results, runs)))]


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise files.storage_error(folder, error) from error


def _remove_left_overs(folders: Iterable[Path]) -> None:
    """Delete temporary files of jobs that were killed while they wrote."""
    for folder in folders:
        for path in folder.glob(".*-????????.*"):
            if path.is_file() and time.time() - path.stat().st_mtime > LEFT_OVER_SECONDS:
                path.unlink(missing_ok=True)
