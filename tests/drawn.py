"""Figures drawn for tests, from sources whose tables are made up, and the texts in them."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.text import Text

from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.tables import CURVE_COLUMNS, RUN_COLUMNS


def source_of(runs, curves, like=None):
    """A source with these tables, and with the files of single runs of another source."""
    nowhere = Path("nowhere")
    source = Source(nowhere, nowhere) if like is None else Source(nowhere, like.results, like.data)
    vars(source).update(runs=runs, curves=curves)
    return source


def drawn(module, source):
    """The figure of a module, with its table if it has one."""
    tables = [module.table(source)] if hasattr(module, "table") else []
    return module.draw(source, *tables)


def drawn_texts(figure):
    """All texts of a figure but the labels of ticks beyond the ends of an axis."""
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            ticks = {*axis.get_major_ticks(), *axis.get_minor_ticks()} - {*axis._update_ticks()}
            hidden = {label for tick in ticks for label in (tick.label1, tick.label2)}
            texts = [text for text in texts if text not in hidden]
    return texts


def made_up(seeds=3):
    """A source with made-up runs on MNIST: GMVAE at several K and M, k-means and mixtures."""
    random = np.random.default_rng(0)
    runs, curves = [], []
    settings = [("gmvae", "fast-conv", K, M) for K in (10, 16, 30) for M in (1, 10)]
    settings += [(name, None, K, None) for name in ("kmeans", "gmm") for K in (10, 16, 30)]
    for method, variant, K, M in settings:
        for seed in range(seeds):
            setting = {"dataset": "mnist", "method": method, "variant": variant, "K": K, "M": M}
            accuracy = random.uniform(50, 95)
            exemplar = None if method == "kmeans" else accuracy
            runs.append(
                {
                    **setting,
                    "seed": seed,
                    "path": f"{method}/{K}-{M}/{seed}",
                    "status": "finished",
                    "accuracy_hungarian": accuracy,
                    "accuracy_exemplar": exemplar,
                    "train_seconds": random.uniform(10, 300),
                }
            )
            if method == "gmvae":
                curves += [
                    {
                        **setting,
                        "seed": seed,
                        "epoch": epoch,
                        "accuracy_exemplar": accuracy * (1 - 0.5**epoch),
                    }
                    for epoch in range(1, 9)
                ]
    types = {"K": "Int64", "M": "Int64"}
    return source_of(
        pd.DataFrame(runs, columns=[*RUN_COLUMNS, "train_seconds"]).astype(types),
        pd.DataFrame(curves, columns=CURVE_COLUMNS).astype(types),
    )
