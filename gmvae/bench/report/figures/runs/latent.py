"""The space in which each method clusters, in two dimensions, by PCA and by t-SNE.

In both, the same test samples are coloured by class on the left and by cluster on the right, where
a cluster has the colour of its most frequent class, and marks tell the clusters of a class apart.
So a clustering that finds the classes looks the same on both sides. A group that has several
colours on the left and one on the right is a cluster of several classes.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from gmvae.bench.report.drawing.layout import HEAD, Place, blank, legend, legend_rows, panel
from gmvae.bench.report.drawing.shown import TITLE_SIZE, Shown, majority_class
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import MARKERS, WIDTH, colours, notice, shortened

N_POINTS = 1000
POINT_SIZE = 7.0
TSNE_STEPS = 500
FEWEST_FOR_TSNE = 4  # samples
PERPLEXITY = 30
SIDE = 1.66  # inches of a panel
HEADINGS = 0.31  # inches over the panels of a run
GAP = 0.16  # inches between runs
FOOT = 0.3


@dataclass(frozen=True)
class _Space:
    """Samples of a run in the space in which it clusters, and what they belong to."""

    shown: Shown
    codes: NDArray[np.floating]
    name: str
    labels: NDArray[np.integer]
    clusters: NDArray[np.integer]
    majority: dict[int, int]

    @property
    def has_labels(self) -> bool:
        return len(self.labels) > 0


def draw(source: Source) -> Figure:
    """PCA keeps large distances; t-SNE keeps neighbours, and distances between groups mean little.

    The space is that of the codes, or of the samples for methods without a latent space; of each,
    the first 1,000 test samples are shown. Runs are chosen as for the figure confidence.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Figure
    """
    spaces = _spaces(source)
    if not spaces:
        return notice("no finished run is in this table")
    names = _class_names(source, spaces)
    pitch = HEADINGS + SIDE + GAP
    figure = blank(HEAD + pitch * len(spaces) + FOOT + 0.17 * legend_rows(names))
    embed = _Embedding()
    for number, space in enumerate(spaces):
        _draw_run(figure, space, HEAD + pitch * number, embed)
    if names:
        _draw_legend(figure, names)
    return figure


def finding(source: Source) -> str:
    """Share of samples whose nearest neighbour is of the same class, highest and lowest."""
    found = []
    for space in _spaces(source):
        kinds = space.labels if space.has_labels else space.clusters
        if len(kinds) > 1:
            pairs = NearestNeighbors(n_neighbors=1).fit(space.codes).kneighbors()[1][:, 0]
            same = 100 * float((kinds == kinds[pairs]).mean())
            found.append((same, space.shown.name, "class" if space.has_labels else "cluster"))
    if not found:
        return ""
    best, worst = max(found), min(found)
    first = (
        f"The nearest neighbour of a test sample is of the same {best[2]} for {best[0]:.0f} % in "
        f"the space of {best[1]}"
    )
    return f"{first}." if len(found) < 2 else f"{first}, and for {worst[0]:.0f} % in {worst[1]}."


def _spaces(source: Source) -> list[_Space]:
    return [_space(source, one) for one in source.one_of_each_method()]


def _space(source: Source, one: Shown) -> _Space:
    arrays = source.assignments(one.path)
    labels, clusters = source.labels(one.dataset), arrays["clusters"]
    codes, name = arrays.get("codes"), "codes"
    if codes is None:
        images = source.images(one.dataset)
        codes, name = images.reshape(len(images), -1).astype(np.float32), "samples"
    # From all samples, as in the other figures, not only from those that are drawn.
    majority = {
        int(c): majority_class(labels[clusters == c]) if len(labels) else number
        for number, c in enumerate(np.unique(clusters))
    }
    drawn = slice(N_POINTS)
    return _Space(one, codes[drawn], name, labels[drawn], clusters[drawn], majority)


def _draw_run(figure: Figure, space: _Space, top: float, embed: _Embedding) -> None:
    planes = {
        f"PCA of {space.name}": _pca(space.codes),
        f"t-SNE of {space.name}": embed(space.codes),
    }
    figure.text(
        0.006,
        1 - top / figure.get_figheight(),
        space.shown.title(WIDTH),
        va="top",
        fontsize=TITLE_SIZE,
    )
    left, gap = 0.05, (WIDTH - 4 * SIDE - 0.1) / 3
    for name, plane in planes.items():
        for kind in ("class", "cluster") if space.has_labels else ("cluster",):
            axes = panel(figure, Place(left, top + HEADINGS, SIDE, SIDE))
            _draw_plane(axes, space, plane, kind)
            axes.set_title(f"{name}, by {kind}", fontsize=8, loc="left", x=0, pad=2.5, color="0.35")
            left += SIDE + gap


def _pca(codes: NDArray[np.floating]) -> NDArray[np.float64]:
    """The first two principal components, shape (N, 2)."""
    n = min(2, *codes.shape)
    plane = PCA(n, svd_solver="covariance_eigh").fit_transform(codes.astype(np.float64))
    return np.pad(plane, ((0, 0), (0, 2 - n)))


class _Embedding:
    """t-SNE from the principal components on, so that it is always the same; once for each space.

    Methods without a latent space share that of the samples.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, NDArray[np.float64]] = {}

    def __call__(self, codes: NDArray[np.floating]) -> NDArray[np.float64]:
        key = codes.tobytes()
        if key not in self._known:
            self._known[key] = self._embed(codes)
        return self._known[key]

    def _embed(self, codes: NDArray[np.floating]) -> NDArray[np.float64]:
        start = _pca(codes)
        scale = start[:, 0].std()
        if len(codes) < FEWEST_FOR_TSNE or not scale:
            return start
        tsne = TSNE(
            init=1e-4 / scale * start,
            perplexity=min(PERPLEXITY, (len(codes) - 1) / 3),
            max_iter=TSNE_STEPS,
            random_state=0,
        )
        # Sums depend on the number of threads, and on a busy machine several take far longer.
        with threadpool_limits(1):
            embedding: NDArray[np.float64] = tsne.fit_transform(codes.astype(np.float64))
        return embedding


