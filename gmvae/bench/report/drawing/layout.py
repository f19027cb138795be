"""Panels placed in inches, for figures whose parts must have the same size everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.textpath import TextPath

from gmvae.bench.report.drawing.style import WIDTH

HEAD = 0.22
"""Inches at the top, for a remark."""
POINTS = 72
SIZE = 8  # points
SPARE = 1.04  # letters on pixels are a little wider than their outlines


class Margins(NamedTuple):
    """Room around a panel in inches, for its title and labels."""

    left: float
    right: float
    top: float
    bottom: float

    def width(self, per_row: int) -> float:
        """Room for the panel itself if there are `per_row` in a row."""
        return WIDTH / per_row - self.left - self.right


class Place(NamedTuple):
    """A panel: from the left and from the top, with its size, in inches."""

    left: float
    top: float
    width: float
    height: float


def sheet(
    sizes: Sequence[tuple[float, float]], per_row: int, margins: Margins, foot: float = 0.0
) -> tuple[Figure, list[Axes]]:
    """A figure with panels in rows, each at the top left of its place.

    Parameters
    ----------
    sizes : sequence of (float, float)
        Width and height of each panel in inches, without margins.
    per_row : int
    margins : Margins
        Around each panel.
    foot : float
        Room below the panels in inches.

    Returns
    -------
    Figure
    list of Axes
    """
    places, top = [], HEAD
    for start in range(0, len(sizes), per_row):
        row = sizes[start : start + per_row]
        for column, (width, height) in enumerate(row):
            left = WIDTH * column / per_row + margins.left
            places.append(Place(left, top + margins.top, width, height))
        top += margins.top + max(height for _, height in row) + margins.bottom
    figure = blank(top + foot)
    return figure, [panel(figure, place) for place in places]


def blank(height: float, width: float = WIDTH) -> Figure:
    """A figure of a size in inches that places nothing by itself."""
    figure = plt.figure(figsize=(width, height), layout="constrained")
    # None would not do: saving a figure gives it the engine of the style.
    figure.set_layout_engine("none")
    return figure


def panel(figure: Figure, place: Place, **options: Any) -> Axes:
    """A panel at a place of a figure."""
    width, height = figure.get_size_inches()
    bottom = height - place.top - place.height
    box = (place.left / width, bottom / height, place.width / width, place.height / height)
    return figure.add_axes(box, **options)


def text_width(texts: Sequence[str], size: float) -> float:
    """Inches that the longest of some texts takes at a size in points."""
    font = FontProperties(size=size)
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    widths = (TextPath((0, 0), line, prop=font).get_extents().width for line in lines)
    return SPARE * max(widths, default=0.0) / POINTS


def wrapped(parts: Sequence[str], width: float, size: float) -> str:
    """Parts joined by spaces, in lines no wider than some inches where the parts allow it."""
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]} {part}" if lines else part
        if lines and text_width([joined], size) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return "\n".join(lines)


def fitted(text: str, width: float, size: float) -> list[str]:
    """Lines of a text, broken after commas so that none is wider than some inches if possible."""
    words = text.split(", ")
    return wrapped([f"{word}," for word in words[:-1]] + words[-1:], width, size).splitlines()


def legend_columns(labels: Sequence[str]) -> int:
    """Columns of a legend that fit into the width of a figure."""
    return max(1, min(len(labels), 10, int(WIDTH / (text_width(labels, SIZE) + 0.5))))


def legend_rows(labels: Sequence[str]) -> int:
    """Rows of such a legend."""
    return -(-len(labels) // legend_columns(labels))


def legend(figure: Figure, axes: Axes | Sequence[Any], title: str) -> None:
    """A legend at the foot of a figure, from a panel or from handles."""
    handles = axes.get_legend_handles_labels()[0] if isinstance(axes, Axes) else list(axes)
    labels = [str(handle.get_label()) for handle in handles]
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=legend_columns(labels),
        title=title,
        frameon=False,
        borderaxespad=0.1,
        columnspacing=1.0,
        handletextpad=0.4,
    )


def remark(figure: Figure, text: str) -> None:
    """Write a remark at the top of a figure."""
    options: dict[str, Any] = {"fontsize": 8, "color": "0.35"}
    if isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine):
        options |= {"y": 1 - 0.04 / figure.get_figheight(), "va": "top"}
    figure.suptitle(text, **options)
