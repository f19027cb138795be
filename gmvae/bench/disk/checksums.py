"""Lists of checksums, one for each job, in the format of ``sha256sum``.

``sha256sum -c train.sha256`` reads one, too. The first line, a comment to that program, is a key:
the checksum of everything that the products were made from.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gmvae.bench.disk import files

KEY = "# made from "


def write_manifest(path: Path, products: Iterable[Path], made_from: str = "") -> None:
    """Write the checksums of the products of a job, when all of them are complete.

    Parameters
    ----------
    path : Path
        Path of the list.
    products : iterable of Path
        Below the folder of the list, or beside it.
    made_from : str
        Key of what they were made from.
    """
    lines = [f"{KEY}{made_from}\n"] if made_from else []
    lines += [
        f"{files.sha256(product)}  {os.path.relpath(product, path.parent)}\n"
        for product in products
    ]
    files.write_text(path, "".join(lines))


def read_manifest(path: Path) -> dict[Path, str]:
    """SHA-256 by product; empty if there is no list or it cannot be read."""
    parts = [line.partition("  ") for line in _lines(path) if not line.startswith("#")]
    return {
        Path(os.path.normpath(path.parent / name)): checksum
        for checksum, separator, name in parts
        if separator
    }


def read_key(path: Path) -> str | None:
    """Key of what the products of a list were made from, if the list is there and has one."""
    first = next(iter(_lines(path)), "")
    return first.removeprefix(KEY) if first.startswith(KEY) else None


def key_of(**parts: Any) -> str:
    """Key of everything that a product is made from, given by name as JSON can hold it."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def incomplete(path: Path, names: Iterable[str]) -> list[Path]:
    """Files beside a list that it should name and does not, or that are not there.

    Parameters
    ----------
    path : Path
        Path of the list.
    names : iterable of str
        Names of all products of its job.
    """
    listed = read_manifest(path)
    products = [path.parent / name for name in names]
    return [product for product in products if product not in listed or not product.is_file()]


def damaged(path: Path, *, thorough: bool = False) -> list[Path]:
    """Products of a list that are there and no longer have their checksum.

    Parameters
    ----------
    path : Path
        Path of the list.
    thorough : bool
        Read all of them, not only those that were written to after the list.
    """
    return [
        product
        for product, checksum in read_manifest(path).items()
        if product.is_file()
        and (thorough or product.stat().st_mtime_ns > path.stat().st_mtime_ns)
        and files.sha256(product) != checksum
    ]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
