"""Files that are complete under their name or not there at all: JSON, CSV, arrays, checksums."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import json
import os
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk.errors import DataError, StorageError

MEGABYTE = 1 << 20
NO_ARRAYS = "is not readable as arrays"
REMEDIES = {
    errno.ENOSPC: "free some space and run the same command again, which goes on from there",
    errno.EDQUOT: "free some of your quota and run the same command again, to go on",
    errno.EEXIST: "a file is in the way; choose another folder by 'results' in the config",
    errno.ENOTDIR: "a file is in the way; choose another folder by 'results' in the config",
    errno.EROFS: "choose a folder on a disk that can be written, by 'results' in the config",
    errno.EACCES: "make the folder writable, or choose another by 'results' in the config",
    errno.EPERM: "make the folder writable, or choose another by 'results' in the config",
}


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path, which becomes `path` when the block ends well and is removed if not.

    Parameters
    ----------
    path : str or Path
        Its folder is made where it is missing. A file of this name stays whole until the new
        content is safe on the disk.

    Raises
    ------
    StorageError
        If the file system refuses to write.
    """
    path = Path(path)
    # The ending stays, since savefig and NumPy choose the format by it.
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _to_disk(temporary)
        # As the user wants it: safetensors lets nobody but the owner read its files.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
        _to_disk(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def storage_error(path: str | Path, error: OSError) -> StorageError:
    """The error for a file that cannot be written: the cause and the remedy."""
    number = error.errno
    if number is None and shutil.disk_usage(Path(path).parent).free < MEGABYTE:
        number = errno.ENOSPC  # NumPy says only how many values were written
    reason = os.strerror(number) if number in REMEDIES else str(error)
    remedy = REMEDIES.get(number or 0, "see to the cause and run the same command again")
    return StorageError(f"{path} cannot be written: {reason}; {remedy}")


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON; a damaged file ends in a DataError that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, "cannot be read as JSON", error) from error


def write_array(path: str | Path, array: NDArray[Any]) -> None:
    """Write one array as .npy."""
    with replacing(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def write_csv(path: str | Path, columns: Mapping[str, Iterable[Any]]) -> None:
    """Write columns of equal length as CSV."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def read_array(path: str | Path) -> NDArray[Any]:
    """Read one .npy array, never unpickling."""
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _unreadable(path, NO_ARRAYS, error) from error


def read_arrays(path: str | Path, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read the named arrays of an .npz, or some of them, never unpickling."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names or arrays.files}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(path, NO_ARRAYS, error) from error


def _unreadable(path: str | Path, problem: str, error: Exception) -> DataError:
    return DataError(f"{path} {problem} ({error}); delete the file and run the same command again")


def write_arrays(path: str | Path, **arrays: NDArray[Any]) -> None:
    """Write several named arrays as a compressed .npz."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
