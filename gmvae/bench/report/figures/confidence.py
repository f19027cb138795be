"""The test images that each cluster is most and least certain of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gmvae.bench.report.drawing.mosaic import as_images, mosaic, show
from gmvae.bench.report.drawing.source import Shown, Source, majority_class, title_of
from gmvae.bench.report.drawing.style import WIDTH, notice

PANELS_PER_ROW = 2
N_EACH = 6
ROW_HEIGHT = 0.21
BACKGROUND = 0.22  # grey level behind a mistake


def draw(source: Source) -> Figure:
    """One panel per data set of images and method with probabilities; each row is a cluster.

    The samples with the highest probability of their cluster are on the left, those with the lowest
    on the right; a grey background marks samples that are not of the cluster's most frequent class.
    Rows are ordered by this class, which labels them. If probabilities are equal, the first samples
    are shown. Runs are chosen as for the confusion figure.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Figure
    """
    panels = list(_panels(source))
    if not panels:
        return notice("no finished run on images that gives probabilities is in this table")
    starts = range(0, len(panels), PANELS_PER_ROW)
    tallest = [max(len(p.rows) for p in panels[at : at + PANELS_PER_ROW]) for at in starts]
    heights = [ROW_HEIGHT * n + 0.4 for n in tallest]
    figure, axes = plt.subplots(
        len(tallest),
        PANELS_PER_ROW,
        figsize=(WIDTH, sum(heights)),
        squeeze=False,
        height_ratios=heights,
    )
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    for axis, panel in zip(axes.flat, panels, strict=False):
        _draw_panel(axis, panel)
    return figure


@dataclass(frozen=True)
class _Panel:
    one: Shown
    rows: list[NDArray[np.float32]]  # each (2 * N_EACH, height, width)
    labels: list[str]


def _panels(source: Source) -> Iterator[_Panel]:
    for one in source.one_of_each_method():
        arrays = source.assignments(one.path)
        images = as_images(source.images(one.dataset))
        if "probabilities" not in arrays or images is None:
            continue
        yield _panel(one, arrays, images, source.labels(one.dataset))


def _panel(
    one: Shown,
    arrays: dict[str, NDArray],
    images: NDArray[np.float32],
    labels: NDArray[np.integer],
) -> _Panel:
    clusters = arrays["clusters"]
    certainty = arrays["probabilities"].max(axis=1)
    rows = []
    for cluster in np.unique(clusters):
        members = np.flatnonzero(clusters == cluster)
        label = majority_class(labels[members])
        order = members[np.argsort(-certainty[members], kind="stable")]
        row = np.full((2 * N_EACH, *images.shape[1:]), np.nan, np.float32)
        most, least = order[:N_EACH], order[N_EACH:][-N_EACH:]
        row[: len(most)] = _marked(images[most], labels[most] != label)
        row[2 * N_EACH - len(least) :] = _marked(images[least], labels[least] != label)
        rows.append((label, -len(members), row))
    rows.sort(key=lambda row: row[:2])
    return _Panel(one, [row for _, _, row in rows], [str(label) for label, _, _ in rows])


def _marked(images: NDArray[np.float32], wrong: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Images, with a grey background for those that are not of their cluster's class."""
    return np.where(wrong[:, None, None], np.maximum(images, BACKGROUND), images)


def _draw_panel(axes: Axes, panel: _Panel) -> None:
    show(axes, mosaic(panel.rows, gap_after=[N_EACH]), panel.labels)
    axes.set_title(f"{title_of(panel.one)}: most certain | least certain", fontsize=8)
    axes.set_ylabel("class", fontsize=8)  # short, since a panel can have two rows
    axes.set_anchor("N")
