"""Arrays of an .npz file, each checked before it is read and never unpickled.

``numpy.load`` trusts the file: it allocates what a header declares, inflates whatever a member
holds, and returns the first of two members with the same name.
"""

from __future__ import annotations

import math
import os
import textwrap
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gmvae.bench.data.readers.formats.idx import MAX_INFLATION, fill
from gmvae.bench.disk.errors import DataError

MAX_AXES = 32
MAX_AXIS = 1 << 40
# NumPy's own limit for a header with its length field; NumPy compares only after reading.
MAX_HEADER = 10_000
MAX_REASON = 200
ENCRYPTED = 0x1
REMEDY = "write it with numpy.savez(path, images=..., labels=...) from plain arrays"
HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True)
class Member:
    """One array of an archive, known by its header alone.

    Attributes
    ----------
    name : str
    info : zipfile.ZipInfo
    shape : tuple of int
    fortran_order : bool
    dtype : numpy.dtype
    offset : int
        Number of bytes before the values.
    """

    name: str
    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    offset: int

    @property
    def n_bytes(self) -> int:
        """Declared size of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


class Archive:
    """An .npz file open for reading.

    Parameters
    ----------
    path : Path
    file : zipfile.ZipFile

    Attributes
    ----------
    members : dict of str to zipfile.ZipInfo
        Entries of the archive by the name of their array.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile):
        self.path = path
        self.members: dict[str, zipfile.ZipInfo] = {}
        self._file = file
        for info in file.infolist():
            name = info.filename.removesuffix(".npy")
            if name in self.members:
                raise DataError(f"{path} holds {name[:MAX_REASON]!r} twice; {REMEDY}")
            self.members[name] = info

    def header(self, name: str) -> Member:
        """Read and check the header of a member.

        Raises
        ------
        DataError
            If the member cannot be read, or its header declares something impossible.
        """
        info = self.members[name]
        if info.flag_bits & ENCRYPTED:
            raise DataError(f"{self.path}: {name!r} is encrypted; {REMEDY}")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{self.path}: {name!r} is compressed by method {info.compress_type}, but only "
                f"what numpy.savez and savez_compressed write is read; {REMEDY}"
            )
        with _errors_explained(self.path, name), self._file.open(info) as file:
            version = npy.read_magic(_HeaderOnly(file))
            if version not in HEADER_READERS:
                raise ValueError(f"its format is {version}, known are {sorted(HEADER_READERS)}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about Python 2 and odd literals
                shape, fortran_order, dtype = HEADER_READERS[version](_HeaderOnly(file))
            member = Member(name, info, shape, fortran_order, dtype, file.tell())
        self._check_shape(member)
        return member

    def check_size(self, member: Member) -> None:
        """Check that an array has the size it declares.

        Raises
        ------
        DataError
            If the archive holds, or has room for, another number of bytes.
        """
        # Both sizes come from the archive's directory and may be as wrong as the header.
        packed = member.info.compress_type == zipfile.ZIP_DEFLATED
        room = min(member.info.compress_size, self.path.stat().st_size)
        room *= MAX_INFLATION if packed else 1
        held = min(member.info.file_size, room) - member.offset
        if member.n_bytes != held:
            raise DataError(
                f"{self.path}: {member.name!r} is damaged: its header declares "
                f"{member.n_bytes:,} bytes (shape {member.shape}, {member.dtype}), but there "
                f"are {max(held, 0):,}; {REMEDY}"
            )

    def read(self, member: Member) -> NDArray[Any]:
        """Read the values of a member whose size has been checked, into one array of that size."""
        values = np.empty(member.n_bytes, dtype=np.uint8)
        with _errors_explained(self.path, member.name), self._file.open(member.info) as file:
            file.read(member.offset)
            count = fill(cast(BinaryIO, file), values)
            if count < len(values) or file.read(1):
                raise EOFError(f"{count:,} of {len(values):,} bytes are there")
        order = member.shape[::-1] if member.fortran_order else member.shape
        array = values.view(member.dtype).reshape(order)
        return array.T if member.fortran_order else array

    def _check_shape(self, member: Member) -> None:
        if member.dtype.hasobject:
            raise DataError(
                f"{self.path}: {member.name!r} holds Python objects and cannot be read without "
                f"unpickling; {REMEDY}"
            )
        # The message omits the sizes: Python refuses to print numbers of thousands of digits.
        if len(member.shape) > MAX_AXES or not all(0 <= n <= MAX_AXIS for n in member.shape):
            raise DataError(
                f"{self.path}: {member.name!r} is damaged: its header declares an impossible "
                f"shape (more than {MAX_AXES} axes, or one below 0 or above {MAX_AXIS:,}); {REMEDY}"
            )


class _HeaderOnly:
    """File that refuses to read more than a header; NumPy would trust any declared length."""

    def __init__(self, file: Any):
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise ValueError(f"its header declares a length of {size:,} bytes")
        found: bytes = self._file.read(size)
        return found


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an .npz file.

    Raises
    ------
    DataError
        If the file does not exist or cannot be read.
    """
    if not os.path.isfile(path):
        raise DataError(f"{path} does not exist; give the path of an .npz file under 'npz'")
    with _errors_explained(path):
        file = zipfile.ZipFile(path)
    with file:
        yield Archive(path, file)


@contextmanager
def _errors_explained(path: Path, name: str | None = None) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # for damaged input, zipfile and NumPy raise almost any
        where = path if name is None else f"{path}: {name!r}"
        # Some errors quote the damaged file at length.
        reason = textwrap.shorten(str(error) or type(error).__name__, MAX_REASON)
        raise DataError(f"{where} cannot be read as .npz ({reason}); {REMEDY}") from error
