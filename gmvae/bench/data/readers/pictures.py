"""A user's own images: a folder with a folder of PNG or JPEG files for each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gmvae.bench.data import (
    MIN_SAMPLES,
    Dataset,
    Header,
    Split,
    split_off_test,
    test_samples_of,
)
from gmvae.bench.disk.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg")
DEEP_GREY = ("I", "I;16", "I;16B", "I;16L")
"""Modes of grey images with more than 8 bits."""


def read_folder(path: Path, resize: Sequence[int] | None, test: Path | None) -> Dataset:
    """Read the images below a folder.

    Parameters
    ----------
    path : Path
        Holds one folder per class, or images alone, which then have no labels.
    resize : sequence of int, or None
        Height and width that every image is brought to; without it, all must have the same size.
    test : Path or None
        Folder of the test split; without it, a fifth of the images is split off.

    Returns
    -------
    Dataset
        uint8, shape (N, height, width) if all images are grey, else (N, height, width, 3).

    Raises
    ------
    DataError
        If there are too few images, a file is damaged, or sizes or classes differ.
    """
    parts, names = _parts(path, test)
    files = [file for part in parts for _, file in part]
    images = _read_all(files, resize)
    codes = np.array([names.index(name) if name else 0 for part in parts for name, _ in part])
    labels = codes.astype(np.int64) if names else None
    if len(parts) == 1:
        return split_off_test(images, labels, class_names=names)
    train, test_part = (
        Split(images[rows], None if labels is None else labels[rows])
        for rows in (slice(len(parts[0])), slice(len(parts[0]), None))
    )
    return Dataset(train, test_part, names)


def header_of_folder(path: Path, resize: Sequence[int] | None, test: Path | None) -> Header:
    """Number and size of the images below a folder; no file is decoded.

    Parameters
    ----------
    path : Path
    resize : sequence of int, or None
    test : Path or None

    Raises
    ------
    DataError
        As `read_folder`, but damage behind the head of a file is not noticed.
    """
    parts, _ = _parts(path, test)
    files = [file for part in parts for _, file in part]
    sizes = [_size_of_file(file) for file in files]
    if resize is None:
        _require_same_size(files, sizes)
    n_samples = len(parts[0])
    n_train = n_samples - (test_samples_of(n_samples) if test is None else 0)
    return Header(n_train, tuple(resize or sizes[0]), are_images=True)


def _parts(path: Path, test: Path | None) -> tuple[list[list[tuple[str, Path]]], list[str]]:
    """Class and file of each image of both splits, and the names of the classes."""
    parts = [_listed(one) for one in (path, test) if one is not None]
    names = sorted({name for part in parts for name, _ in part if name})
    if len(parts) > 1 and {bool(part[0][0]) for part in parts} == {True, False}:
        raise DataError(f"{path} and {test}: only one of the two has folders of classes")
    if len(names) == 1:
        raise DataError(
            f"{path} has the folder of one class, {names[0]!r}, but scores compare clusters with "
            "classes; put the images into the folder itself if they have no classes"
        )
    return parts, names


def _listed(folder: Path) -> list[tuple[str, Path]]:
    """Class, which is empty without folders, and file of each image."""
    found = [
        (path.parent.name if path.parent != folder else "", path)
        for path in sorted([*folder.glob("*"), *folder.glob("*/*")])
        if path.suffix.lower() in ENDINGS
    ]
    if len(found) < MIN_SAMPLES:
        raise DataError(
            f"{folder} should hold at least {MIN_SAMPLES} images ({', '.join(ENDINGS)}), in one "
            f"folder per class or without folders, but has {len(found)}"
        )
    if len({bool(name) for name, _ in found}) > 1:
        raise DataError(f"{folder} has images both in folders of classes and beside them")
    return found


def _read_all(files: Sequence[Path], resize: Sequence[int] | None) -> NDArray[np.uint8]:
    opened = [_read(file, resize) for file in files]
    is_grey = all(image.mode == "L" for image in opened)
    arrays = [np.asarray(image if is_grey else image.convert("RGB")) for image in opened]
    _require_same_size(files, [array.shape[:2] for array in arrays])
    return np.stack(arrays)


def _require_same_size(files: Sequence[Path], sizes: Sequence[tuple[int, ...]]) -> None:
    """Refuse images of several sizes, each given as height and width."""
    counted = Counter(sizes)
    if len(counted) > 1:
        usual = counted.most_common(1)[0][0]
        odd = next(i for i, size in enumerate(sizes) if size != usual)
        raise DataError(
            f"all images should have the same size, but {files[odd]} has {_shown(sizes[odd])} "
            f"pixels and most have {_shown(usual)}; give 'resize: [height, width]'"
        )


def _size_of_file(file: Path) -> tuple[int, int]:
    """Height and width, from the head of a file."""
    with _errors_explained(file), Image.open(file) as image:
        return image.height, image.width


def _read(file: Path, resize: Sequence[int] | None) -> Image.Image:
    with _errors_explained(file), Image.open(file) as image:
        whole = _plain(image)
    return whole if resize is None else whole.resize((resize[1], resize[0]), Image.Resampling.BOX)


@contextmanager
def _errors_explained(file: Path) -> Iterator[None]:
    try:
        yield
    # Pillow raises errors of Python's own for some damaged files.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} cannot be read as an image ({error}); replace it") from error


def _plain(image: Image.Image) -> Image.Image:
    """The image in 8 bits, grey ("L") if its colours are, and on white where it is transparent."""
    if image.mode in DEEP_GREY:
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((values // (257 if values.max() > 255 else 1)).astype(np.uint8))
    seen = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    colours = Image.alpha_composite(white, seen).convert("RGB")
    red, green, blue = (np.asarray(band) for band in colours.split())
    is_grey = np.array_equal(red, green) and np.array_equal(green, blue)
    return Image.fromarray(red) if is_grey else colours


def _shown(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}x{shape[1]}"
