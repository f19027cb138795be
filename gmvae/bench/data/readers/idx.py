"""IDX files, the format of MNIST, and data sets of four such files, local or downloaded."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.data import Dataset, Split
from gmvae.bench.data.readers import DATA_DIR_VARIABLE
from gmvae.bench.data.readers.download import download
from gmvae.bench.disk.errors import DataError

UNSIGNED_BYTE = 0x08
MAX_AXES = 8
# One and a half times EMNIST, the largest data set in this format.
MAX_VALUES = 1 << 30
# A byte packed by deflate never stands for more than 1,032 bytes.
MAX_INFLATION = 1032
CHUNK = 1 << 18
REMEDY = "replace the file, or remove it to have it downloaded"


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


def read_idx_folder(folder: Path) -> Dataset:
    """Read four files of a user, named as those of MNIST or EMNIST, packed or not.

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
    # EMNIST counts its letters from 1.
    values, codes = np.unique(np.concatenate([labels, test_labels]), return_inverse=True)
    codes, n_train = codes.astype(np.int64), len(images)
    names = [str(value) for value in values]
    return Dataset(Split(images, codes[:n_train]), Split(test_images, codes[n_train:]), names)


def _own_part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images, labels = (
        read_idx(_only(folder, part, kind)) for kind in ("images-idx3", "labels-idx1")
    )
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DataError(
            f"{folder}: images and labels of {part!r} do not belong together: shapes "
            f"{images.shape} and {labels.shape}; replace both files"
        )
    return images, labels


def _only(folder: Path, part: str, kind: str) -> Path:
    """The file of a part (``t10k`` may be called ``test``) and a kind."""
    alternatives = (part, "test") if part == "t10k" else (part,)
    stems = (
        f"*{one}-{what}-ubyte" for one in alternatives for what in (kind, kind.replace("-", "."))
    )
    names = [f"{stem}{ending}" for stem in stems for ending in ("", ".gz")]
    found = sorted({path for name in names for path in folder.glob(name)})
    # A packed file beside the same one unpacked is no second file.
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


def read_idx(
    path: Path, sha256: str | None = None, shape: tuple[int, ...] | None = None
) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Parameters
    ----------
    path : Path
        Gzipped if its name ends in ``.gz``.
    sha256 : str, optional
        Expected SHA-256 of the decompressed content.
    shape : tuple of int, optional
        Expected shape. If the header declares another one, the content is not read.

    Returns
    -------
    ndarray of uint8

    Raises
    ------
    DataError
        If the file is truncated or damaged, or has another type, shape or checksum. At most one
        byte more than the header declares is read, and only the array takes memory.
    """
    packed = path.suffix == ".gz"
    try:
        with cast(BinaryIO, gzip.open(path) if packed else open(path, "rb")) as file:
            found, header = _read_header(path, file)
            if shape is not None and found != shape:
                raise DataError(
                    f"{path} holds other data: its shape should be {shape}, but its header "
                    f"declares {found}; {REMEDY}"
                )
            return _read_body(path, file, found, header, sha256)
    except (OSError, EOFError, zlib.error, MemoryError) as error:
        raise DataError(f"{path} cannot be read ({error}); {REMEDY}") from error


def fill(file: BinaryIO, target: NDArray[np.uint8]) -> int:
    """Read bytes into `target`, shape (n,), until it is full or the file ends.

    Returns the number of bytes read. They are read in chunks, because readers of packed files
    make a copy of whatever they are asked for.
    """
    view = target.data
    filled = 0
    while filled < len(view):
        # All binary files have readinto, but typing.BinaryIO does not declare it.
        count = file.readinto(view[filled : filled + CHUNK])  # type: ignore[attr-defined]
        if not count:
            break
        filled += count
    return filled


def _read_header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], bytes]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\x00\x00" or magic[2] != UNSIGNED_BYTE or not magic[3]:
        raise DataError(
            f"{path} is not an IDX file of unsigned bytes: it should begin with 00 00 08 and the "
            f"number of axes, but begins with {magic.hex(' ') or 'nothing'}; {REMEDY}"
        )
    if magic[3] > MAX_AXES:
        raise DataError(
            f"{path} declares {magic[3]} axes, but at most {MAX_AXES} are read (images have 3, "
            f"labels 1); {REMEDY}"
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path} is damaged: it ends within its header; {REMEDY}")
    shape = struct.unpack(f">{magic[3]}I", sizes)
    declared = math.prod(shape)
    if not 0 < declared <= MAX_VALUES:
        judgement = "too many" if declared else "nothing to read"
        raise DataError(
            f"{path} declares {declared:,} bytes of data (shape {shape}): {judgement}; {REMEDY}"
        )
    return shape, magic + sizes


def _read_body(
    path: Path, file: BinaryIO, shape: tuple[int, ...], header: bytes, sha256: str | None
) -> NDArray[np.uint8]:
    declared = math.prod(shape)
    damaged = (
        f"{path} is damaged: its header declares {declared:,} bytes of data (shape {shape}), but "
    )
    size = path.stat().st_size
    if declared > size * (MAX_INFLATION if path.suffix == ".gz" else 1):
        raise DataError(f"{damaged}the whole file has only {size:,}; {REMEDY}")
    body = np.empty(declared, dtype=np.uint8)
    count = fill(file, body)
    if count < declared:
        raise DataError(f"{damaged}only {count:,} are there; {REMEDY}")
    # Reading on also lets gzip compare its checksum, which it does only at the end of the file.
    if file.read(1):
        raise DataError(f"{damaged}more follow; {REMEDY}")
    if sha256 is not None:
        digest = hashlib.sha256(header)
        digest.update(body.data)
        if digest.hexdigest() != sha256:
            raise DataError(
                f"{path} has the wrong content: SHA-256 (decompressed) should be {sha256}, "
                f"but is {digest.hexdigest()}; {REMEDY}"
            )
    return body.reshape(shape)
