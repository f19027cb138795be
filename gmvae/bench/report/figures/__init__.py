"""Figures, one file each, found by the name of the file.

A file ``NAME.py`` in one of the folders here defines ``draw(source) -> Figure``; the pipeline then
makes ``results/NAME.svg`` and ``results/NAME.png`` from it. A file that also defines
``table(source) -> DataFrame`` has ``draw(source, table) -> Figure`` and a third product,
``results/NAME.csv``. Captions are the docstrings of the file and of ``draw``. A function
``finding(source[, table]) -> str`` says in one sentence, with numbers, what the figure shows of the
runs at hand; it is empty if there is nothing to show. The class
`gmvae.bench.report.drawing.source.Source` gives access to tables and runs.
"""

from __future__ import annotations

import ast
import importlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmvae.bench.disk import files
from gmvae.bench.grid.sources import syntax_tree
from gmvae.bench.report.selection import FEWEST_TO_CHOOSE_FROM, GENERATIVE, SYNTHETIC

if TYPE_CHECKING:
    from gmvae.bench.grid.runs import Run
    from gmvae.bench.report.drawing.source import Source

FIRST = (
    *("against_published", "stability_grid", "stability_curves", "synthetic"),
    *("generation", "confusion", "confidence"),
)
"""Figures at the head of the report; the others follow by name."""
PNG_DPI = 200
FILES = {path.stem: path for path in sorted(Path(__file__).parent.glob("*/[!_]*.py"))}
"""File of each figure, by name."""


def available() -> list[str]:
    """Names of the figures, in the order of the report."""
    others = sorted(name for name in FILES if name not in FIRST)
    return [*(name for name in FIRST if name in FILES), *others]


def module_of(name: str) -> str:
    """Dotted path of the file of figure `name`."""
    return f"{__name__}.{FILES[name].parent.name}.{name}"


def needs_no_model(name: str) -> bool:
    """Whether figure `name` is drawn from tables and clusters alone."""
    return FILES[name].parent.name == "settings"


def shown_runs(name: str, runs: Iterable[Run]) -> list[Run]:
    """Runs that figure `name` shows; most figures show them all."""
    if name == "synthetic":
        return [run for run in runs if run.dataset == SYNTHETIC and run.class_path in GENERATIVE]
    if name == "generation":
        return [run for run in runs if run.dataset != SYNTHETIC and run.class_path in GENERATIVE]
    if name == "selection":
        listed = list(runs)
        seeds = Counter((run.dataset, run.method, run.setting) for run in listed)
        return listed if max(seeds.values(), default=0) >= FEWEST_TO_CHOOSE_FROM else []
    return list(runs)


def caption(name: str) -> str:
    """Caption of figure `name`, from the docstrings of its file."""
    tree = _tree(name)
    parts = [ast.get_docstring(tree), ast.get_docstring(_functions(tree)["draw"])]
    prose = " ".join((part or "").partition("Parameters\n---")[0] for part in parts)
    return " ".join(prose.split())


def finding(name: str, source: Source, tables_folder: Path) -> str:
    """One sentence on what figure `name` shows of these runs; empty if there is nothing to show.

    Parameters
    ----------
    name : str
        One of `available`.
    source : Source
    tables_folder : Path
        Folder with the table of the figure, if it has one.

    Returns
    -------
    str
        Empty, too, if the file of the figure has no function ``finding``.
    """
    from gmvae.bench.report.table_files import read_table

    module: Any = importlib.import_module(module_of(name))
    if not hasattr(module, "finding"):
        return ""
    has_table = hasattr(module, "table")
    tables = [read_table(tables_folder / f"{name}.csv")] if has_table else []
    sentence: str = module.finding(source, *tables)
    return sentence


def has_content(name: str, source: Source, tables_folder: Path) -> bool:
    """Whether figure `name` shows anything of these runs, as far as its file can tell.

    A figure about accuracy has nothing to show of data without labels. This is known only when the
    runs have been scored, so the workflow draws it (as a notice), and the page leaves it out.
    """
    is_told = "finding" in _functions(_tree(name))
    return not is_told or bool(finding(name, source, tables_folder))


def endings(name: str) -> tuple[str, ...]:
    """Endings of the files of figure `name`."""
    return ("svg", "png", "csv") if "table" in _functions(_tree(name)) else ("svg", "png")


def write_figure(name: str, source: Source, folder: Path, mark: str | None = None) -> list[Path]:
    """Draw one figure and write it as SVG and PNG, with its table if it has one.

    Parameters
    ----------
    name : str
        One of `available`.
    source : Source
    folder : Path
    mark : str or None
        Remark at the top of the figure.

    Returns
    -------
    list of Path
        The files.
    """
    # Late imports: the pipeline asks for the names of the figures each time it starts.
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    from gmvae.bench.report.drawing.layout import remark
    from gmvae.bench.report.drawing.style import apply_style
    from gmvae.bench.report.table_files import csv_text

    apply_style()
    module: Any = importlib.import_module(module_of(name))
    tables = [module.table(source)] if hasattr(module, "table") else []
    figure = module.draw(source, *tables)
    if mark:
        remark(figure, mark)
    for ending, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": PNG_DPI})):
        with files.replacing(folder / f"{name}.{ending}") as temporary:
            figure.savefig(temporary, **options)
    plt.close(figure)
    for table in tables:
        files.write_text(folder / f"{name}.csv", csv_text(table))
    return [folder / f"{name}.{ending}" for ending in endings(name)]


def _tree(name: str) -> ast.Module:
    return syntax_tree(FILES[name])


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
