"""Write the numbers of README and docs from the tables in results/reference.

``python tools/fill_numbers.py`` replaces what stands between two comments of a Markdown file,
``<!-- NAME -->`` and ``<!-- end of NAME -->``. A test fails if that would change a file.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gmvae.bench.report.figures.runs import synthetic
from gmvae.bench.report.numbers import duration, number
from gmvae.bench.report.selection import SYNTHETIC
from gmvae.bench.report.statistics import effects
from gmvae.bench.report.table_files import read_table
from gmvae.bench.report.tables import SETTING

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "results" / "reference"
MNIST, FASHION_MNIST = REFERENCE / "mnist", REFERENCE / "fashion_mnist"
SHOWN = {
    "GMVAE": ("gmvae", "fast-conv"),
    "GMVAE, one start": ("gmvae", "single"),
    "GMVAE, warm start (ours)": ("gmvae_warm", None),
    "AAE": ("aae", None),
    "CatGAN": ("catgan", None),
    "DEC": ("dec", None),
    "VaDE": ("vade", None),
    "VAE + Gaussian mixture": ("vae_gmm", None),
    "VAE + k-means": ("vae_kmeans", None),
    "PCA + Gaussian mixture": ("pca_gmm", None),
    "Gaussian mixture": ("gmm", None),
    "k-means": ("kmeans", None),
}
"""Method and variant of the rows; None stands for any."""
EVERY_K = ("gmvae",)
"""Methods of which the README shows every K; of the others it shows the best one."""
AIMS = {
    ("gmvae", "fast-conv", 10, 1): ("exemplar", 85.0),
    ("gmvae", "fast-conv", 16, 1): ("exemplar", None),
    ("gmvae", "fast-conv", 30, 1): ("exemplar", None),
    ("gmvae", "fast-conv", 10, 10): ("exemplar", None),
    ("gmvae", "fast-conv", 16, 10): ("exemplar", None),
    ("gmvae", "fast-conv", 30, 10): ("exemplar", None),
    ("gmvae_warm", "fast-conv", 10, 1): ("exemplar", 90.0),
    ("aae", "fast-fc", 16, None): ("exemplar", 80.0),
    ("aae", "fast-fc", 30, None): ("exemplar", 88.0),
    ("dec", "dec-fc", 10, None): ("Hungarian", 84.0),
    ("vade", "dec-fc", 10, None): ("Hungarian", 80.0),
}
"""Means that were aimed at before the runs: protocol and value, by method, variant, K and M. For
GMVAE it is the published one where nothing stands here, and the spread that of the paper."""
MOST_SPREAD = {"gmvae_warm": 4.0}
"""Largest standard deviation that was aimed at, where no published one stands for it."""
BEFORE = ("method", "K", "M", "exemplar", "best", "Hungarian")


def main() -> None:
    """Write the files."""
    for path, text in filled().items():
        path.write_text(text, encoding="utf-8")


def filled() -> dict[Path, str]:
    """Text of each file with numbers, as it should be."""
    blocks = {
        "table of results": table(MNIST, every_k=EVERY_K, published=True),
        "table of Fashion-MNIST": table(FASHION_MNIST, every_k=tuple(dict(SHOWN.values()))),
        "aims": aims(),
        "times": times(),
        "findings in numbers": findings(),
    }
    files = [ROOT / "README.md", ROOT / "docs" / "results.md", ROOT / "docs" / "running.md"]
    return {path: _replaced(path.read_text(encoding="utf-8"), blocks) for path in files}


def _replaced(text: str, blocks: dict[str, str]) -> str:
    for name, block in blocks.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
        text = re.sub(pattern, lambda ends, new=block: ends[1] + new + ends[2], text, flags=re.S)
    return text


def table(folder: Path, *, every_k: Collection[str], published: bool = False) -> str:
    """A table of the rows of an archive, one for each method, or for each of its K."""
    rows = _rows(folder)
    columns = [*BEFORE, *(["published"] if published else []), "time"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, (method, variant) in SHOWN.items():
        own = [row for row in rows if row["method"] == method and variant in (row["variant"], None)]
        for row in own if method in every_k else sorted(own, key=_quality)[-1:]:
            cells = _cells(name, row)
            lines.append(f"| {' | '.join(cells[column] for column in columns)} |")
    return "".join(f"{line}\n".replace("|  |", "| |").replace("|  |", "| |") for line in lines)


def aims() -> str:
    """A table of the aims and of what became of them."""
    lines = ["| row | protocol | aim | our runs | |", "|---|---|---|---|---|"]
    names = {method: name for name, (method, _) in reversed(SHOWN.items())}
    rows = {_setting(row): row for row in _rows(MNIST)}
    for setting, (protocol, aim) in AIMS.items():
        row, metric = rows[setting], f"accuracy_{protocol.lower()}"
        method, _, k, m = setting
        least = aim or row["published_mean"]
        most = row["published_std"] if method == "gmvae" else MOST_SPREAD.get(method, np.inf)
        is_met = row[f"{metric}_mean"] >= least and row[f"{metric}_std"] <= most
        cells = [
            f"{names[method]}, K = {k}" + (f", M = {m}" if m else ""),
            protocol,
            f"≥ {least:.1f}" + (f", std ≤ {most:.1f}" if np.isfinite(most) else ""),
            _spread(row, metric),
            "met" if is_met else "not met",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "".join(f"{line}\n" for line in lines)


def _setting(row: dict[str, Any]) -> tuple[str, str, int, int | None]:
    return row["method"], row["variant"], row["K"], None if pd.isna(row["M"]) else row["M"]


def _rows(folder: Path) -> list[dict[str, Any]]:
    """Rows of the images of an archive, with the median time of their runs."""
    rows, times = read_table(folder / "table1.csv"), read_table(folder / "times.csv")
    medians = times.groupby(SETTING, dropna=False)["train_seconds"].median().reset_index()
    return (
        rows[rows["dataset"] != SYNTHETIC]
        .merge(medians, on=SETTING, how="left")
        .sort_values(["K", "M"], kind="stable")
        .to_dict("records")
    )


def _quality(row: dict[str, Any]) -> tuple[bool, float]:
    """Mean accuracy, by the Hungarian protocol for a method without exemplars."""
    mean = row["accuracy_exemplar_mean"]
    return (True, mean) if number(mean) else (False, row["accuracy_hungarian_mean"])


def _cells(name: str, row: dict[str, Any]) -> dict[str, str]:
    best = row["accuracy_exemplar_best"] if row["n_runs"] > 1 else None
    seconds = row["train_seconds"]
    return {
        "method": name,
        "K": str(row["K"]),
        "M": "" if pd.isna(row["M"]) else str(row["M"]),
        "exemplar": _spread(row, "accuracy_exemplar"),
        "best": number(best),
        "Hungarian": _spread(row, "accuracy_hungarian"),
        "published": _published(row),
        "time": f"{seconds:.0f} s" if number(seconds) else "",
    }


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


def times() -> str:
    """Median training time of the runs of each method, and of all of them together."""
    found = read_table(MNIST / "times.csv")
    synthetic_ones = found["dataset"] == SYNTHETIC
    parts = {
        **{
            f"{name}{'' if pd.isna(m) else f', M = {m}'}": runs
            for name, (method, variant) in SHOWN.items()
            for m, runs in found[
                ~synthetic_ones
                & (found["method"] == method)
                & (found["variant"].eq(variant) if variant else True)
            ].groupby("M", dropna=False)
        },
        **{
            f"GMVAE on `{SYNTHETIC}`, M = {m}": runs
            for m, runs in found[synthetic_ones].groupby("M")
        },
    }
    lines = ["| runs | number | each (median) | together |", "|---|---|---|---|"]
    for name, runs in parts.items():
        seconds = runs["train_seconds"]
        whole = duration(len(runs) * seconds.median())
        lines.append(f"| {name} | {len(runs)} | {seconds.median():.0f} s | {whole} |")
    return "".join(f"{line}\n" for line in lines)


def findings() -> str:
    """Sentences about the effects of K and M, the style and the synthetic data."""
    read = [
        *effects.sentences(read_table(MNIST / "stability_grid.csv")),
        *effects.sentences(read_table(FASHION_MNIST / "stability_grid.csv")),
        *map(_style, read_table(MNIST / "generation.csv").to_dict("records")),
        *synthetic.sentences(read_table(MNIST / "synthetic.csv")),
    ]
    return "".join(f"- {sentence}\n" for sentence in read)


def _style(row: dict[str, Any]) -> str:
    mean, low, high = (100 * row[f"pixels_{name}"] for name in ("mean", "low", "high"))
    return (
        f"{row['dataset']}, K = {row['K']}, M = {row['M']}: given the component, the style w "
        f"explains {mean:.0f} % of the variance of the pixels (95 % interval {low:.0f} to "
        f"{high:.0f} %, {row['n_seeds']} runs)."
    )


if __name__ == "__main__":
    main()
