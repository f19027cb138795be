"""Results that others send in: a small crate, whose scores are computed again here."""

from __future__ import annotations

from pathlib import Path

from gmvae.bench.data.prepare import prepare
from gmvae.bench.disk import files
from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import DATA, DATA_LIST
from gmvae.bench.grid.config import read_resolved
from gmvae.bench.grid.sources import data_key
from gmvae.bench.upkeep.archives.contents import RECORDS, read_archive
from gmvae.bench.upkeep.archives.crate import opened
from gmvae.bench.upkeep.verify import verify_archive

MOST_BYTES = files.MEGABYTE
SAMPLES = "test-images"


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
    crates = sorted(folder.glob("*.zip"))
    if len(crates) != 1:
        raise DataError(
            f"{folder} should hold one crate, a .zip file, but holds {len(crates)}; make it with "
            f"gmvae-bench crate RESULTS {folder / 'results.zip'} --no-pictures"
        )
    [path] = crates
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise DataError(
            f"{path} has {size / files.MEGABYTE:.1f} MB, but a submission has at most 1 MB; "
            "leave the pictures out (gmvae-bench crate --no-pictures), or send fewer runs"
        )
    with opened(path) as content:
        if not (content / RECORDS).is_file():
            raise DataError(f"{path} has no {RECORDS}; make it with gmvae-bench crate")
        for spec in read_resolved(content).datasets:
            if spec.source is not None:
                raise DataError(
                    f"{path}: {spec.name} is data of your own, which we do not have; a submission "
                    "is about the data sets of the package"
                )
            if not (data / spec.name / DATA_LIST).is_file():
                prepare(spec.name, None, data / spec.name, data_key(spec.name, None))
        _refuse_other_data(path, content, data)
        return verify_archive(content, data, path)


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
