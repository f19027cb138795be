"""Lists of checksums that the jobs of the pipeline leave beside their logs.

They are in the format of ``sha256sum``: ``sha256sum -c train.sha256`` reads one, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from gmvae.bench.disk import files

LINE_PARTS = 2


def write_manifest(path: Path, products: Iterable[Path]) -> None:
    """Write the checksums of the products of a job, when all of them are complete.

    Parameters
    ----------
    path : Path
        Of the list.
    products : iterable of Path
        Below the folder of the list, or beside it.
    """
    lines = [
        f"{files.sha256(product)}  {os.path.relpath(product, path.parent)}\n"
        for product in products
    ]
    files.write_text(path, "".join(lines))


def read_manifest(path: Path) -> dict[Path, str]:
    """SHA-256 by product; empty where there is no list or none that can be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    parts = [line.split("  ", 1) for line in lines]
    return {
        Path(os.path.normpath(path.parent / part[1])): part[0]
        for part in parts
        if len(part) == LINE_PARTS
    }


def incomplete(path: Path, names: Iterable[str]) -> list[Path]:
    """Files beside a list that it should name and does not, or that are not there.

    Parameters
    ----------
    path : Path
        Of the list.
    names : iterable of str
        Of all products of its job.
    """
    listed = read_manifest(path)
    products = [path.parent / name for name in names]
    return [product for product in products if product not in listed or not product.is_file()]


def damaged(path: Path, *, thorough: bool = False) -> list[Path]:
    """Products of a list that are there and are not what they were.

    Parameters
    ----------
    path : Path
        Of the list.
    thorough : bool
        Read all of them; else those alone that were written to after the list.
    """
    found = []
    for product, checksum in read_manifest(path).items():
        if not product.is_file():
            continue
        touched = product.stat().st_mtime_ns > path.stat().st_mtime_ns
        if (touched or thorough) and files.sha256(product) != checksum:
            found.append(product)
    return found
