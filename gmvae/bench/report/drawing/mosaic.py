"""Mosaics: many small images in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gmvae.model.architectures import image_side

BLACK_ON_WHITE = "gray_r"
LABEL_SIZE = 8
LOWEST, HIGHEST = 0.16, 0.27  # inches from row to row: room for a label, and not too much


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


@dataclass(frozen=True)
class Grid:
    """Rows of images of one size, and their size in a figure.

    Attributes
    ----------
    n_rows : int
    shape : tuple of int
        Height and width of an image in pixels.
    gap : int
        Pixels between rows.
    columns : tuple of int
        Left edge of each column in pixels, and the right edge of the last one.
    scale : float
        Inches per pixel.
    """

    n_rows: int
    shape: tuple[int, int]
    gap: int
    columns: tuple[int, ...]
    scale: float

    @classmethod
    def fitted(
        cls, n_rows: int, shape: Sequence[int], n_columns: int, width: float, wide_after: int = 0
    ) -> Grid:
        """The grid that fills a width, with rows no lower than a label and not very high.

        Parameters
        ----------
        n_rows : int
        shape : sequence of int
            Height and width of an image, and channels.
        n_columns : int
        width : float
            Inches.
        wide_after : int
            Number of columns that a gap four times as wide follows.
        """
        height, across = shape[:2]
        narrow = max(1, across // 14)
        steps = [across + (4 if number == wide_after else 1) * narrow for number in _to(n_columns)]
        edges = np.cumsum([0, *steps])
        total = int(edges[-1]) - narrow
        scale = min(width / total, HIGHEST / (height + narrow))
        gap = max(narrow, math.ceil(LOWEST / scale - height))
        return cls(n_rows, (height, across), gap, (*map(int, edges[:-1]), total), scale)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        rows = self.n_rows * (self.shape[0] + self.gap) - self.gap
        return self.columns[-1] * self.scale, rows * self.scale

    def canvas(self, rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Images in one picture, NaN between them.

        Parameters
        ----------
        rows : sequence of ndarray, each of shape (n_columns, height, width[, 3])
        """
        height, across = self.shape
        pitch = height + self.gap
        shape = (self.n_rows * pitch - self.gap, self.columns[-1], *rows[0].shape[3:])
        canvas = np.full(shape, np.nan, np.float32)
        for number, row in enumerate(rows):
            for left, image in zip(self.columns, row, strict=False):
                top = number * pitch
                canvas[top : top + height, left : left + across] = image
        return canvas

    def middle(self, row: int) -> float:
        """Pixel in the middle of a row."""
        return row * (self.shape[0] + self.gap) + (self.shape[0] - 1) / 2

    def head(self, axes: Axes, column: int, text: str, row: int = 0) -> None:
        """Write a heading over a row, from the left edge of a column on."""
        axes.annotate(
            text,
            (self.columns[column], row * (self.shape[0] + self.gap) - 0.5),
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=LABEL_SIZE,
            color="0.35",
            annotation_clip=False,
        )


def show(
    axes: Axes, grid: Grid, rows: Sequence[NDArray[np.float32]], labels: Sequence[str] = ()
) -> None:
    """Draw rows of images, with a label at the left edge of each.

    Parameters
    ----------
    axes : Axes
        As large as the grid.
    grid : Grid
    rows : sequence of ndarray
    labels : sequence of str
    """
    canvas = grid.canvas(rows)
    if canvas.ndim == 3:  # colours, and the gaps transparent
        is_seen = ~np.isnan(canvas).any(axis=2, keepdims=True)
        canvas = np.concatenate([np.nan_to_num(canvas).clip(0, 1), is_seen], axis=2)
    axes.imshow(canvas, cmap=BLACK_ON_WHITE, vmin=0, vmax=1, interpolation="none", aspect="auto")
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([grid.middle(row) for row in range(len(labels))], labels)
    axes.tick_params(length=0, pad=2, labelsize=LABEL_SIZE)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _to(n: int) -> range:
    return range(1, n + 1)
