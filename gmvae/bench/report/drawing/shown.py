"""Runs that figures about single runs show: which ones, and their full names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gmvae.bench.report.drawing.layout import wrapped
from gmvae.bench.report.tables import SETTING

TITLE_SIZE = 8  # points
LINE = 0.13  # inches from line to line of a title


@dataclass(frozen=True)
class Shown:
    """A run that represents a setting, or a method by one of its settings.

    Attributes
    ----------
    dataset, method : str
    variant, network : str or None
    K, M : int or None
    seed : int
    path : str
    origin : str or None
        One of `gmvae.bench.runs.record.ORIGINS`.
    choice : str
        Rule by which the run was chosen among those of its setting.
    """

    dataset: str
    method: str
    variant: str | None
    network: str | None
    K: int | None
    M: int | None
    seed: int
    path: str
    origin: str | None
    choice: str

    @property
    def parts(self) -> list[str]:
        """Everything that tells a run of a grid from the others."""
        kind = [self.dataset, self.method, self.variant]
        if self.network != self.variant:  # by default, the network is the variant
            kind.append(self.network)
        numbers = [f"{name} = {getattr(self, name)}" for name in ("K", "M") if getattr(self, name)]
        return [*filter(None, [*kind, *numbers, self.origin]), f"seed {self.seed}"]

    @property
    def name(self) -> str:
        """The parts in one line."""
        return ", ".join(self.parts)

    def title(self, width: float) -> str:
        """Title of a panel about the run, with the rule of its choice.

        Parameters
        ----------
        width : float
            Inches that a line can have.
        """
        parts = self.parts
        text = [f"{part}," for part in parts[:-1]] + [parts[-1], f"({self.choice})"]
        return wrapped(text, width, TITLE_SIZE)


def title_height(titles: Iterable[str]) -> float:
    """Inches of the title with most lines."""
    return LINE * max(title.count("\n") + 1 for title in titles)


def shown_of(seeds: pd.DataFrame, network: Any) -> Shown:
    """The run that represents the runs of one setting.

    Parameters
    ----------
    seeds : DataFrame
        Finished runs of one setting.
    network : callable
        From the path of a run to the name of its network, or None.
    """
    run = representative(seeds)
    kept = run[[*SETTING, "origin"]].items()
    known: dict[str, Any] = {name: None if pd.isna(value) else value for name, value in kept}
    known |= {name: int(known[name]) for name in ("K", "M") if known[name] is not None}
    path, seed = run["path"], int(run["seed"])
    return Shown(**known, network=network(path), seed=seed, path=path, choice=_choice(seeds))


def representative(runs: pd.DataFrame) -> pd.Series:
    """The row of the run that represents a setting.

    It is the run with the best training ELBO. If the method has no ELBO, it is the run with the
    median Hungarian accuracy (of two runs, the lower one); without labels, the first run.
    """
    with_elbo = runs[runs["elbo"].notna()]
    if len(with_elbo):
        return with_elbo.loc[with_elbo["elbo"].astype(float).idxmax()]
    if runs["accuracy_hungarian"].isna().all():
        return runs.iloc[0]
    ordered = runs.sort_values(["accuracy_hungarian", "seed"], kind="stable")
    return ordered.iloc[(len(ordered) - 1) // 2]


def nearest_in_k(runs: pd.DataFrame, n_classes: int) -> pd.DataFrame:
    """Runs of the first setting of a method among those with K nearest to the classes."""
    if n_classes:
        distance = (runs["K"] - n_classes).abs().fillna(0)
        runs = runs[distance == distance.min()]
    _, seeds = next(iter(runs.groupby(SETTING, sort=False, dropna=False)))
    return seeds


def majority_class(labels: np.ndarray) -> int:
    """The most frequent label of a cluster; of equally frequent ones the lowest."""
    return int(np.bincount(labels).argmax())


def _choice(seeds: pd.DataFrame) -> str:
    n = len(seeds)
    if n == 1:
        return "the only run"
    if seeds["elbo"].notna().any():
        return f"best ELBO of {n} runs"
    if seeds["accuracy_hungarian"].isna().all():
        return f"first of {n} runs"
    return "lower accuracy of 2 runs" if n == 2 else f"median accuracy of {n} runs"
