"""The space in which each method clusters, projected to two dimensions."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from gmvae.bench.report.drawing.source import Shown, Source, majority_class, title_of
from gmvae.bench.report.drawing.style import MARKERS, WIDTH, colours, notice, shortened

METHODS_PER_ROW = 2
N_POINTS = 1500
POINT_SIZE = 4.0


def draw(source: Source) -> Figure:
    """Two panels per data set and method: test samples by class and by cluster.

    Each cluster has the colour of its most frequent class, and a mark that distinguishes it from
    other clusters of that class. The axes are the first two principal components of the codes, or
    of the samples for methods without a latent space. Runs are chosen as for the confusion figure.

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
    n_rows = -(-len(shown) // METHODS_PER_ROW)
    figure, axes = plt.subplots(
        n_rows, 2 * METHODS_PER_ROW, figsize=(WIDTH, 1.95 * n_rows + 0.5), squeeze=False
    )
    pairs = axes.reshape(-1, 2)
    for panel in axes.flat[2 * len(shown) :]:
        panel.axis("off")
    for pair, one in zip(pairs, shown, strict=False):
        _draw_pair(pair, source, one)
    # Data sets have classes of their own: those with the same number share a colour.
    names = [source.class_names(dataset) for dataset in {one.dataset: None for one in shown}]
    of_number = [
        " / ".join(dict.fromkeys(shortened(name) for name in same if name is not None))
        for same in itertools.zip_longest(*names)
    ]
    n_classes, palette = len(of_number), colours(list(range(len(of_number))))
    handles = [
        Line2D([], [], linestyle="none", marker=_marker(c), color=palette[c], label=name)
        for c, name in enumerate(of_number)
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(n_classes, 10),
        title="class; each cluster has the colour of its most frequent class",
        columnspacing=0.8,
        handletextpad=0.2,
    )
    return figure


def _marker(number: int) -> str:
    return MARKERS[number % len(MARKERS)]


def _draw_pair(pair: NDArray, source: Source, one: Shown) -> None:
    arrays = source.assignments(one.path)
    labels, clusters = source.labels(one.dataset), arrays["clusters"]
    codes, space = arrays.get("codes"), "codes"
    if codes is None:
        images = source.images(one.dataset)
        codes, space = images.reshape(len(images), -1).astype(np.float32), "samples"
    plane = PCA(min(2, codes.shape[1]), svd_solver="covariance_eigh").fit_transform(codes)
    if plane.shape[1] == 1:
        plane = np.column_stack([plane, np.zeros(len(plane))])
    # From all samples, as in the other figures, not only from those that are drawn.
    majority = {c: majority_class(labels[clusters == c]) for c in np.unique(clusters)}
    plane, labels, clusters = plane[:N_POINTS], labels[:N_POINTS], clusters[:N_POINTS]
    palette = colours(list(range(max(*majority.values(), int(labels.max())) + 1)))
    for label in np.unique(labels):
        _draw_points(pair[0], plane[labels == label], palette[label], _marker(label))
    seen: Counter[int] = Counter()
    for cluster, label in majority.items():
        members = clusters == cluster
        _draw_points(pair[1], plane[members], palette[label], _marker(seen[label]))
        seen[label] += 1
    for panel in pair:
        panel.set(xticks=[], yticks=[])
        panel.grid(visible=False)
    pair[0].set_title(title_of(one).replace("\n", ", "), fontsize=8, loc="left")
    pair[0].set_xlabel(f"by class; PCA of {space}", fontsize=7.5, labelpad=2)
    pair[1].set_xlabel("by cluster", fontsize=7.5, labelpad=2)


def _draw_points(axes: Axes, points: NDArray, colour: Any, marker: str) -> None:
    axes.scatter(
        points[:, 0],
        points[:, 1],
        color=colour,
        marker=marker,
        s=POINT_SIZE,
        linewidths=0,
        rasterized=True,
    )
