"""IDX files of unsigned bytes, the format of MNIST."""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk.errors import DataError

UNSIGNED_BYTE = 0x08
MAX_AXES = 8
# One and a half times EMNIST, the largest data set in this format.
MAX_VALUES = 1 << 30
# A byte packed by deflate never stands for more than 1,032 bytes.
MAX_INFLATION = 1032
CHUNK = 1 << 18
REMEDY = "replace the file, or remove it to have it downloaded"


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
    with _opened(path) as file:
        found, header = _read_header(path, file)
        if shape is not None and found != shape:
            raise DataError(
                f"{path} holds other data: its shape should be {shape}, but its header "
                f"declares {found}; {REMEDY}"
            )
        return _read_body(path, file, found, header, sha256)


def shape_of(path: Path) -> tuple[int, ...]:
    """Shape that the header of an IDX file declares; raises as `read_idx` does."""
    with _opened(path) as file:
        return _read_header(path, file)[0]


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file, unpacked; what goes wrong while it is read is explained."""
    try:
        with cast(BinaryIO, gzip.open(path) if path.suffix == ".gz" else open(path, "rb")) as file:
            yield file
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
