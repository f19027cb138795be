"""What a trained GMVAE generates (after arXiv:1611.02648v2, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gmvae.bench.report.drawing.mosaic import as_images, mosaic, show
from gmvae.bench.report.drawing.source import Source, majority_class
from gmvae.bench.report.drawing.style import notice
from gmvae.bench.report.figures import GENERATIVE
from gmvae.bench.report.tables import SYNTHETIC
from gmvae.model.networks import as_batch

WIDTH = 7.2
ROW_HEIGHT = 0.235  # inches, of one component
N_SAMPLES, N_STYLES = 7, 7
STYLE_RANGE = 2.0
N_PRIOR_COLUMNS = 8
N_FOR_STYLES = 2000
SEED = 0


def draw(source: Source) -> Figure:
    """One block for each data set of images, method and K: its best run by training ELBO.

    Rows are components, ordered by the class that they mostly hold. The left columns are samples at
    w = 0; the middle ones are the mean of the component for w along its most used axis, from -2 to
    2; at the right are draws from the prior, and test samples over their reconstructions.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Figure
    """
    blocks = list(_blocks(source))
    if not blocks:
        return notice("no finished GMVAE run on images is in this table")
    heights = [ROW_HEIGHT * max(len(block.components), 9) + 0.75 for block in blocks]
    figure = plt.figure(figsize=(WIDTH, sum(heights)))
    parts = figure.subfigures(len(blocks), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, block in zip(parts, blocks, strict=True):
        _draw_block(part, block)
    return figure


@dataclass(frozen=True)
class _Component:
    """One row: a component and what of the test split it holds."""

    number: int
    share: float
    label: int | None
    purity: float | None

    def __str__(self) -> str:
        if self.label is None or not self.share:
            return f"{100 * self.share:.1f} %"
        assert self.purity is not None
        return f"{self.label}: {100 * self.share:.1f} %, {100 * self.purity:.0f} %"


@dataclass(frozen=True)
class _Block:
    """One trained model and the samples that it is shown on."""

    title: str
    estimator: Any
    samples: NDArray[Any]  # (N, n_features)
    shape: tuple[int, int]
    components: list[_Component]

    def images(self, flat: NDArray[np.generic]) -> NDArray[np.float32]:
        """Flat means as images, (N, height, width)."""
        return flat.reshape(-1, *self.shape).astype(np.float32)


def _blocks(source: Source) -> Iterator[_Block]:
    runs = source.runs
    shown = runs[
        (runs["status"] == "finished") & runs["elbo"].notna() & (runs["dataset"] != SYNTHETIC)
    ]
    images: dict[str, NDArray[np.float32] | None] = {}
    for (dataset, method, k), group in shown.groupby(["dataset", "method", "K"], sort=False):
        run = source.representative(group)
        if source.scored[run["path"]].record["run"]["class_path"] not in GENERATIVE:
            continue
        if dataset not in images:
            images[dataset] = as_images(source.images(dataset))
        pictures = images[dataset]
        if pictures is None:
            continue
        samples = source.images(dataset).reshape(len(pictures), -1)
        yield _Block(
            title=f"{dataset}, {method} {run['variant']}, K = {k}, M = {run['M']}: seed "
            f"{run['seed']}, the best ELBO of {len(group)} runs ({run['elbo']:.1f} nats)",
            estimator=source.estimator(run["path"]),
            samples=samples,
            shape=pictures.shape[1:],
            components=_components(source, run, k),
        )


def _components(source: Source, run: pd.Series, n_clusters: int) -> list[_Component]:
    clusters = source.assignments(run["path"])["clusters"]
    has_labels = pd.notna(run["accuracy_hungarian"])
    labels = source.labels(run["dataset"]) if has_labels else None
    found = []
    for number in range(n_clusters):
        members = clusters == number
        label = purity = None
        if labels is not None and members.any():
            label = majority_class(labels[members])
            purity = float((labels[members] == label).mean())
        found.append(_Component(number, float(members.mean()), label, purity))
    # Components without a class come last.
    return sorted(
        found, key=lambda c: (not c.share, -1 if c.label is None else c.label, -c.share, c.number)
    )


def _draw_block(part: Any, block: _Block) -> None:
    part.suptitle(block.title, fontsize=8.5)
    left, right = part.subplots(1, 2, width_ratios=[N_SAMPLES + N_STYLES + 0.4, N_PRIOR_COLUMNS])
    rows = [
        np.concatenate([_samples(block, component), _styles(block, component)])
        for component in block.components
    ]
    show(left, mosaic(rows, gap_after=[N_SAMPLES]), list(map(str, block.components)))
    left.set_title("samples at w = 0   |   mean, w along one axis", fontsize=8)
    has_labels = any(component.label is not None for component in block.components)
    left.set_ylabel("class: share, purity" if has_labels else "share", fontsize=8)
    # As many rows as there is room for, at least two pairs and two rows of draws.
    n_rows = max(len(block.components), 9)
    n_pairs = max(2, n_rows // 5)
    pictures, gaps = _prior_rows(block, n_rows - 2 * n_pairs - 1), _pairs(block, n_pairs)
    blank = [np.full_like(pictures[0], np.nan)]
    show(right, mosaic([*pictures, *blank, *gaps]))
    right.set_anchor("N")
    left.set_anchor("N")
    right.set_title("draws from the prior", fontsize=8)
    right.set_xlabel("test samples over reconstructions", fontsize=8)


def _samples(block: _Block, component: _Component) -> NDArray[np.float32]:
    means, _ = block.estimator.sample(
        N_SAMPLES,
        cluster=component.number,
        w=np.zeros(block.estimator.model_.w_dim),
        random_state=SEED + 1 + component.number,
    )
    return block.images(means)


@torch.no_grad()
def _styles(block: _Block, component: _Component) -> NDArray[np.float32]:
    """Decoded means of a component along the axis of w that the data use most."""
    model = block.estimator.model_
    q_w = model.q_xw_given_y(as_batch(torch.from_numpy(block.samples[:N_FOR_STYLES]))).q_w
    path = torch.zeros(N_STYLES, model.w_dim)
    path[:, q_w.mean.var(0).argmax()] = torch.linspace(-STYLE_RANGE, STYLE_RANGE, N_STYLES)
    x = model.p_x_given_wz(path).mean[:, component.number]  # (N_STYLES, x_dim)
    return block.images(model.p_y_given_x(x.unsqueeze(0)).mean.squeeze(0).numpy())


def _prior_rows(block: _Block, n_rows: int) -> list[NDArray[np.float32]]:
    draws, _ = block.estimator.sample(n_rows * N_PRIOR_COLUMNS, random_state=SEED)
    return list(block.images(draws).reshape(n_rows, N_PRIOR_COLUMNS, *block.shape))


def _pairs(block: _Block, n_pairs: int) -> list[NDArray[np.float32]]:
    chosen = block.samples[: n_pairs * N_PRIOR_COLUMNS]
    originals = as_images(chosen.reshape(-1, *block.shape))
    assert originals is not None
    again = block.images(block.estimator.reconstruct(chosen))
    # A small test split leaves places empty.
    missing = np.full((n_pairs * N_PRIOR_COLUMNS - len(chosen), *block.shape), np.nan, np.float32)
    both = [np.concatenate([images, missing]) for images in (originals, again)]
    shape = (n_pairs, N_PRIOR_COLUMNS, *block.shape)
    pairs = zip(*(images.reshape(shape) for images in both), strict=True)
    return [row for pair in pairs for row in pair]
