"""Data sets: one file each in this folder, found by its name.

A file ``NAME.py`` here defines ``load() -> Dataset`` and is then data set ``NAME`` in a config; but
``npz.py`` reads a file of the user's, and names that begin with an underscore are none.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk.errors import DataError

SPLIT_SEED = 0


@dataclass(frozen=True)
class Split:
    """Samples with their labels.

    Attributes
    ----------
    images : ndarray, shape (N, ...)
        uint8 pixels from 0 to 255, or float32 real values.
    labels : ndarray of int, shape (N,), or None
        Classes from 0; None where they are not known.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64] | None


@dataclass(frozen=True)
class Dataset:
    """A training and a test split."""

    train: Split
    test: Split


def available() -> list[str]:
    """Names of the data sets that come with the package."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(name for name in names if name != "npz" and not name.startswith("_"))


def load(name: str, npz: str | Path | None = None) -> Dataset:
    """Load a data set by name.

    Parameters
    ----------
    name : str
        One of `available`, or any name where `npz` is given.
    npz : path, optional
        The user's own file, see ``gmvae/bench/datasets/npz.py``.

    Raises
    ------
    DataError
        If there is no such data set, or it is missing or damaged.
    """
    if npz is not None:
        from gmvae.bench.data.readers.npz import read_npz

        return read_npz(Path(npz))
    if name not in available():
        raise DataError(f"unknown data set {name!r}; choose one of: {', '.join(available())}")
    return importlib.import_module(f"{__name__}.{name}").load()


def split_off_test(images: NDArray[Any], labels: NDArray[np.int64] | None, n_test: int) -> Dataset:
    """Split samples at random, always alike, with the same share of each class in both parts.

    The samples come back shuffled: in a file that is sorted by class their order tells the labels.
    """
    from sklearn.model_selection import train_test_split

    stratify = labels
    if labels is not None and (np.bincount(labels).min() < 2 or len(np.unique(labels)) > n_test):
        stratify = None
    train, test = train_test_split(
        np.arange(len(images)), test_size=n_test, random_state=SPLIT_SEED, stratify=stratify
    )
    if labels is None:
        return Dataset(Split(images[train], None), Split(images[test], None))
    return Dataset(Split(images[train], labels[train]), Split(images[test], labels[test]))
