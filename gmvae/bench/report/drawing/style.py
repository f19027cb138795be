"""Style of all figures: type sizes, axis labels, and colours for colour-blind readers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Indices into seaborn's colour-blind palette; colours that are hard to tell apart come late.
MOST_DISTINCT_FIRST = (0, 1, 2, 4, 7, 9, 8, 3, 5, 6)
# Used after the ten of the palette: dark colours, which differ from all of them in lightness.
MORE_COLOURS = ("#000000", "#5c1a33", "#1f4d2b")
WIDTH = 7.0  # inches: the text width of a page
METRIC_LABELS = {
    "accuracy_exemplar": "accuracy, exemplar protocol (%)",
    "accuracy_hungarian": "accuracy, Hungarian matching (%)",
}
MARKERS = ["o", "s", "D", "^", "v", "P", "X"]


def apply_style() -> None:
    """Set the defaults of all figures; a fixed salt makes equal figures equal SVG files."""
    sns.set_theme(context="paper", style="whitegrid", palette="colorblind")
    mpl.rcParams.update(
        {
            "figure.constrained_layout.use": True,
            "font.size": 9,
            "axes.labelsize": 9,
            "axes.titlesize": 9,
            "legend.fontsize": 8,
            "legend.title_fontsize": 8,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "grid.color": "0.9",
            "grid.linewidth": 0.6,
            "svg.hashsalt": "gmvae",
            "svg.fonttype": "none",
        }
    )


def colours(values: list[Any]) -> dict[Any, tuple[float, float, float]]:
    """A colour for each value, always the same for the same list."""
    palette = sns.color_palette("colorblind")
    first = [palette[index] for index in MOST_DISTINCT_FIRST]
    chosen = itertools.cycle([*first, *map(mpl.colors.to_rgb, MORE_COLOURS)])
    return dict(zip(values, chosen, strict=False))


def shortened(name: str, longest: int = 12) -> str:
    """The name of a class for a place of limited width."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def finish(axes: Axes) -> None:
    """Remove the top and right spines."""
    sns.despine(ax=axes)


def panels(heights: Sequence[float], per_row: int) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each height in inches; a row is as high as its highest panel."""
    starts = range(0, len(heights), per_row)
    rows = [max(heights[start : start + per_row]) for start in starts]
    size = (WIDTH, sum(rows))
    figure, axes = plt.subplots(len(rows), per_row, figsize=size, height_ratios=rows, squeeze=False)
    for place in axes.flat[len(heights) :]:
        place.axis("off")
    return figure, list(axes.flat[: len(heights)])


def notice(text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure, axes = plt.subplots(figsize=(WIDTH, 1.5))
    axes.axis("off")
    axes.text(0.5, 0.5, text, ha="center", va="center")
    return figure
