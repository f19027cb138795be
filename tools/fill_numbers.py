"""Write the numbers of README and docs from the tables in results/reference.

``python tools/fill_numbers.py`` replaces what stands between two comments of a Markdown file,
``<!-- NAME -->`` and ``<!-- end of NAME -->``. A test fails if that would change a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gmvae.bench.report.figures.runs import synthetic
from gmvae.bench.report.numbers import number
from gmvae.bench.report.statistics import effects
from gmvae.bench.report.table_files import read_table

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "results" / "reference"
FOLDERS = {"": REFERENCE, " †": REFERENCE / "earlier"}
"""Where a setting is looked for, in this order, with the mark on its name."""
SHOWN = {
    "GMVAE": ("gmvae", [(10, 1), (10, 10), (16, 1), (16, 10), (30, 1), (30, 10)]),
    "GMVAE, warm start (ours)": ("gmvae_warm", None),
    "AAE": ("aae", None),
    "CatGAN": ("catgan", None),
    "DEC": ("dec", None),
    "VaDE": ("vade", None),
    "Plain VAE + Gaussian mixture": ("vae_gmm", None),
    "Plain VAE + k-means": ("vae_kmeans", None),
    "PCA + Gaussian mixture": ("pca_gmm", None),
    "Gaussian mixture": ("gmm", None),
    "k-means": ("kmeans", None),
}
"""Method and pairs of K and M of the rows of the README; None stands for the best K."""
HEADER = (
    "| method | K | M | exemplar | best | Hungarian | published | time |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def main() -> None:
    """Write the files."""
    for path, text in filled().items():
        path.write_text(text, encoding="utf-8")


def filled() -> dict[Path, str]:
    """Text of each file with numbers, as it should be."""
    blocks = {"table of results": table(), "findings in numbers": findings()}
    files = [ROOT / "README.md", ROOT / "docs" / "results.md"]
    return {path: _replaced(path.read_text(encoding="utf-8"), blocks) for path in files}


def _replaced(text: str, blocks: dict[str, str]) -> str:
    for name, block in blocks.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
        text = re.sub(pattern, lambda ends, new=block: ends[1] + new + ends[2], text, flags=re.S)
    return text


def table() -> str:
    """The table of the README."""
    rows = [
        (f"{name}{mark}", row)
        for name, (method, settings) in SHOWN.items()
        for mark, row in _rows(method, settings)
    ]
    lines = [f"| {' | '.join(_cells(name, row))} |\n" for name, row in rows]
    return HEADER + "".join(line.replace("|  |", "| |").replace("|  |", "| |") for line in lines)


def _rows(
    method: str, settings: list[tuple[int, int]] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a method with their marks; without settings, the row of the best K."""
    for mark, folder in FOLDERS.items():
        found = _table(folder, method)
        if settings is None and len(found):
            metric = "accuracy_exemplar_mean"
            if found[metric].isna().all():
                metric = "accuracy_hungarian_mean"
            yield mark, found.loc[found[metric].astype(float).idxmax()].to_dict()
            return
    for K, M in settings or ():
        for mark, folder in FOLDERS.items():
            found = _table(folder, method)
            found = found[(found["K"] == K) & (found["M"] == M)]
            if len(found):
                yield mark, found.iloc[0].to_dict()
                break


def _table(folder: Path, method: str) -> pd.DataFrame:
    """Rows of a method that were run on MNIST, with the median time of their runs."""
    rows = read_table(folder / "table1.csv")
    rows = rows[(rows["dataset"] == "mnist") & (rows["method"] == method) & (rows["n_runs"] > 0)]
    times = read_table(folder / "times.csv")
    keys = ["dataset", "method", "variant", "K", "M"]
    medians = times.groupby(keys, dropna=False)["train_seconds"].median().reset_index()
    # The earlier times of methods without a network were not taken with care.
    if folder != REFERENCE and method != "gmvae":
        medians["train_seconds"] = float("nan")
    return rows.merge(medians, on=keys, how="left").reset_index(drop=True)


def _cells(name: str, row: dict[str, Any]) -> list[str]:
    best = row["accuracy_exemplar_best"] if row["n_runs"] > 1 else None
    return [
        name,
        str(row["K"]),
        "" if pd.isna(row["M"]) else str(row["M"]),
        _spread(row, "accuracy_exemplar"),
        number(best),
        _spread(row, "accuracy_hungarian"),
        _published(row),
        number(row["train_seconds"], 0) and f"{row['train_seconds']:.0f} s",
    ]


def _spread(row: dict[str, Any], name: str) -> str:
    mean, std = row[f"{name}_mean"], row[f"{name}_std"]
    return number(mean) + (f" ± {number(std)}" if number(std) else "")


def _published(row: dict[str, Any]) -> str:
    if number(row["published_mean"]):
        return _spread(row, "published")
    if not number(row["published_best"]):
        return ""
    protocol = ", Hungarian" if "Hungarian" in str(row["published_source"]) else ""
    return f"{number(row['published_best'])} (best{protocol})"


def findings() -> str:
    """Sentences about the effects of K and M and about the synthetic data."""
    read = [
        *effects.sentences(read_table(REFERENCE / "stability_grid.csv")),
        *synthetic.sentences(read_table(REFERENCE / "synthetic.csv")),
    ]
    return "".join(f"- {sentence}\n" for sentence in read)


if __name__ == "__main__":
    main()
