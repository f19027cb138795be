"""Figures: one file each in this folder, found by its name.

A file ``NAME.py`` here defines ``draw(source) -> Figure`` and is then a product
``results/NAME.svg`` and ``.png`` of the pipeline. What it may draw from is in
`gmvae.bench.report.drawing.source.Source`.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmvae.bench.disk import files
from gmvae.bench.report.tables import SYNTHETIC

if TYPE_CHECKING:
    from gmvae.bench.grid.runs import Run
    from gmvae.bench.report.drawing.source import Source

FIRST = ("stability_grid", "stability_curves", "synthetic", "generation", "confusion", "confidence")
"""The order in which readers meet them; others come after, by name."""
HELPERS = ("mosaic", "source", "style")
WITH_TABLE = ("stability_grid", "synthetic")
"""Those with a function ``table(source) -> DataFrame``, which becomes ``results/NAME.csv``."""
OF_MODELS = ("synthetic", "generation")
"""Those that load trained models; the others are drawn from scores and test assignments."""
GENERATIVE = ("gmvae.estimator.GMVAE", "gmvae.GMVAE", "baselines.gmvae_warm.WarmGMVAE")
"""Methods with ``load``, ``sample`` and ``reconstruct`` as GMVAE has them."""
PNG_DPI = 200


def available() -> list[str]:
    """Names of the figures."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    others = sorted(name for name in names if name not in (*HELPERS, *FIRST))
    return [*(name for name in FIRST if name in names), *others]


def shown_runs(name: str, runs: Iterable[Run]) -> list[Run]:
    """Those of `runs` that figure `name` needs; most need them all."""
    if name == "synthetic":
        return [run for run in runs if run.dataset == SYNTHETIC and run.class_path in GENERATIVE]
    if name == "generation":
        return [run for run in runs if run.dataset != SYNTHETIC and run.class_path in GENERATIVE]
    return list(runs)


def caption(name: str) -> str:
    """What a reader has to know of figure `name`, from the docstrings of its file."""
    tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    draw = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "draw")
    parts = [ast.get_docstring(tree), ast.get_docstring(draw)]
    prose = " ".join((part or "").partition("Parameters\n---")[0] for part in parts)
    return " ".join(prose.split())


def endings(name: str) -> tuple[str, ...]:
    """Of the files of figure `name`."""
    return ("svg", "png", "csv") if name in WITH_TABLE else ("svg", "png")


def write_figure(name: str, source: Source, folder: Path, mark: str | None = None) -> None:
    """Draw one figure and write it as SVG and PNG, with its table if it has one.

    Parameters
    ----------
    name : str
        One of `available`.
    source : Source
    folder : Path
        Where the files go.
    mark : str or None
        Remark that goes on the figure.
    """
    # Imported late: the pipeline asks for the names of the figures each time that it starts.
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    from gmvae.bench.report.drawing.style import apply_style

    apply_style()
    module: Any = importlib.import_module(f"{__name__}.{name}")
    figure = module.draw(source)
    if mark:
        figure.suptitle(mark, fontsize=8, color="0.35")
    for ending, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": PNG_DPI})):
        with files.replacing(folder / f"{name}.{ending}") as temporary:
            figure.savefig(temporary, **options)
    plt.close(figure)
    if name in WITH_TABLE:
        text = module.table(source).to_csv(index=False, lineterminator="\n")
        files.write_text(folder / f"{name}.csv", text)
