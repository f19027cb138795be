"""Figures: one file each in this folder, found by its name.

A file ``NAME.py`` here defines ``draw(runs, curves) -> Figure`` and is then a product
``results/NAME.svg`` and ``.png`` of the pipeline. Both arguments are the tidy tables of
`gmvae.bench.tables.Tables`; `runs` has the column ``train_seconds`` besides.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from gmvae.bench import files

HELPERS = ("style",)
PNG_DPI = 200


def available() -> list[str]:
    """Names of the figures."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(name for name in names if name not in HELPERS)


def write_figure(name: str, folder: Path, mark: str | None = None) -> None:
    """Draw one figure from the tables in `folder` and write it there as SVG and PNG.

    Parameters
    ----------
    name : str
        One of `available`.
    folder : Path
        With ``runs.csv``, ``times.csv`` and ``curves.csv``.
    mark : str or None
        Remark that goes on the figure.
    """
    # Imported late: the pipeline asks for the names of the figures each time that it starts.
    import matplotlib as mpl
    import pandas as pd

    mpl.use("agg")
    import matplotlib.pyplot as plt

    from gmvae.bench.figures.style import apply_style

    types = {"K": "Int64", "M": "Int64"}
    runs = pd.read_csv(folder / "runs.csv", dtype=types)
    times = pd.read_csv(folder / "times.csv")[["path", "train_seconds"]]
    runs = runs.merge(times, on="path", validate="1:1")
    curves = pd.read_csv(folder / "curves.csv", dtype=types)
    apply_style()
    figure = importlib.import_module(f"{__name__}.{name}").draw(runs, curves)
    if mark:
        figure.suptitle(mark, fontsize=8, color="0.35")
    for ending, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": PNG_DPI})):
        with files.replacing(folder / f"{name}.{ending}") as temporary:
            figure.savefig(temporary, **options)
    plt.close(figure)
