"""A user's own data in a NumPy .npz file.

Arrays ``images`` (or ``X``), shape (N, ...), and optionally ``labels`` (or ``y``), shape (N,).
A test split is taken from ``images_test`` (``X_test``) and ``labels_test`` (``y_test``) where they
are there; else a fifth of the samples is split off.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.datasets import Dataset, Split, split_off_test
from gmvae.bench.errors import DataError

MIN_SAMPLES = 10
TEST_SHARE = 0.2


def read_npz(path: Path) -> Dataset:
    """Read and check the arrays of `path`.

    Raises
    ------
    DataError
        If the file is missing or damaged, or an array is not usable as samples or labels.
    """
    arrays = _arrays(path)
    images = _images(path, arrays, ("images", "X"))
    if images is None:
        raise DataError(
            f"{path} has no array named 'images' or 'X'; it holds: {', '.join(arrays) or 'nothing'}"
        )
    labels = _labels(path, arrays, ("labels", "y"), len(images))
    test_images = _images(path, arrays, ("images_test", "X_test"))
    if test_images is None:
        return split_off_test(images, _coded(labels), max(1, round(TEST_SHARE * len(images))))
    if test_images.shape[1:] != images.shape[1:] or test_images.dtype != images.dtype:
        raise DataError(
            f"{path}: test samples should have the shape and type of the training samples, "
            f"{images.shape[1:]} {images.dtype}, but have {test_images.shape[1:]} "
            f"{test_images.dtype}"
        )
    test_labels = _labels(path, arrays, ("labels_test", "y_test"), len(test_images))
    if labels is None or test_labels is None:
        return Dataset(Split(images, _coded(labels)), Split(test_images, _coded(test_labels)))
    both = _coded(np.concatenate([labels, test_labels]))
    n_train = len(images)
    return Dataset(Split(images, both[:n_train]), Split(test_images, both[n_train:]))


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise DataError(f"{path} does not exist; give the path of an .npz file under 'npz'")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read as .npz without unpickling ({error}); write it with "
            "numpy.savez(path, images=..., labels=...) from plain arrays"
        ) from error


def _images(
    path: Path, arrays: dict[str, NDArray[Any]], names: tuple[str, ...]
) -> NDArray[Any] | None:
    name = next((name for name in names if name in arrays), None)
    if name is None:
        return None
    images = arrays[name]
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise DataError(
            f"{path}: {name!r} should be uint8 (pixels from 0 to 255) or floating point, "
            f"but is {images.dtype}; convert it with .astype(...)"
        )
    if images.ndim < 2 or len(images) < MIN_SAMPLES or images[0].size == 0:
        raise DataError(
            f"{path}: {name!r} should have the shape (samples, ...) with at least {MIN_SAMPLES} "
            f"samples, but has {images.shape}"
        )
    if images.dtype == np.uint8 and images.max() <= 1:
        raise DataError(
            f"{path}: {name!r} is uint8, which is read as pixels from 0 to 255, but holds nothing "
            "above 1; if it is binary or already scaled, convert it with .astype('float32')"
        )
    if images.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what is too large becomes infinite and is told below
            images = images.astype(np.float32)
        if not np.isfinite(images).all():
            raise DataError(
                f"{path}: {name!r} has values that are NaN or infinite (in float32); "
                "remove or replace those samples"
            )
    return images


def _labels(
    path: Path, arrays: dict[str, NDArray[Any]], names: tuple[str, ...], n_samples: int
) -> NDArray[Any] | None:
    name = next((name for name in names if name in arrays), None)
    if name is None:
        return None
    labels = arrays[name]
    if labels.shape != (n_samples,) or labels.dtype.kind not in "iuUSb":
        raise DataError(
            f"{path}: {name!r} should hold one integer or string for each of the {n_samples} "
            f"samples, but has shape {labels.shape} and type {labels.dtype}"
        )
    return labels


@overload
def _coded(labels: None) -> None: ...
@overload
def _coded(labels: NDArray[Any]) -> NDArray[np.int64]: ...
def _coded(labels: NDArray[Any] | None) -> NDArray[np.int64] | None:
    """Labels as integers from 0, in the order of their classes."""
    if labels is None:
        return None
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
