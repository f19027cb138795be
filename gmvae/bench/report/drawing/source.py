"""What figures are drawn from: the tables, and on demand the files of single runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gmvae.bench.disk import files
from gmvae.bench.disk.layout import DATA
from gmvae.bench.grid import methods
from gmvae.bench.report import tables
from gmvae.bench.runs.score import read_labels


@dataclass(frozen=True)
class Shown:
    """The run that stands for a method in the figures about single runs.

    Attributes
    ----------
    dataset, method : str
    K : int or None
    seed : int
    path : str
    choice : str
        How it was chosen.
    """

    dataset: str
    method: str
    K: int | None
    seed: int
    path: str
    choice: str


def majority_class(labels: NDArray[np.integer]) -> int:
    """The most frequent of the labels of a cluster, the lower one of two."""
    return int(np.bincount(labels).argmax())


def title_of(one: Shown) -> str:
    """Title of a panel about one run, in two lines."""
    k = "" if one.K is None else f", K = {one.K}"
    return f"{one.dataset}, {one.method}{k}\nseed {one.seed} ({one.choice})"


@dataclass(frozen=True)
class Source:
    """The runs that a figure shows.

    Attributes
    ----------
    runs : DataFrame
        As in `gmvae.bench.report.tables.Tables`, with the column ``train_seconds`` besides.
    curves : DataFrame
        As there.
    results : Path
        Folder below which the files of the runs are, at their ``path``.
    data : Path
        Folder of the data sets.
    scored : mapping of str to ScoredRun
        Records and scores of the runs by their ``path``.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    results: Path = Path("results")
    data: Path = DATA
    scored: Mapping[str, tables.ScoredRun] = field(default_factory=dict)

    @classmethod
    def of(cls, scored: Iterable[tables.ScoredRun], results: Path, data: Path = DATA) -> Source:
        """The source of figures about scored runs below `results`."""
        listed = list(scored)
        built = tables.build(listed)
        times = built.times[["path", "train_seconds"]]
        runs = built.runs.merge(times, on="path", validate="1:1")
        return cls(runs, built.curves, results, data, {run.path: run for run in listed})

    @property
    def finished(self) -> pd.DataFrame:
        """Rows of `runs` with a result that labels were compared with."""
        is_scored = self.runs["accuracy_hungarian"].notna()
        return self.runs[(self.runs["status"] == "finished") & is_scored]

    def assignments(self, path: str) -> dict[str, NDArray[Any]]:
        """Arrays of ``test.npz``: ``clusters`` and, for some methods, more."""
        return files.read_arrays(self.results / path / "test.npz")

    def history(self, path: str) -> pd.DataFrame:
        """Epoch means of a training; empty for a method without epochs."""
        return pd.read_csv(self.results / path / "history.csv")

    def estimator(self, path: str) -> Any:
        """The trained model, of a method whose class has ``load``."""
        cls: Any = methods.import_class(self.scored[path].record["run"]["class_path"])
        return cls.load(self.results / path / "model.safetensors")

    def labels(self, dataset: str) -> NDArray[np.int64]:
        """Labels of the test split, shape (N,); those of a finished run are there."""
        labels = read_labels(self.data / dataset / "test-labels.npy")
        assert labels is not None
        return labels

    def images(self, dataset: str) -> NDArray[Any]:
        """Test samples as they are stored, bytes or real values, of any shape (N, ...)."""
        return files.read_array(self.data / dataset / "test-images.npy")

    def one_of_each_method(self) -> list[Shown]:
        """For each data set and method one run, of the setting with K nearest to the classes.

        Of several such settings it is the first; which of its seeds tells `representative`. The
        synthetic data have a figure of their own.
        """
        shown = []
        finished = self.finished[self.finished["dataset"] != tables.SYNTHETIC]
        for (dataset, method), runs in finished.groupby(["dataset", "method"], sort=False):
            distance = (runs["K"] - len(np.unique(self.labels(dataset)))).abs().fillna(0)
            nearest = runs[distance == distance.min()]
            settings = nearest.groupby(["variant", "M"], sort=False, dropna=False)
            _, seeds = next(iter(settings))
            run = self.representative(seeds)
            median = {1: "the only run", 2: "lower of two"}.get(len(seeds), "median")
            choice = median if pd.isna(run["elbo"]) else "best ELBO"
            k = None if pd.isna(run["K"]) else int(run["K"])
            shown.append(Shown(dataset, method, k, int(run["seed"]), run["path"], choice))
        return shown

    def representative(self, runs: pd.DataFrame) -> pd.Series:
        """The row of the run to show for a setting.

        It is the run with the best training ELBO; of a method that has none, the one whose
        accuracy (Hungarian) is the median, the lower one of two.
        """
        with_elbo = runs[runs["elbo"].notna()]
        if len(with_elbo):
            return with_elbo.loc[with_elbo["elbo"].astype(float).idxmax()]
        ordered = runs.sort_values(["accuracy_hungarian", "seed"], kind="stable")
        return ordered.iloc[(len(ordered) - 1) // 2]
