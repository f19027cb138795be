"""Reader for the IDX files in which MNIST and its like are published, plain or gzipped."""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.errors import DataError

UNSIGNED_BYTE = 0x08
MAX_VALUES = 1 << 31
REMEDY = "replace the file, or remove it to have it downloaded"


def read_idx(path: Path, sha256: str | None = None) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Parameters
    ----------
    path : Path
        Gzipped if its name ends in ``.gz``.
    sha256 : str, optional
        Expected SHA-256 of the content, after decompression.

    Returns
    -------
    ndarray of uint8

    Raises
    ------
    DataError
        If the file is truncated, damaged, of another type or has another checksum. No more than
        the size that the header declares is ever read.
    """
    try:
        with cast(BinaryIO, gzip.open(path) if path.suffix == ".gz" else open(path, "rb")) as file:
            shape, header = _read_header(path, file)
            expected = math.prod(shape)
            body = file.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); {REMEDY}") from error
    if len(body) != expected:
        found = "more follow" if len(body) > expected else f"only {len(body):,} are there"
        raise DataError(
            f"{path} is damaged: its header declares {expected:,} bytes of data "
            f"(shape {shape}), but {found}; {REMEDY}"
        )
    if sha256 is not None:
        actual = hashlib.sha256(header + body).hexdigest()
        if actual != sha256:
            raise DataError(
                f"{path} has the wrong content: SHA-256 (decompressed) should be {sha256}, "
                f"but is {actual}; {REMEDY}"
            )
    return np.frombuffer(body, dtype=np.uint8).reshape(shape)


def _read_header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], bytes]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\x00\x00" or magic[2] != UNSIGNED_BYTE or not magic[3]:
        raise DataError(
            f"{path} is not an IDX file of unsigned bytes: it should begin with 00 00 08 and the "
            f"number of axes, but begins with {magic.hex(' ') or 'nothing'}; {REMEDY}"
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path} is damaged: it ends within its header; {REMEDY}")
    shape = struct.unpack(f">{magic[3]}I", sizes)
    if math.prod(shape) > MAX_VALUES:
        raise DataError(f"{path} declares {math.prod(shape):,} bytes of data: too many; {REMEDY}")
    return shape, magic + sizes
