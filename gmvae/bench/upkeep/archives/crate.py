"""A Workflow Run RO-Crate of a grid: one ZIP file that says what was run, and what came out.

It follows the profile Provenance Run Crate 0.5 (https://w3id.org/ro/wfrun/provenance/0.5). Its
files are those of an archive, so `gmvae.bench.upkeep.verify` computes all scores and tables again.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gmvae.bench.disk import files
from gmvae.bench.disk.errors import ConfigError, DataError
from gmvae.bench.grid.sources import ROOT
from gmvae.bench.upkeep.archives.archive import archive
from gmvae.bench.upkeep.archives.contents import RECORDS, ArchivedRun, read_archive
from gmvae.bench.upkeep.archives.entities import Entities

METADATA = "ro-crate-metadata.json"
WORKFLOW = "workflow/Snakefile"
TEXTS = ("LICENSE", "CITATION.cff")
MOST_BYTES = 500 * files.MEGABYTE
"""Of an opened crate, so a ZIP file cannot fill the disk."""


def crate(results: Path, path: Path, *, command: str | None = None, pictures: bool = True) -> str:
    """Write the crate of a grid.

    Parameters
    ----------
    results : Path
        Folder in which the workflow has finished, or an archive.
    path : Path
        ZIP file to write.
    command : str, optional
        The command that made the results.
    pictures : bool
        Whether the figures are in it, which make up most of its size.

    Returns
    -------
    str
        One line with the number of runs and the size.

    Raises
    ------
    ConfigError
        If `path` does not end with ``.zip``, or the workflow's files are not beside the package.
    DataError
        If a run or a file is missing.
    """
    if path.suffix != ".zip":
        raise ConfigError(f"a crate is a ZIP file, so its name should end with .zip; got {path}")
    if not (ROOT / WORKFLOW).is_file():
        raise ConfigError(
            f"a crate holds the workflow, but {ROOT / WORKFLOW} is not there; run this command in "
            "a checkout of the project"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "crate"
        if (results / RECORDS).is_file():
            shutil.copytree(results, folder)
        else:
            archive(results, folder, command=command)
        if not pictures:
            for picture in folder.glob("*.png"):
                picture.unlink()
        runs = read_archive(folder)
        for part in _texts():
            files.write_text(folder / part, (ROOT / part).read_text(encoding="utf-8"))
        _describe(folder, runs, command)
        with files.replacing(path) as temporary:
            _zip(folder, temporary)
    return f"{path}: {len(runs)} runs, {path.stat().st_size / files.MEGABYTE:.1f} MB"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Folder with the content of a crate; a path that is not a ZIP file is the folder itself.

    Raises
    ------
    DataError
        If the file is damaged, is not a crate, or does not have the content that it describes.
    """
    if path.suffix != ".zip":
        yield path
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(path) as file:
                if sum(one.file_size for one in file.infolist()) > MOST_BYTES:
                    raise DataError(f"{path} is larger than {MOST_BYTES // files.MEGABYTE} MB")
                file.extractall(folder)
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            raise DataError(f"{path} cannot be read as a ZIP file: {error}") from error
        _check_content(path, folder)
        yield folder


def _check_content(path: Path, folder: Path) -> None:
    """Compare the files with the checksums in the metadata."""
    try:
        graph = json.loads((folder / METADATA).read_text(encoding="utf-8"))["@graph"]
        described = {one["@id"]: one["sha256"] for one in graph if "sha256" in one}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a crate: {METADATA} is not readable ({error})") from error
    there = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()} - {
        METADATA
    }
    for name in sorted(there ^ described.keys()):
        place = "is not described by" if name in there else "is missing, but described by"
        raise DataError(f"{path}: {name} {place} {METADATA}")
    for name, sha256 in described.items():
        if files.sha256(folder / name) != sha256:
            raise DataError(f"{path}: {name} does not have the content that {METADATA} describes")


def _texts() -> list[str]:
    """Paths of the workflow's files and of those about the project, from its root."""
    rules = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    return [WORKFLOW, *(str(rule.relative_to(ROOT)) for rule in rules), *TEXTS]


def _describe(folder: Path, runs: Sequence[ArchivedRun], command: str | None) -> None:
    """Write the metadata."""
    from rocrate.rocrate import ROCrate

    made = ROCrate(version="1.1")
    entities = Entities(made, [one.record for one in runs])
    entities.describe(
        workflow=WORKFLOW,
        parts=[name for name in _texts() if name.endswith(".smk")],
        others=[*TEXTS, *sorted(one.name for one in folder.iterdir() if _is_content(one))],
        command=command,
        source=folder,
    )
    values: dict[str, Any] = made.metadata.generate()
    files.write_text(folder / METADATA, json.dumps(values, indent=1) + "\n")


def _is_content(path: Path) -> bool:
    return path.is_file() and path.name not in (*TEXTS, METADATA)


def _zip(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for one in sorted(folder.rglob("*")):
            if one.is_file():
                # A fixed date, so the same results give the same bytes.
                information = zipfile.ZipInfo(str(one.relative_to(folder)))
                information.compress_type = zipfile.ZIP_DEFLATED
                file.writestr(information, one.read_bytes())
