"""Classes in the clusters of each setting.

Each row is a cluster. Its cells give the share of each class among its test samples, in percent
(numbers from 5 % on, where they fit), and the number on the right counts these samples. A cluster
of one class alone has a single dark cell; two dark cells in a row are classes that share a cluster,
and two in a column are clusters that share a class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from sklearn.metrics.cluster import contingency_matrix

from gmvae.bench.report.drawing.layout import Margins, Place, panel, sheet, text_width
from gmvae.bench.report.drawing.shown import Shown, title_height
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import WIDTH, notice, shortened

CELL = 0.16  # inches: the height of a cell, and the width that a number of two digits needs
LEAST_SHARE = 5
SIZE = 8  # points
LEAST_FOR_NAME = 4  # rows, beside which the name of the axis has room
LONGEST_FLAT = 2
"""Names of classes that are longer are turned."""
GAP = 0.12  # inches
FOOT = 0.75
Counts = NDArray[np.int64]


def draw(source: Source) -> Figure:
    """The synthetic data are left out.

    Each setting is shown by its run with the best training ELBO (log-likelihood for a Gaussian
    mixture), or with the median accuracy if the method has no ELBO. Clusters are ordered by their
    most frequent class, settings by K.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Figure
    """
    shown = _shown(source)
    if not shown:
        return notice("no finished run with labels is in this table")
    classes = [_classes(source, one) for one, _ in shown]
    margins, per_row = _layout(classes, [counts for _, counts in shown])
    width = margins.width(per_row)
    titles = [one.title(WIDTH / per_row - 2 * GAP) for one, _ in shown]
    margins = margins._replace(top=title_height(titles) + GAP)
    sizes = [(width, CELL * len(counts)) for _, counts in shown]
    figure, axes = sheet(sizes, per_row, margins, FOOT)
    for here, (_, counts), names, title in zip(axes, shown, classes, titles, strict=True):
        image = _draw_panel(here, counts, names, has_numbers=width / len(names) >= CELL)
        start = (0.04 - margins.left) / width
        here.set_title(title, fontsize=SIZE, loc="left", x=start, pad=3, linespacing=1.1)
    height = figure.get_figheight()
    place = Place(2.2, height - 0.5, 2.6, 0.1)
    bar = figure.colorbar(image, cax=panel(figure, place), orientation="horizontal")
    bar.set_label("share of a cluster (%)", fontsize=SIZE)
    return figure


def finding(source: Source) -> str:
    """Share of the samples in clusters of their own class, and the classes most often mixed."""
    parts = []
    for one, counts in _shown(source):
        names = _classes(source, one)
        right = 100 * counts.max(axis=1).sum() / counts.sum()
        parts.append((right, one, f"{100 - right:.1f} %", _mixed(counts, names)))
    if not parts:
        return ""
    _, one, wrong, mixed = max(parts, key=lambda part: part[0])
    purest = f", the purest of {len(parts)} runs" if len(parts) > 1 else ""
    most = f", most often {mixed}" if mixed else ""
    return (
        f"{one.name}{purest}: {wrong} of the test samples are not of the most frequent class of "
        f"their cluster{most}."
    )


def _shown(source: Source) -> list[tuple[Shown, Counts]]:
    """A run of each setting, with its counts; data sets stay together."""
    shown = source.one_of_each_setting()
    datasets = list(dict.fromkeys(one.dataset for one in shown))
    shown.sort(key=lambda one: (datasets.index(one.dataset), one.K or 0))
    return [
        (one, _counts(source.assignments(one.path)["clusters"], source.labels(one.dataset)))
        for one in shown
    ]


def _counts(clusters: NDArray[np.integer], labels: NDArray[np.integer]) -> Counts:
    """Counts of samples, shape (clusters in use, classes), ordered by the most frequent class."""
    counts: Counts = contingency_matrix(clusters, labels)
    # Among the clusters of a class, the largest comes first.
    return counts[np.lexsort((-counts.max(axis=1), counts.argmax(axis=1)))]


def _classes(source: Source, one: Shown) -> list[str]:
    names = source.class_names(one.dataset)
    return [shortened(names[number]) for number in np.unique(source.labels(one.dataset))]


def _mixed(counts: Counts, names: Sequence[str]) -> str:
    """The two classes of which most samples are in a cluster of the other."""
    wrong = np.zeros((counts.shape[1],) * 2, np.int64)
    for row in counts:
        wrong[row.argmax()] += row
    np.fill_diagonal(wrong, 0)
    both = wrong + wrong.T
    if not both.any():
        return ""
    first, second = sorted(int(c) for c in np.unravel_index(both.argmax(), both.shape))
    return f"{names[first]} and {names[second]}"


def _layout(classes: Sequence[Sequence[str]], counts: Sequence[Counts]) -> tuple[Margins, int]:
    """Margins for the labels, and the most panels in a row that leave room for numbers."""
    labels = [name for names in classes for name in names]
    is_turned = max(map(len, labels)) > LONGEST_FLAT
    sizes = [f"{n:,}" for one in counts for n in one.sum(axis=1)]
    below = (text_width(labels, SIZE) if is_turned else 0.11) + 0.22
    margins = Margins(0.2, text_width(sizes, SIZE) + GAP, 0.0, below)
    most = max(map(len, classes))
    fits = [n for n in (3, 2, 1) if margins.width(n) / most >= CELL]
    return margins, (fits or [1])[0]


def _draw_panel(
    axes: Axes, counts: Counts, classes: Sequence[str], *, has_numbers: bool
) -> AxesImage:
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for row, column in np.argwhere(shares >= LEAST_SHARE) if has_numbers else ():
        share = shares[row, column]
        axes.text(
            column,
            row,
            f"{share:.0f}",
            ha="center",
            va="center_baseline",
            fontsize=SIZE,
            color="white" if share > 55 else "0.1",
        )
    axes.grid(visible=False)
    is_turned = max(map(len, classes)) > LONGEST_FLAT
    every = 1 if has_numbers else max(1, len(classes) // 20)
    axes.set_xticks(
        range(0, len(classes), every),
        classes[::every],
        fontsize=SIZE,
        rotation=90 if is_turned else 0,
    )
    axes.set_xlabel("class", fontsize=SIZE, labelpad=1)
    if len(counts) >= LEAST_FOR_NAME:
        axes.set_ylabel("cluster", fontsize=SIZE, labelpad=1)
    axes.set_yticks(range(len(counts)), [f"{n:,}" for n in counts.sum(axis=1)], fontsize=SIZE)
    axes.yaxis.tick_right()
    axes.tick_params(length=0, pad=2)
    return image
