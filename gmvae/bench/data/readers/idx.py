"""Data sets of four IDX files: in a local folder, else from the first mirror that answers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gmvae.bench.data.readers.idx_file import read_idx
from gmvae.bench.disk.errors import DataError
from gmvae.bench.runs.environment import DATA_DIR_VARIABLE

TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class IdxFile:
    """One file of a data set.

    Attributes
    ----------
    name : str
        Without ``.gz``.
    content_sha256 : str or None
        Of the decompressed content, so that it holds however the file was packed.
    download_hash : str
        Of the published ``.gz``, as pooch takes it.
    shape : tuple of int or None
        What the header has to declare, since the checksum is known only after all is read.
    """

    name: str
    content_sha256: str | None
    download_hash: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class IdxSource:
    """Where the files of a data set can be.

    Attributes
    ----------
    name : str
    folders : tuple of str
        Where to look below the local data folder.
    system_folders : tuple of str
        Where to look besides.
    mirrors : tuple of str
        Addresses that a file name is appended to.
    train_images, train_labels, test_images, test_labels : IdxFile
    """

    name: str
    folders: tuple[str, ...]
    system_folders: tuple[str, ...]
    mirrors: tuple[str, ...]
    train_images: IdxFile
    train_labels: IdxFile
    test_images: IdxFile
    test_labels: IdxFile

    def candidates(self) -> list[Path]:
        """Local folders to look in, most specific first."""
        local = os.environ.get(DATA_DIR_VARIABLE)
        below = [Path(local).expanduser() / folder for folder in self.folders] if local else []
        return [*below, *map(Path, self.system_folders)]


def load_idx_dataset(source: IdxSource) -> tuple[tuple, tuple]:
    """Read all four files of a data set.

    Returns
    -------
    ((images, labels), (images, labels))
        Of the training and of the test split: uint8 of shape (N, height, width), and (N,).

    Raises
    ------
    DataError
        If a file is missing and cannot be downloaded, is damaged or does not fit the others.
    """
    local = os.environ.get(DATA_DIR_VARIABLE)
    if local and not Path(local).expanduser().is_dir():
        raise DataError(
            f"{DATA_DIR_VARIABLE} (or data_dir in the config) is {local}, which is no folder; "
            "correct it, or unset it to have the data downloaded"
        )
    folder = next((path for path in source.candidates() if _is_complete(path, source)), None)
    splits = []
    for images_file, labels_file in (
        (source.train_images, source.train_labels),
        (source.test_images, source.test_labels),
    ):
        images, labels = (
            read_idx(_locate(file, folder, source), file.content_sha256, file.shape)
            for file in (images_file, labels_file)
        )
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise DataError(
                f"{images_file.name} and {labels_file.name} of {source.name} do not belong "
                f"together: shapes {images.shape} and {labels.shape}; replace both files"
            )
        splits.append((images, labels))
    return splits[0], splits[1]


def _all_files(source: IdxSource) -> tuple[IdxFile, ...]:
    return source.train_images, source.train_labels, source.test_images, source.test_labels


def _find(folder: Path, file: IdxFile) -> Path | None:
    # Some copies spell the dot of the original names ("train-images.idx3-ubyte").
    names = (file.name, file.name.replace("-idx", ".idx"))
    paths = [folder / f"{name}{ending}" for name in names for ending in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def _is_complete(folder: Path, source: IdxSource) -> bool:
    return all(_find(folder, file) is not None for file in _all_files(source))


def _locate(file: IdxFile, folder: Path | None, source: IdxSource) -> Path:
    found = _find(folder, file) if folder else None
    return found or _download(file, source)


def _download(file: IdxFile, source: IdxSource) -> Path:
    import pooch  # costs a third of a second, and most runs find their data on disk
    import requests

    failures = []
    for mirror in source.mirrors:
        try:
            return Path(
                pooch.retrieve(
                    url=f"{mirror}{file.name}.gz",
                    known_hash=file.download_hash,
                    fname=f"{file.name}.gz",
                    path=pooch.os_cache("gmvae") / source.name,
                    downloader=pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT_SECONDS),
                )
            )
        except (requests.RequestException, ValueError, OSError) as error:
            failures.append(f"  {mirror}: {_first_line(error)}")
    looked = [_what_lacks(path, source) for path in source.candidates()] or [
        f"nowhere, {DATA_DIR_VARIABLE} is unset"
    ]
    raise DataError(
        "\n".join(
            [
                f"data set {source.name!r} is not on this machine and cannot be downloaded",
                f"looked in: {', '.join(looked)}",
                f"downloads of {file.name}.gz that failed:",
                *failures,
                f"remedy: put the four .gz files into FOLDER/{source.folders[0]} and set "
                f"{DATA_DIR_VARIABLE}=FOLDER (or data_dir in the config),",
                "or use the data set 'mnist5k', which needs no network",
            ]
        )
    )


def _what_lacks(folder: Path, source: IdxSource) -> str:
    if not folder.is_dir():
        return f"{folder} (no such folder)"
    missing = [file.name for file in _all_files(source) if _find(folder, file) is None]
    return f"{folder} (without {', '.join(missing)})"


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) <= 160 else f"{text[:157]}..."
