"""The first sentences of the page: what was compared, what was best, how far from the paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from gmvae.bench.report.drawing.names import counted, setting_of
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.numbers import signed
from gmvae.bench.report.page.claims import nearest
from gmvae.bench.report.published import published
from gmvae.bench.report.selection import PARTS_OF_PUBLISHED, PUBLISHED_DATASET, SYNTHETIC
from gmvae.bench.report.tables import Tables

TWO_STEPS = ("vae_kmeans", "vae_gmm")
WHY_TWO_STEPS = (
    "A likely reason: the former clusters the codes of an autoencoder that is finished, while "
    "GMVAE learns codes and clusters at once"
)
"""Why a plain VAE can win; study 7 of docs/method.md has what longer training of GMVAE changes."""
PROTOCOLS = (
    "Hungarian accuracy matches each class with one cluster. Exemplar accuracy, the paper's, gives "
    "each cluster the class of its surest sample; several clusters may share a class, so a larger "
    "K helps. After ±: the standard deviation over seeds."
)


def summary(source: Source, tables: Tables) -> list[str]:
    """Sentences on what was compared, what came out best, and how far that is from the paper.

    Parameters
    ----------
    source : Source
    tables : Tables
    """
    rows = tables.table1[(tables.table1["dataset"] != SYNTHETIC) & (tables.table1["n_runs"] > 0)]
    found = []
    for dataset, ours in rows.groupby("dataset", sort=False):
        found.append(_compared(dataset, ours, source))
        scored = ours[ours["accuracy_hungarian_mean"].notna()]
        if len(scored):
            found.append(_winner(scored, len(source.class_names(dataset))))
            found += _distance(dataset, scored)
        else:
            found += _without_labels(ours)
    return found


def _compared(dataset: str, ours: pd.DataFrame, source: Source) -> str:
    files = [source.data / dataset / f"{split}-images.npy" for split in ("train", "test")]
    samples = [len(np.load(path, mmap_mode="r", allow_pickle=False)) for path in files]
    seeds = " or ".join(map(str, sorted({int(n) for n in ours["n_runs"]})))
    seeds += " seed" if seeds == "1" else " seeds"
    kinds = set(ours["origin"].dropna())
    but = f" ({' and '.join(sorted(kinds))} rows: see below the table)" if kinds else ""
    return (
        f"{dataset}: {counted(ours['method'].nunique(), 'method')} in "
        f"{counted(len(ours), 'setting')} with {seeds} each, trained on {samples[0]:,} "
        f"samples without their labels and scored on {samples[1]:,} others{but}."
    )


def _winner(ours: pd.DataFrame, n_classes: int) -> str:
    """The best setting with a cluster per class; GMVAE beside it, or else the next best method."""
    near = ours[ours["K"] == n_classes]
    at = "Of all settings" if near.empty else f"At K = {n_classes}"
    common = ["dataset"] if near.empty else ["dataset", "K"]
    best_first = (ours if near.empty else near).sort_values(
        "accuracy_hungarian_mean", ascending=False, kind="stable"
    )
    best = best_first.iloc[0]
    is_ours = best_first["method"] == "gmvae"
    # The same as in the claims.
    others = nearest(ours[ours["method"] == "gmvae"], n_classes)
    if best["method"] == "gmvae":
        others = best_first[~is_ours]
    sentence = (
        f"{at}, {setting_of(best, common)} has the highest mean Hungarian accuracy, "
        f"{_spread(best, 'accuracy_hungarian')} %"
    )
    if len(others):
        other = others.iloc[0]
        score = _spread(other, "accuracy_hungarian")
        beside = "; the next method, " if best["method"] == "gmvae" else ". "
        sentence += f"{beside}{setting_of(other, common)}{',' * (beside[0] == ';')} has {score} %"
    if best["method"] in TWO_STEPS and is_ours.any():
        sentence += f". {WHY_TWO_STEPS}"
    return f"{sentence}."


def _without_labels(ours: pd.DataFrame) -> Iterator[str]:
    """The settings that are first by what can be known without labels."""
    yield "These data have no labels: nothing here says which clusters are right."
    for column, text in (
        ("agreement", "The seeds agree most in {} (mean adjusted Rand index {:.2f})."),
    ):
        if column in ours and ours[column].notna().any():
            best = ours.loc[ours[column].astype(float).idxmax()]
            yield text.format(setting_of(best, ["dataset"]), best[column])


def _distance(dataset: str, ours: pd.DataFrame) -> Iterator[str]:
    """Distance of GMVAE from the means in the paper, if the data are digits of MNIST."""
    if dataset not in (PUBLISHED_DATASET, *PARTS_OF_PUBLISHED):
        return
    theirs = published().set_index(["method", "K", "M"])
    gmvae = ours[ours["method"] == "gmvae"]
    parts = []
    for row in gmvae[gmvae["variant"] == gmvae["variant"].iloc[:1].squeeze()].to_dict("records"):
        key = ("gmvae", row["K"], row["M"])
        if key in theirs.index:
            difference = row["accuracy_exemplar_mean"] - theirs.loc[key, "mean"]
            parts.append(
                f"K = {row['K']}, M = {row['M']}: {_spread(row, 'accuracy_exemplar')} % here, "
                f"{theirs.loc[key, 'mean']:.1f} ± {theirs.loc[key, 'std']:.1f} % there "
                f"({signed(difference)})"
            )
    if parts:
        less = PARTS_OF_PUBLISHED.get(dataset)
        remark = f" The paper used {less}." if less else ""
        yield f"GMVAE and the paper, by its protocol (exemplar): {'; '.join(parts)}.{remark}"


def _spread(row: Mapping[str, Any], name: str) -> str:
    mean, std = row[f"{name}_mean"], row[f"{name}_std"]
    return f"{mean:.1f}" + ("" if pd.isna(std) else f" ± {std:.1f}")
