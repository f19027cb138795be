"""Labels next to points, placed one after the other where there is room."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from gmvae.bench.report.drawing.layout import POINTS, text_width

SIZE = 8  # points
HEIGHT = 1.3 * SIZE
POINT = 5.0  # points: half the side of the square that a point keeps free
DARKER = 0.75  # text in a light colour is hard to read
NEAR = 8.0
"""Distance in points from which on a line joins a label to its point."""
Box = tuple[float, float, float, float]
"""Left, lower, right and upper edge in points."""
ANGLES = (0, 180, 90, 270, 30, 330, 150, 210, 60, 300, 120, 240)


def place(
    axes: Axes, points: Sequence[tuple[float, float]], texts: Sequence[str], hues: Sequence[Any]
) -> None:
    """Write a label next to each point, so that no label covers another one or a point.

    The limits and the size of the panel must be final. Where no place is free, a label takes the
    one where it covers least.

    Parameters
    ----------
    axes : Axes
    points : sequence of (float, float)
        In the units of the axes.
    texts, hues : sequence
        Label and colour of each point.
    """
    to_points = POINTS / axes.figure.dpi
    at = axes.transData.transform(np.asarray(points, float)) * to_points
    frame = Bbox(axes.bbox.get_points() * to_points)
    taken = [(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in at]
    for (x, y), text, hue in sorted(zip(map(tuple, at), texts, hues, strict=True)):
        width = text_width([text], SIZE) * POINTS + 2
        found, least = None, math.inf
        for box, distance in _candidates(x, y, width):
            if not _within(box, frame):
                continue
            covered = _covered(box, np.array(taken))
            if covered < least:
                found, least = (box, distance), covered
            if not covered:
                break
        if found is not None:
            taken.append(found[0])
            _write(axes, (x, y), found, text, hue)


def _candidates(x: float, y: float, width: float) -> Iterator[tuple[Box, float]]:
    """Boxes around a point, the nearest first, with their distance from it."""
    for distance in range(7, 200, 5):
        for angle in map(math.radians, ANGLES):
            across, up = math.cos(angle), math.sin(angle)
            left = x + distance * across - width * (1 - across) / 2
            low = y + distance * up - HEIGHT * (1 - up) / 2
            yield (left, low, left + width, low + HEIGHT), distance


def _within(box: Box, frame: Bbox) -> bool:
    inside = frame.x0 <= box[0] and box[2] <= frame.x1
    return bool(inside and frame.y0 <= box[1] and box[3] <= frame.y1)


def _covered(box: Box, taken: NDArray[np.float64]) -> float:
    """Area that a box shares with those that are taken, shape (N, 4)."""
    shared = np.minimum(box[2:], taken[:, 2:]) - np.maximum(box[:2], taken[:, :2])
    return float(shared.clip(min=0).prod(axis=1).sum())


def _write(
    axes: Axes, point: tuple[float, float], found: tuple[Box, float], text: str, hue: Any
) -> None:
    box, distance = found
    x, y = point
    axes.annotate(
        text,
        point,
        xycoords="figure points",
        xytext=(box[0] + 1, box[1] + HEIGHT / 2),
        textcoords="figure points",
        va="center",
        fontsize=SIZE,
        color=DARKER * np.array(to_rgb(hue)),
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
    )
    if distance >= NEAR:
        end = (min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3]))
        axes.annotate(
            "",
            end,
            xytext=point,
            xycoords="figure points",
            textcoords="figure points",
            arrowprops={"arrowstyle": "-", "color": "0.2", "linestyle": ":", "linewidth": 0.9},
        )
