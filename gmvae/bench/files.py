"""Writing and reading files: complete under their name, or not there at all."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.atomic import replacing
from gmvae.bench.errors import DataError

CHUNK = 1 << 20


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
    except ValueError as error:
        raise DataError(
            f"{path} is not valid JSON ({error}); delete the file and run the same command again"
        ) from error


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
    except (ValueError, EOFError) as error:
        raise DataError(
            f"{path} is not a readable array ({error}); delete the file and run the same command "
            "again"
        ) from error


def write_arrays(path: str | Path, **arrays: NDArray[Any]) -> None:
    """Write several named arrays as a compressed .npz."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