def _draw_plane(axes: Axes, space: _Space, plane: NDArray[np.float64], kind: str) -> None:
    last = max(*space.majority.values(), *map(int, space.labels), 0)
    palette = colours(list(range(last + 1)))
    if kind == "class":
        for label in np.unique(space.labels):
            _draw_points(axes, plane[space.labels == label], palette[label], _marker(label))
    else:
        seen: Counter[int] = Counter()
        for cluster, label in space.majority.items():
            points = plane[space.clusters == cluster]
            _draw_points(axes, points, palette[label], _marker(seen[label]))
            seen[label] += 1
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)


def _draw_points(axes: Axes, points: NDArray[np.float64], colour: Any, marker: str) -> None:
    axes.scatter(
        points[:, 0],
        points[:, 1],
        color=colour,
        marker=marker,
        s=POINT_SIZE,
        linewidths=0,
        rasterized=True,
    )


def _marker(number: int) -> str:
    return MARKERS[number % len(MARKERS)]


def _class_names(source: Source, spaces: list[_Space]) -> list[str]:
    """Data sets have classes of their own: those with the same number share a colour."""
    datasets = {space.shown.dataset: None for space in spaces if space.has_labels}
    return [
        " / ".join(dict.fromkeys(shortened(name) for name in same if name is not None))
        for same in itertools.zip_longest(*map(source.class_names, datasets))
    ]


def _draw_legend(figure: Figure, names: list[str]) -> None:
    palette = colours(list(range(len(names))))
    handles = [
        Line2D([], [], linestyle="none", marker=_marker(c), color=palette[c], label=name)
        for c, name in enumerate(names)
    ]
    legend(figure, handles, "class; each cluster has the colour of its most frequent class")
