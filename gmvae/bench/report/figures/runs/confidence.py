"""The test images that each cluster is most and least certain of.

Each row is a cluster, labelled by its most frequent class and its number of test samples. On the
left are the images with the highest probability of the cluster, and on the right those with the
lowest. A grey background (or, on colours, a grey veil) marks images that are not of the class that
labels the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gmvae.bench.report.drawing.layout import Margins, sheet, text_width
from gmvae.bench.report.drawing.mosaic import LABEL_SIZE, Grid, as_images, show
from gmvae.bench.report.drawing.names import listed
from gmvae.bench.report.drawing.shown import Shown, majority_class, title_height
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import WIDTH, notice, shortened

PER_ROW = 2
N_EACH = 6
BACKGROUND = 0.22  # grey level behind a mistake
GAP = 0.15  # inches between panels


class Row(NamedTuple):
    """A cluster: its most frequent class (or number), its size, and the samples that are shown."""

    label: int
    size: int
    most: NDArray[np.intp]
    least: NDArray[np.intp]


def draw(source: Source) -> Figure:
    """One panel per data set of images and method with probabilities.

    Rows are ordered by class. If probabilities are equal, the first samples are shown; a cluster of
    few samples leaves places empty. Each method is shown at the setting whose K is nearest to the
    number of classes, by the run that the figure confusion shows.

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
    images = {one.dataset: _images(source, one) for one, _ in shown}
    labels = [_labels(source, one, rows) for one, rows in shown]
    left = text_width([text for texts in labels for text in texts], LABEL_SIZE) + 0.06
    titles = [one.title(WIDTH / PER_ROW - GAP) for one, _ in shown]
    margins = Margins(left, GAP, title_height(titles) + 0.25, 0.15)
    grids = [
        Grid.fitted(
            len(rows),
            images[one.dataset].shape[1:],
            2 * N_EACH,
            margins.width(PER_ROW),
            wide_after=N_EACH,
        )
        for one, rows in shown
    ]
    figure, axes = sheet([grid.size for grid in grids], PER_ROW, margins)
    for number, (panel, grid, (one, rows)) in enumerate(zip(axes, grids, shown, strict=True)):
        pictures = [_pictures(row, images[one.dataset], source.labels(one.dataset)) for row in rows]
        show(panel, grid, pictures, labels[number])
        start = (0.04 - left) / grid.size[0]
        panel.set_title(titles[number], fontsize=8, loc="left", x=start, pad=16, linespacing=1.1)
        grid.head(panel, 0, "most certain")
        grid.head(panel, N_EACH, "least certain")
    return figure


def finding(source: Source) -> str:
    """Share of mistakes among the images that are shown, on the left and on the right."""
    parts = []
    for one, rows in _panels(source):
        labels = source.labels(one.dataset)
        if len(labels):
            shares = [
                100 * np.mean(np.concatenate([labels[picked] != row.label for row, picked in side]))
                for side in (
                    [(row, row.most) for row in rows],
                    [(row, row.least) for row in rows],
                )
            ]
            parts.append(
                f"{one.name}: {shares[0]:.0f} % of the most certain and {shares[1]:.0f} % of the "
                "least certain images are not of the class of their cluster"
            )
        else:
            parts.append(f"{one.name}: {len(rows)} clusters")
    return f"{listed(parts, 2)}." if parts else ""


def _panels(source: Source) -> Iterator[tuple[Shown, list[Row]]]:
    for one in source.one_of_each_method():
        arrays = source.assignments(one.path)
        if "probabilities" in arrays and as_images(source.images(one.dataset)) is not None:
            rows = _rows(arrays, source.labels(one.dataset))
            yield one, sorted(rows, key=lambda row: (row.label, -row.size))


def _images(source: Source, one: Shown) -> NDArray[np.float32]:
    images = as_images(source.images(one.dataset))
    assert images is not None
    return images


def _rows(arrays: dict[str, NDArray], labels: NDArray[np.integer]) -> Iterator[Row]:
    clusters = arrays["clusters"]
    certainty = arrays["probabilities"].max(axis=1)
    for cluster in np.unique(clusters):
        members = np.flatnonzero(clusters == cluster)
        order = members[np.argsort(-certainty[members], kind="stable")]
        label = majority_class(labels[members]) if len(labels) else int(cluster)
        yield Row(label, len(members), order[:N_EACH], order[N_EACH:][-N_EACH:])


def _labels(source: Source, one: Shown, rows: list[Row]) -> list[str]:
    names = source.class_names(one.dataset)
    words = [shortened(names[row.label]) if names else f"cluster {row.label}" for row in rows]
    return [f"{word} ({row.size:,})" for word, row in zip(words, rows, strict=True)]


def _pictures(
    row: Row, images: NDArray[np.float32], labels: NDArray[np.integer]
) -> NDArray[np.float32]:
    pictures = np.full((2 * N_EACH, *images.shape[1:]), np.nan, np.float32)
    for start, chosen in ((0, row.most), (2 * N_EACH - len(row.least), row.least)):
        is_wrong = labels[chosen] != row.label if len(labels) else np.zeros(len(chosen), bool)
        pictures[start : start + len(chosen)] = _marked(images[chosen], is_wrong)
    return pictures


def _marked(images: NDArray[np.float32], wrong: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Images; those that are not of their cluster's class are greyed."""
    is_grey = images.ndim == 3
    marked = np.maximum(images, BACKGROUND) if is_grey else 0.5 * images + 0.25
    return np.where(wrong.reshape(-1, *[1] * (images.ndim - 1)), marked, images)
