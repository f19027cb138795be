"""The test images that each cluster is most and least certain of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gmvae.bench.report.drawing.mosaic import as_images, mosaic, show
from gmvae.bench.report.drawing.source import Shown, Source, majority_class, title_of
from gmvae.bench.report.drawing.style import notice, panels, shortened

PANELS_PER_ROW = 2
N_EACH = 6
ROW_HEIGHT = 0.21
BACKGROUND = 0.22  # grey level behind a mistake
_Row = tuple[int, int, NDArray[np.float32]]
"""Class of a cluster, minus its size, and its images, shape (2 * N_EACH, height, width)."""


def draw(source: Source) -> Figure:
    """One panel per data set of images and method with probabilities; each row is a cluster.

    The samples with the highest probability of their cluster are on the left, those with the lowest
    on the right; a grey background (or, on colours, a grey veil) marks samples that are not of the
    cluster's most frequent class. Rows are ordered by this class, which labels them. If
    probabilities are equal, the first samples are shown. Runs are chosen as for the confusion
    figure.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Figure
    """
    shown = list(_panels(source))
    if not shown:
        return notice("no finished run on images that gives probabilities is in this table")
    figure, axes = panels([ROW_HEIGHT * len(rows) + 0.4 for _, rows in shown], PANELS_PER_ROW)
    for panel, (one, rows) in zip(axes, shown, strict=True):
        names = source.class_names(one.dataset)
        labels = [shortened(names[label]) for label, _, _ in rows]
        show(panel, mosaic([row for _, _, row in rows], gap_after=[N_EACH]), labels)
        panel.set_title(f"{title_of(one)}: most certain | least certain", fontsize=8)
        panel.set_ylabel("class", fontsize=8)  # short, since a panel can have two rows
        panel.set_anchor("N")
    return figure


def _panels(source: Source) -> Iterator[tuple[Shown, list[_Row]]]:
    for one in source.one_of_each_method():
        arrays = source.assignments(one.path)
        images = as_images(source.images(one.dataset))
        if "probabilities" in arrays and images is not None:
            rows = _rows(arrays, images, source.labels(one.dataset))
            yield one, sorted(rows, key=lambda row: row[:2])


def _rows(
    arrays: dict[str, NDArray], images: NDArray[np.float32], labels: NDArray[np.integer]
) -> Iterator[_Row]:
    clusters = arrays["clusters"]
    certainty = arrays["probabilities"].max(axis=1)
    for cluster in np.unique(clusters):
        members = np.flatnonzero(clusters == cluster)
        label = majority_class(labels[members])
        order = members[np.argsort(-certainty[members], kind="stable")]
        row = np.full((2 * N_EACH, *images.shape[1:]), np.nan, np.float32)
        most, least = order[:N_EACH], order[N_EACH:][-N_EACH:]
        row[: len(most)] = _marked(images[most], labels[most] != label)
        row[2 * N_EACH - len(least) :] = _marked(images[least], labels[least] != label)
        yield label, -len(members), row


def _marked(images: NDArray[np.float32], wrong: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Images; those that are not of their cluster's class are greyed."""
    is_grey = images.ndim == 3
    marked = np.maximum(images, BACKGROUND) if is_grey else 0.5 * images + 0.25
    return np.where(wrong.reshape(-1, *[1] * (images.ndim - 1)), marked, images)
