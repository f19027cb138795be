"""Data sets, one file each, found by name; plus the readers of file formats and the data step.

A file ``NAME.py`` here that defines ``load() -> Dataset`` is data set ``NAME`` in a config, unless
its name is ``prepare`` or begins with an underscore.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmvae.bench.disk.errors import DataError

if TYPE_CHECKING:  # a command sets its threads before NumPy is imported
    import numpy as np
    from numpy.typing import NDArray

SPLIT_SEED = 0
TEST_SHARE = 0.2
"""Share of the samples of a user that become the test split."""
MIN_SAMPLES = 10
"""Fewest samples of a user that are read."""


@dataclass(frozen=True)
class Split:
    """Samples with their labels.

    Attributes
    ----------
    images : ndarray, shape (N, ...)
        uint8 pixels from 0 to 255, or float32 real values.
    labels : ndarray of int, shape (N,), or None
        Classes from 0; None if they are unknown.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64] | None


@dataclass(frozen=True)
class Dataset:
    """A training split and a test split.

    Attributes
    ----------
    train, test : Split
    class_names : sequence of str
        Name of each class, in the order of the labels; empty if the numbers are their names.
    """

    train: Split
    test: Split
    class_names: Sequence[str] = ()


def available() -> list[str]:
    """Names of the data sets that come with the package."""
    files = [module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg]
    return sorted(name for name in files if name != "prepare" and not name.startswith("_"))


KINDS = {"npz": "npz", "csv": "table", "images": "pictures", "idx": "idx", "openml": "openml"}
"""Kinds of a user's own data, and the module of ``readers/`` that reads each."""


@dataclass(frozen=True)
class Header:
    """Size and shape of a data set, as far as they are known before it is read.

    Attributes
    ----------
    n_train : int
        Number of training samples.
    shape : tuple of int
        Shape of each sample.
    are_images : bool
        Whether the samples can stand for images: they have two axes or more, or are bytes.
    """

    n_train: int
    shape: tuple[int, ...]
    are_images: bool


def header(name: str, source: Mapping[str, Any] | None = None) -> Header | None:
    """Header of a data set, from the heads of its files; None if it is known only after reading.

    A data set of the package says by ``TRAIN_SHAPE`` which shape its training samples will have.

    Parameters
    ----------
    name : str
    source : mapping, optional
        As for `load`.

    Raises
    ------
    DataError
        If a file is missing, is damaged as far as its head shows it, or lacks a column.
    """
    if source is None:
        shape = getattr(importlib.import_module(f"{__name__}.{name}"), "TRAIN_SHAPE", None)
        return shape and Header(shape[0], shape[1:], are_images=len(shape) > 2)
    if "openml" in source:
        return None
    from gmvae.bench.data.readers import idx, npz, pictures, table

    test = source.get("test") and Path(source["test"])
    if "csv" in source:
        return table.header_of_csv(Path(source["csv"]), source.get("label"), test)
    if "images" in source:
        return pictures.header_of_folder(Path(source["images"]), source.get("resize"), test)
    if "idx" in source:
        return idx.header_of_folder(Path(source["idx"]), source.get("transpose", False))
    return npz.header_of_npz(Path(source["npz"]))


def load(name: str, source: Mapping[str, Any] | None = None) -> Dataset:
    """Load a data set by name.

    Parameters
    ----------
    name : str
        One of `available`, or any name if `source` is given.
    source : mapping, optional
        The user's own data: path, number or name under one of `KINDS`, and the options ``label``,
        ``resize``, ``test``, ``transpose``, ``version`` and ``scale`` (see ``config/README.md``).

    Raises
    ------
    DataError
        If the data set is unknown, missing or damaged.
    """
    if source is not None:
        return _load_own(source)
    if name not in available():
        raise DataError(f"unknown data set {name!r}; choose one of: {', '.join(available())}")
    found: Dataset = importlib.import_module(f"{__name__}.{name}").load()
    return found


def _load_own(source: Mapping[str, Any]) -> Dataset:
    from gmvae.bench.data.readers import idx, npz, openml, pictures, scaling, table

    test = source.get("test") and Path(source["test"])
    if "csv" in source:
        data = table.read_csv(Path(source["csv"]), source.get("label"), test)
    elif "images" in source:
        data = pictures.read_folder(Path(source["images"]), source.get("resize"), test)
    elif "idx" in source:
        data = idx.read_idx_folder(Path(source["idx"]), source.get("transpose", False))
    elif "openml" in source:
        data = openml.read_openml(source["openml"], source.get("version"), source.get("label"))
    else:
        data = npz.read_npz(Path(source["npz"]))
    return scaling.scaled(data, source.get("scale", "none"))


def test_samples_of(n_samples: int) -> int:
    """Number of samples that become the test split, if a user gives none."""
    return max(1, round(TEST_SHARE * n_samples))


def split_off_test(
    images: NDArray[Any],
    labels: NDArray[np.int64] | None,
    n_test: int | None = None,
    class_names: Sequence[str] = (),
) -> Dataset:
    """Split samples at random, but the same way each time.

    Both parts have the same share of each class. The samples come back shuffled, because the order
    of a file that is sorted by class gives its labels away.

    Parameters
    ----------
    images : ndarray, shape (N, ...)
    labels : ndarray of int, shape (N,), or None
    n_test : int, optional
        Number of test samples; by default `TEST_SHARE` of all.
    class_names : sequence of str, optional
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    if n_test is None:
        n_test = test_samples_of(len(images))
    stratify = labels
    if labels is not None and (np.bincount(labels).min() < 2 or len(np.unique(labels)) > n_test):
        stratify = None
    train, test = train_test_split(
        np.arange(len(images)), test_size=n_test, random_state=SPLIT_SEED, stratify=stratify
    )
    if labels is None:
        return Dataset(Split(images[train], None), Split(images[test], None))
    parts = [Split(images[rows], labels[rows]) for rows in (train, test)]
    return Dataset(parts[0], parts[1], class_names)
