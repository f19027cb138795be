"""Data sets of four IDX files, the format of MNIST: local, downloaded, or a user's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.data import Dataset, Header, Split
from gmvae.bench.data.readers import DATA_DIR_VARIABLE
from gmvae.bench.data.readers.download import download
from gmvae.bench.data.readers.formats.idx import read_idx, shape_of
from gmvae.bench.disk.errors import DataError


@dataclass(frozen=True)
class IdxFile:
    """One file of a data set.

    Attributes
    ----------
    name : str
        File name without ``.gz``.
    content_sha256 : str or None
        SHA-256 of the decompressed content, which does not depend on how the file was packed.
    download_hash : str
        Checksum of the published ``.gz``, as pooch takes it.
    shape : tuple of int or None
        Shape that the header must declare; it is compared before the content is read.
    """

    name: str
    content_sha256: str | None
    download_hash: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class IdxSource:
    """Four IDX files that make a data set, and the places to look for them.

    Attributes
    ----------
    name : str
    folders : tuple of str
        Folders to look in, below the local data folder.
    system_folders : tuple of str
        Absolute paths of further folders to look in.
    mirrors : tuple of str
        Addresses to which a file name is appended.
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

    @property
    def files(self) -> tuple[IdxFile, ...]:
        """All four files."""
        return self.train_images, self.train_labels, self.test_images, self.test_labels

    def candidates(self) -> list[Path]:
        """Local folders to look in, most specific first."""
        local = os.environ.get(DATA_DIR_VARIABLE)
        below = [Path(local).expanduser() / folder for folder in self.folders] if local else []
        return [*below, *map(Path, self.system_folders)]


def load_idx_dataset(source: IdxSource) -> Dataset:
    """Read the four files of a data set from a local folder, or download them.

    Returns
    -------
    Dataset
        uint8 images of shape (N, height, width), with labels.

    Raises
    ------
    DataError
        If a file is missing and cannot be downloaded, is damaged or does not fit the others.
    """
    local = os.environ.get(DATA_DIR_VARIABLE)
    if local and not Path(local).expanduser().is_dir():
        raise DataError(
            f"{DATA_DIR_VARIABLE} (or data_dir in the config) is {local}, which is not a folder; "
            "correct it, or unset it to have the data downloaded"
        )
    complete = (path for path in source.candidates() if not _missing(path, source))
    folder = next(complete, None)
    return Dataset(
        _read_split(source, folder, source.train_images, source.train_labels),
        _read_split(source, folder, source.test_images, source.test_labels),
    )


def read_idx_folder(folder: Path, transpose: bool = False) -> Dataset:
    """Read four files of a user, named as those of MNIST or EMNIST, packed or not.

    Parameters
    ----------
    folder : Path
    transpose : bool
        Exchange rows and columns of the images; EMNIST stores them the other way round.

    Raises
    ------
    DataError
        If there is not exactly one file of each kind, or they do not fit one another.
    """
    (images, labels), (test_images, test_labels) = (_own_part(folder, p) for p in ("train", "t10k"))
    if images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{folder}: images of both splits should have the same size, but have "
            f"{images.shape[1:]} and {test_images.shape[1:]}"
        )
    if transpose:
        images, test_images = (
            np.ascontiguousarray(one.swapaxes(1, 2)) for one in (images, test_images)
        )
    # EMNIST counts its letters from 1.
    values, codes = np.unique(np.concatenate([labels, test_labels]), return_inverse=True)
    codes, n_train = codes.astype(np.int64), len(images)
    names = [str(value) for value in values]
    return Dataset(Split(images, codes[:n_train]), Split(test_images, codes[n_train:]), names)


def header_of_folder(folder: Path, transpose: bool) -> Header:
    """Number and size of the images that `read_idx_folder` will read, from the heads of files."""
    parts = [[shape_of(path) for path in _own_files(folder, part)] for part in ("train", "t10k")]
    for part, (images, labels) in zip(("train", "t10k"), parts, strict=True):
        _require_fit(folder, part, images, labels)
    n_train, *size = parts[0][0]
    return Header(n_train, tuple(size[::-1] if transpose else size), are_images=True)


def _own_part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images, labels = map(read_idx, _own_files(folder, part))
    _require_fit(folder, part, images.shape, labels.shape)
    return images, labels


def _own_files(folder: Path, part: str) -> list[Path]:
    return [_only(folder, part, kind) for kind in ("images-idx3", "labels-idx1")]


def _require_fit(folder: Path, part: str, images: tuple[int, ...], labels: tuple[int, ...]) -> None:
    if len(images) != 3 or labels != images[:1]:
        raise DataError(
            f"{folder}: images and labels of {part!r} do not belong together: shapes {images} and "
            f"{labels}; replace both files"
        )


def _only(folder: Path, part: str, kind: str) -> Path:
    """The file of a part (``t10k`` may be called ``test``) and a kind."""
    alternatives = (part, "test") if part == "t10k" else (part,)
    stems = (
        f"*{one}-{what}-ubyte" for one in alternatives for what in (kind, kind.replace("-", "."))
    )
    names = [f"{stem}{ending}" for stem in stems for ending in ("", ".gz")]
    found = sorted({path for name in names for path in folder.glob(name)})
    # A file that is there packed and unpacked counts once.
    found = [path for path in found if path.suffix != ".gz" or path.with_suffix("") not in found]
    if len(found) != 1:
        listed = ", ".join(path.name for path in found) or "none"
        raise DataError(
            f"{folder} should hold one file like {part}-{kind}-ubyte.gz, packed or not, but has "
            f"{listed}"
        )
    return found[0]


def _read_split(
    source: IdxSource, folder: Path | None, images_file: IdxFile, labels_file: IdxFile
) -> Split:
    images, labels = (
        read_idx(_locate(file, folder, source), file.content_sha256, file.shape)
        for file in (images_file, labels_file)
    )
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DataError(
            f"{images_file.name} and {labels_file.name} of {source.name} do not belong "
            f"together: shapes {images.shape} and {labels.shape}; replace both files"
        )
    return Split(images, labels.astype(np.int64))


def _find(folder: Path, file: IdxFile) -> Path | None:
    # Some copies have a dot where the original names have a dash ("train-images.idx3-ubyte").
    names = (file.name, file.name.replace("-idx", ".idx"))
    paths = [folder / f"{name}{ending}" for name in names for ending in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def _missing(folder: Path, source: IdxSource) -> list[str]:
    return [file.name for file in source.files if _find(folder, file) is None]


def _locate(file: IdxFile, folder: Path | None, source: IdxSource) -> Path:
    found = _find(folder, file) if folder else None
    if found is not None:
        return found
    try:
        return download(f"{file.name}.gz", file.download_hash, source.mirrors, source.name)
    except DataError as error:
        looked = [
            f"{path} (without {', '.join(_missing(path, source))})"
            if path.is_dir()
            else f"{path} (no such folder)"
            for path in source.candidates()
        ]
        raise DataError(
            f"data set {source.name!r} is not on this machine and cannot be downloaded\n"
            f"looked in: {', '.join(looked) or f'nowhere, {DATA_DIR_VARIABLE} is unset'}\n"
            f"{error}\n"
            f"remedy: put the four .gz files into FOLDER/{source.folders[0]} and set "
            f"{DATA_DIR_VARIABLE}=FOLDER (or data_dir in the config),\n"
            "or use the data set 'mnist5k', which needs no network"
        ) from error
