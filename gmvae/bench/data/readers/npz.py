"""A user's own data in a NumPy .npz file.

The file holds ``images`` (or ``X``), shape (N, ...), and optionally ``labels`` (or ``y``), shape
(N,). The test split is ``images_test`` (``X_test``) with ``labels_test`` (``y_test``). Without it a
fifth of the samples is split off. Other arrays are not read.

Arrays with three or more axes are images: uint8 pixels from 0 to 255, or floating point from 0 to
1. Arrays with two axes are uint8 pixels, or vectors of any finite real values. Labels are whole
numbers or text, with at least two classes in all.

At most `MAX_BYTES` are read; half precision counts as the single precision it is converted to.
Memory stays below about twice the size that the headers declare (the images and their split), plus
some ten numbers per sample. Labels take four times their size while they are sorted, which happens
before images are read.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.data import (
    MIN_SAMPLES,
    Dataset,
    Header,
    Split,
    split_off_test,
    test_samples_of,
)
from gmvae.bench.data.readers.formats.archive import Archive, Member, open_archive
from gmvae.bench.disk.errors import DataError

MAX_BYTES = 4 << 30
PIXEL_AXES = 3


def read_npz(path: Path) -> Dataset:
    """Read and check the arrays of `path`.

    Raises
    ------
    DataError
        If the file is missing or damaged, or an array is not usable as samples or labels.
    """
    with open_archive(path) as archive:
        images, test_images, labels, test_labels = _headers(archive)
        codes, test_codes, names = _read_labels(archive, labels, test_labels)
        samples = _read_images(archive, images)
        if test_images is None:
            return split_off_test(samples, codes, class_names=names)
        test_samples = _read_images(archive, test_images)
    return Dataset(Split(samples, codes), Split(test_samples, test_codes), names)


def header_of_npz(path: Path) -> Header:
    """Number and shape of the samples of `path`; its headers are checked as `read_npz` does."""
    with open_archive(path) as archive:
        images, test_images, *_ = _headers(archive)
    n_samples, *shape = images.shape
    n_train = n_samples - (test_samples_of(n_samples) if test_images is None else 0)
    return Header(n_train, tuple(shape), are_images=len(shape) > 1 or images.dtype == np.uint8)


def _headers(archive: Archive) -> tuple[Member, Member | None, Member | None, Member | None]:
    """Check everything but the values; returns the headers of both images, then of both labels."""
    images = _find(archive, "images", "X")
    if images is None:
        raise DataError(
            f"{archive.path} has no array named 'images' or 'X'; it holds: "
            f"{textwrap.shorten(', '.join(archive.members), 200) or 'nothing'}"
        )
    _check_images(archive, images)
    labels = _find(archive, "labels", "y")
    _check_labels(archive, labels, images)
    test_images, test_labels = _find(archive, "images_test", "X_test"), None
    if test_images is not None:
        _check_images(archive, test_images)
        if (test_images.shape[1:], _type(test_images)) != (images.shape[1:], _type(images)):
            raise DataError(
                f"{archive.path}: test samples should have the shape and type of the training "
                f"samples, {images.shape[1:]} {_type(images)}, but have {test_images.shape[1:]} "
                f"{_type(test_images)}"
            )
        test_labels = _find(archive, "labels_test", "y_test")
        if (labels is None) != (test_labels is None):
            raise DataError(
                f"{archive.path} has labels for only one of its two splits; give 'labels' and "
                "'labels_test' ('y' and 'y_test'), or neither"
            )
        _check_labels(archive, test_labels, test_images)
    found = (images, test_images, labels, test_labels)
    _check_sizes(archive, [member for member in found if member is not None])
    return found


def _find(archive: Archive, *names: str) -> Member | None:
    name = next((name for name in names if name in archive.members), None)
    return None if name is None else archive.header(name)


def _type(images: Member) -> np.dtype[Any]:
    """Type that samples are converted to: uint8 stays, floating point becomes single precision."""
    return np.dtype(np.uint8 if images.dtype == np.uint8 else np.float32)


def _check_images(archive: Archive, images: Member) -> None:
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise DataError(
            f"{archive.path}: {images.name!r} should be uint8 (pixels from 0 to 255) or floating "
            f"point, but is {images.dtype}; convert it with .astype(...)"
        )
    shape = images.shape
    if len(shape) < 2 or shape[0] < MIN_SAMPLES or 0 in shape:
        raise DataError(
            f"{archive.path}: {images.name!r} should have the shape (samples, ...) with at least "
            f"{MIN_SAMPLES} samples, but has {shape}"
        )


def _check_labels(archive: Archive, labels: Member | None, images: Member) -> None:
    if labels is None:
        return
    dtype = labels.dtype
    if labels.shape != images.shape[:1] or dtype.kind not in "iuUSb" or not dtype.itemsize:
        raise DataError(
            f"{archive.path}: {labels.name!r} should hold one integer or string for each of the "
            f"{images.shape[0]} samples, but has shape {labels.shape} and type {dtype}"
        )


def _check_sizes(archive: Archive, members: list[Member]) -> None:
    needed = sum(
        member.n_bytes * max(1, 4 // member.dtype.itemsize if member.dtype.kind == "f" else 1)
        for member in members
    )
    if needed > MAX_BYTES:
        listed = ", ".join(f"{member.name!r} {member.shape} {member.dtype}" for member in members)
        raise DataError(
            f"{archive.path} declares {needed:,} bytes of data ({listed}), but at most "
            f"{MAX_BYTES:,} are read; give fewer samples, or a smaller type (uint8, float32)"
        )
    for member in members:
        archive.check_size(member)


def _read_images(archive: Archive, member: Member) -> NDArray[Any]:
    images = archive.read(member)
    place = f"{archive.path}: {member.name!r}"
    if images.dtype == np.uint8:
        if images.max() <= 1:
            raise DataError(
                f"{place} is uint8, which is read as pixels from 0 to 255, but holds nothing "
                "above 1; if it is binary or already scaled, convert it with .astype('float32')"
            )
        return images
    # Values too large for single precision become infinite, which is refused below.
    with np.errstate(over="ignore", invalid="ignore"):
        images = images.astype(np.float32, copy=False)
        low, high = images.min(), images.max()  # NaN if any value is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(
            f"{place} has values that are NaN or infinite (in float32); "
            "remove or replace those samples"
        )
    if images.ndim >= PIXEL_AXES and not 0 <= low <= high <= 1:
        raise DataError(
            f"{place} has the shape of images, {images.shape}, whose floating point values should "
            f"be from 0 to 1, but are from {low:g} to {high:g}; scale them to 0..1, convert pixels "
            "from 0 to 255 with .astype('uint8'), or give vectors of real values as an array with "
            "two axes"
        )
    return images


def _read_labels(
    archive: Archive, train: Member | None, test: Member | None
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None, list[str]]:
    """Labels as integers from 0, in the order of their classes, and the names of the classes."""
    members = [member for member in (train, test) if member is not None]
    if not members:
        return None, None, []
    kinds = {member.dtype.kind if member.dtype.kind in "US" else "number" for member in members}
    if len(kinds) > 1:
        raise DataError(
            f"{archive.path}: the labels of both splits should be of one kind, but are "
            f"{' and '.join(str(member.dtype) for member in members)}"
        )
    labels = np.concatenate([archive.read(member) for member in members])
    labels = labels.astype(labels.dtype.newbyteorder("="), copy=False)
    # NumPy accepts four bytes that are not a character, but fails when it prints them.
    if labels.dtype.kind == "U" and labels.view(np.uint32).max() > sys.maxunicode:
        raise DataError(
            f"{archive.path}: the labels hold text that is not Unicode; write them again, or "
            "give numbers"
        )
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise DataError(
            f"{archive.path}: all {len(codes):,} labels are {classes[0].item()!r}, but scores "
            "compare clusters with classes: give labels of two or more classes, or leave them out"
        )
    codes = codes.astype(np.int64, copy=False)
    n_train = 0 if train is None else train.shape[0]
    return (
        None if train is None else codes[:n_train],
        None if test is None else codes[n_train:],
        [_name(one) for one in classes.tolist()],
    )


def _name(label: str | bytes | int) -> str:
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)
