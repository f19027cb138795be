"""Mosaics: many small images in one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gmvae.model.architectures import image_side

BLACK_ON_WHITE = "gray_r"


def as_images(samples: NDArray[np.generic]) -> NDArray[np.float32] | None:
    """Samples as values from 0 to 1: grey (N, height, width), or red, green and blue (..., 3).

    Parameters
    ----------
    samples : ndarray, shape (N, height, width[, channels]) or (N, n_features)
        Bytes or real values. Flat samples are images if their number of values is a square number,
        16 or more, and the values are bytes or lie between 0 and 1.

    Returns
    -------
    ndarray or None
        None if they are not images, or have neither one nor three channels.
    """
    shape = samples.shape[1:]
    if len(shape) == 3 and shape[-1] == 1:
        shape = shape[:2]
    in_range = samples.dtype == np.uint8 or (samples.min() >= 0 and samples.max() <= 1)
    if len(shape) == 1 and shape[0] >= 16 and in_range:
        try:
            shape = (image_side(shape[0]),) * 2
        except ValueError:
            return None
    if len(shape) != 2 and shape[2:] != (3,):
        return None
    values = samples.reshape(len(samples), *shape).astype(np.float32)
    return values / np.float32(255) if samples.dtype == np.uint8 else values


def mosaic(rows: Sequence[NDArray[np.float32]], gap_after: Sequence[int] = ()) -> NDArray:
    """Join rows of images into one picture, with NaN between them.

    Parameters
    ----------
    rows : sequence of ndarray, each of shape (n, height, width) or (n, height, width, 3)
        All rows have the same n.
    gap_after : sequence of int
        Columns followed by a gap four times as wide.

    Returns
    -------
    ndarray
        Grey values or colours, NaN in the gaps.
    """
    gap = max(1, rows[0].shape[1] // 14)
    spaces = [gap * (4 if column in gap_after else 1) for column in range(1, len(rows[0]) + 1)]
    unpadded = ((0, 0),) * (rows[0].ndim - 3)
    spaced = [
        np.concatenate(
            [
                np.pad(image, ((0, gap), (0, space), *unpadded), constant_values=np.nan)
                for image, space in zip(row, spaces, strict=True)
            ],
            axis=1,
        )
        for row in rows
    ]
    return np.concatenate(spaced)[:-gap, :-gap]


def show(axes: Axes, canvas: NDArray, labels: Sequence[str] = ()) -> None:
    """Draw a mosaic, with a label at the left edge of each row.

    Parameters
    ----------
    axes : Axes
    canvas : ndarray
        From `mosaic`.
    labels : sequence of str
    """
    if canvas.ndim == 3:  # colours, and the gaps transparent
        is_seen = ~np.isnan(canvas).any(axis=2, keepdims=True)
        canvas = np.concatenate([np.nan_to_num(canvas).clip(0, 1), is_seen], axis=2)
    axes.imshow(canvas, cmap=BLACK_ON_WHITE, vmin=0, vmax=1, interpolation="none")
    axes.grid(visible=False)
    axes.set_xticks([])
    row_height = (len(canvas) + 1) / max(len(labels), 1)
    axes.set_yticks([(row + 0.5) * row_height - 1 for row in range(len(labels))], labels)
    axes.tick_params(length=0, pad=2)
    for spine in axes.spines.values():
        spine.set_visible(False)
