"""Results that others send in: small crates, whose scores are computed again here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from gmvae.bench.disk import files
from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import DATA, SUBMITTED
from gmvae.bench.grid.config import read_resolved
from gmvae.bench.report.table_files import csv_text, read_table
from gmvae.bench.upkeep.archives.contents import RECORDS, read_archive
from gmvae.bench.upkeep.archives.crate import opened
from gmvae.bench.upkeep.verify import prepare_missing, verify_archive

MOST_BYTES = files.MEGABYTE
SAMPLES = "test-images"


def check_submissions(
    folders: Sequence[Path], data: Path = DATA, results: Path | None = None
) -> str:
    """Accept or refuse submissions, and show their rows in the report of a results folder.

    Parameters
    ----------
    folders : sequence of Path
        Each as in `check_submission`.
    data : Path
        Folder of the data sets.
    results : Path or None
        Folder that gets the rows; its page shows them the next time it is made.

    Returns
    -------
    str
        One line for each.

    Raises
    ------
    DataError
        As `check_submission`; or if `results` is no results folder.
    """
    if results is not None:
        read_resolved(results)  # refuses what is no results folder
    lines = [check_submission(folder, data) for folder in folders]
    if results is not None:
        rows = pd.concat([_rows(folder) for folder in folders], ignore_index=True)
        files.write_text(results / SUBMITTED, csv_text(rows))
        lines.append(f"{results / SUBMITTED}: {len(rows)} rows")
    return "\n".join(lines)


def _rows(folder: Path) -> pd.DataFrame:
    """Table 1 of a submission, without the published results."""
    with opened(_crate_in(folder)) as content:
        table = read_table(content / "table1.csv")
    table = table[table["n_runs"] > 0]
    table.insert(0, "submission", folder.name)
    return table


def check_submission(folder: Path, data: Path = DATA) -> str:
    """Accept or refuse a submission.

    Parameters
    ----------
    folder : Path
        Folder with one crate, as ``results/submissions/NAME``.
    data : Path
        Folder of the data sets; those that are missing are prepared there.

    Returns
    -------
    str
        One line with the number of runs that were recomputed.

    Raises
    ------
    DataError
        If there is not one crate of at most 1 MB in the folder, if its runs are on data of the
        submitter's own or on other data than ours, or if a score or table is not what comes out.
    """
    path = _crate_in(folder)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise DataError(
            f"{path} has {size / files.MEGABYTE:.1f} MB, but a submission has at most 1 MB; "
            "leave the pictures out (gmvae-bench crate --no-pictures), or send fewer runs"
        )
    with opened(path) as content:
        if not (content / RECORDS).is_file():
            raise DataError(f"{path} has no {RECORDS}; make it with gmvae-bench crate")
        config = read_resolved(content)
        for spec in config.datasets:
            if spec.source is not None:
                raise DataError(
                    f"{path}: {spec.name} is data of your own, which we do not have; a submission "
                    "is about the data sets of the package"
                )
        prepare_missing(config, {spec.name for spec in config.datasets}, data)
        _refuse_other_data(path, content, data)
        return verify_archive(content, data, path)


def _crate_in(folder: Path) -> Path:
    crates = sorted(folder.glob("*.zip"))
    if len(crates) != 1:
        raise DataError(
            f"{folder} should hold one crate, a .zip file, but holds {len(crates)}; make it with "
            f"gmvae-bench crate RESULTS {folder / 'results.zip'} --no-pictures"
        )
    return crates[0]


def _refuse_other_data(path: Path, content: Path, data: Path) -> None:
    for run in read_archive(content):
        name = run.record.run.dataset
        ours = files.sha256(data / name / f"{SAMPLES}.npy")
        theirs = run.record.data_sha256[SAMPLES]
        if theirs != ours:
            raise DataError(
                f"{path}: {run.record.run.path} belongs to other data than our {name} (SHA-256 of "
                f"{SAMPLES}: {theirs[:12]}, ours {ours[:12]})"
            )
