"""Data of the figures: the tables of a grid, and on demand the files of single runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gmvae.bench.disk import files
from gmvae.bench.disk.layout import CLASS_NAMES, DATA
from gmvae.bench.grid import methods
from gmvae.bench.report.drawing.shown import Shown, nearest_in_k, shown_of
from gmvae.bench.report.selection import SYNTHETIC
from gmvae.bench.report.table_files import read_table
from gmvae.bench.report.tables import SETTING
from gmvae.bench.runs.record import Record, Scores


@dataclass(frozen=True)
class Source:
    """Tables and runs for the figures; everything is read when it is first needed.

    Attributes
    ----------
    tables : Path
        Folder with ``runs.csv``, ``curves.csv`` and ``times.csv``.
    results : Path
        Folder below which each run has its files, at its ``path``.
    data : Path
        Folder of the data sets.
    """

    tables: Path
    results: Path
    data: Path = DATA

    @cached_property
    def runs(self) -> pd.DataFrame:
        """As in `gmvae.bench.report.tables.Tables`, with ``train_seconds`` as one more column."""
        times = read_table(self.tables / "times.csv")[["path", "train_seconds"]]
        return read_table(self.tables / "runs.csv").merge(times, on="path", validate="1:1")

    @cached_property
    def curves(self) -> pd.DataFrame:
        """As in `gmvae.bench.report.tables.Tables`."""
        return read_table(self.tables / "curves.csv")

    @property
    def finished(self) -> pd.DataFrame:
        """Rows of `runs` that finished and were compared with labels."""
        is_scored = self.runs["accuracy_hungarian"].notna()
        return self.runs[(self.runs["status"] == "finished") & is_scored]

    def record(self, path: str) -> Record:
        """Record of a run."""
        return Record.read(self.results / path)

    def scores(self, path: str) -> Scores:
        """Scores of a run and of each of its epochs."""
        return Scores.read(self.results / path)

    def assignments(self, path: str) -> dict[str, NDArray[Any]]:
        """Arrays of ``test.npz``: ``clusters`` and, for some methods, more."""
        return files.read_arrays(self.results / path / "test.npz")

    def history(self, path: str) -> pd.DataFrame:
        """Epoch means of a training; empty for a method without epochs."""
        return pd.read_csv(self.results / path / "history.csv")

    def estimator(self, path: str) -> Any:
        """The trained model, for a method whose class has ``load``."""
        cls: Any = methods.import_class(self.record(path).run.class_path)
        return cls.load(self.results / path / "model.safetensors")

    def labels(self, dataset: str) -> NDArray[np.int64]:
        """Labels of the test split, shape (N,); empty if the data set has none."""
        return files.read_array(self.data / dataset / "test-labels.npy")

    def class_names(self, dataset: str) -> list[str]:
        """Name of each class of a data set, in the order of its labels."""
        path = self.data / dataset / CLASS_NAMES
        known = files.read_json(path) if path.is_file() else []
        n_classes = int(self.labels(dataset).max(initial=-1)) + 1
        return known or [str(number) for number in range(n_classes)]

    def images(self, dataset: str) -> NDArray[Any]:
        """Test samples as they are stored, bytes or real values, shape (N, ...)."""
        return files.read_array(self.data / dataset / "test-images.npy")

    def network(self, path: str) -> str | None:
        """Name of a run's network, if it has one of several."""
        run = self.record(path).run
        arguments = methods.find(run.method, run.class_path).arguments
        network = run.parameters.get("network", arguments.get("network"))
        return network if isinstance(network, str) else None

    def one_of_each_setting(self) -> list[Shown]:
        """One run of each setting with labels; the synthetic data have a figure of their own."""
        finished = self.finished[self.finished["dataset"] != SYNTHETIC]
        settings = finished.groupby(SETTING, sort=False, dropna=False)
        return [shown_of(seeds, self.network) for _, seeds in settings]

    def one_of_each_method(self) -> list[Shown]:
        """For each data set and method, one run of the setting with K nearest to the classes.

        If several settings are equally near, the first one counts; without labels, the first of
        all. The synthetic data are left out: they have a figure of their own.
        """
        runs = self.runs[(self.runs["status"] == "finished") & (self.runs["dataset"] != SYNTHETIC)]
        return [
            shown_of(nearest_in_k(group, len(np.unique(self.labels(dataset)))), self.network)
            for (dataset, _), group in runs.groupby(["dataset", "method"], sort=False)
        ]
