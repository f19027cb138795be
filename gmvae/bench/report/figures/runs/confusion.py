"""Classes in the clusters of each method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from sklearn.metrics.cluster import contingency_matrix

from gmvae.bench.report.drawing.source import Source, title_of
from gmvae.bench.report.drawing.style import notice, panels, shortened

COLUMNS = 3
LONGEST_FLAT = 2
"""Names of classes that are longer are turned."""
LEAST_ROWS = 5  # a panel with fewer clusters would have no room for its labels


def draw(source: Source) -> Figure:
    """One panel per method and data set: the share of each class in each cluster.

    The synthetic data are left out. Each method is shown at the setting whose K is nearest to the
    number of classes, by its run with the best training ELBO (log-likelihood for a Gaussian
    mixture), or with the median accuracy if the method has no ELBO. Clusters are ordered by their
    most frequent class; the numbers on the right count their test samples.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Figure
    """
    shown = source.one_of_each_method()
    if not shown:
        return notice("no finished run with labels is in this table")
    counts = [
        _counts(source.assignments(one.path)["clusters"], source.labels(one.dataset))
        for one in shown
    ]
    figure, axes = panels([0.13 * max(len(n), LEAST_ROWS) + 0.75 for n in counts], COLUMNS)
    for panel, one, matrix in zip(axes, shown, counts, strict=True):
        names = source.class_names(one.dataset)
        classes = [names[number] for number in np.unique(source.labels(one.dataset))]
        image = _draw_panel(panel, title_of(one), matrix, classes)
    bar = figure.colorbar(image, ax=figure.axes, location="bottom", shrink=0.4, aspect=40)
    bar.set_label("share of a cluster (%)")
    return figure


def _counts(clusters: NDArray[np.integer], labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Counts of samples, shape (clusters in use, classes), ordered by the most frequent class."""
    counts: NDArray[np.int64] = contingency_matrix(clusters, labels)
    # Among the clusters of a class, the largest comes first.
    return counts[np.lexsort((-counts.max(axis=1), counts.argmax(axis=1)))]


def _draw_panel(
    axes: Axes, title: str, counts: NDArray[np.int64], classes: Sequence[str]
) -> AxesImage:
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    axes.set_title(title, fontsize=8)
    axes.grid(visible=False)
    every = max(1, len(classes) // 10)
    shown = [shortened(name) for name in classes[::every]]
    turned = 90 if max(map(len, shown)) > LONGEST_FLAT else 0
    axes.set_xticks(range(0, len(classes), every), shown, fontsize=7, rotation=turned)
    axes.set_xlabel("class", fontsize=8, labelpad=1)
    axes.set_ylabel("cluster", fontsize=8, labelpad=1)
    sizes = [f"{n:,}" for n in counts.sum(axis=1)]
    axes.set_yticks(range(len(counts)), sizes, fontsize=7)
    axes.yaxis.tick_right()
    axes.tick_params(length=0, pad=2)
    return image
