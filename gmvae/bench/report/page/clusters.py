"""The clusters of single runs, with the images that each is surest of in one sprite per run."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gmvae.bench.report.drawing.mosaic import as_images
from gmvae.bench.report.drawing.shown import Shown, majority_class
from gmvae.bench.report.drawing.source import Source

N_IMAGES = 16
MAX_SIDE = 64
"""Pixels; larger images are made smaller for the page."""


@dataclass(frozen=True)
class Cluster:
    """A cluster of the test samples.

    Attributes
    ----------
    number : int
    size : int
        Number of test samples.
    share : str
        Percent of the test samples.
    name : str
        Its most frequent class, or empty without labels.
    purity : str
        Percent of its samples in that class.
    """

    number: int
    size: int
    share: str
    name: str
    purity: str


@dataclass(frozen=True)
class ClustersOfRun:
    """The clusters of a run that have test samples, the rows of its sprite.

    Attributes
    ----------
    run : Shown
    clusters : list of Cluster
    width, height : int
        Pixels of an image.
    sprite : str
        Data URI of a PNG in which row r has `N_IMAGES` images of cluster r.
    """

    run: Shown
    clusters: list[Cluster]
    width: int
    height: int
    sprite: str

    @property
    def title(self) -> str:
        """The run in one line."""
        return f"{self.run.name} ({self.run.choice})"


def clusters_of(source: Source) -> Iterator[ClustersOfRun]:
    """One run of each method on data that are images, the same as in the figures.

    Parameters
    ----------
    source : Source
    """
    for one in source.one_of_each_method():
        images = as_images(source.images(one.dataset))
        if images is not None:
            yield _of_run(source, one, images)


def _of_run(source: Source, one: Shown, images: NDArray[np.float32]) -> ClustersOfRun:
    arrays = source.assignments(one.path)
    found, labels = arrays["clusters"], source.labels(one.dataset)
    names = source.class_names(one.dataset)
    images = _small(images)
    clusters, rows = [], []
    for number in np.unique(found):
        members = np.flatnonzero(found == number)
        if "probabilities" in arrays:
            sure = arrays["probabilities"][members, number]
            members = members[np.argsort(-sure, kind="stable")]
        blank = np.zeros((N_IMAGES, *images.shape[1:]), np.float32)
        blank[: len(members)] = images[members[:N_IMAGES]]
        rows.append(np.concatenate(list(blank), axis=1))
        name, purity = "", ""
        if len(labels):
            label = majority_class(labels[members])
            name, purity = names[label], f"{100 * np.mean(labels[members] == label):.0f}"
        share = f"{100 * len(members) / len(found):.1f}"
        clusters.append(Cluster(int(number), len(members), share, name, purity))
    height, width = images.shape[1:3]
    return ClustersOfRun(one, clusters, width, height, _as_png(np.concatenate(rows)))


def _small(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every n-th pixel of images larger than `MAX_SIDE`."""
    step = -(-max(images.shape[1:3]) // MAX_SIDE)
    return images[:, ::step, ::step]


def _as_png(canvas: NDArray[np.float32]) -> str:
    """Grey images are black on white, as in the figures."""
    values = canvas if canvas.ndim == 3 else 1 - canvas
    stream = io.BytesIO()
    pixels = np.round(255 * values.clip(0, 1)).astype(np.uint8)
    Image.fromarray(pixels).save(stream, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
