"""Content of an archive, run by run, and its use in place of a results folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gmvae.bench.disk import files
from gmvae.bench.disk.errors import DataError
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.tables import UNSUPERVISED, ScoredRun
from gmvae.bench.runs import metrics
from gmvae.bench.runs.record import Record, Scores

RECORDS = "runs.jsonl"
ASSIGNMENTS = "assignments.npz"
ARRAYS = ("clusters", "exemplars", "train_clusters")
"""Of ``test.npz``."""
FOR_FIGURES = ("train_clusters",)
"""Those that only figures need; an archive of all runs, whose figures are drawn, lacks them."""


@dataclass(frozen=True)
class ArchivedRun:
    """A run of an archive.

    Attributes
    ----------
    record : Record
    scores : Scores
    arrays : mapping of str to ndarray
        Those of `ARRAYS` that the run has.
    last_epoch : mapping of str to float
        The last line of its ``history.csv``; empty for a method without epochs.
    """

    record: Record
    scores: Scores
    arrays: Mapping[str, NDArray[Any]]
    last_epoch: Mapping[str, float]

    @classmethod
    def read(cls, folder: Path) -> ArchivedRun:
        """Read what an archive keeps of the folder of a run."""
        test = files.read_arrays(folder / "test.npz")
        history = pd.read_csv(folder / "history.csv")
        finite = history.tail(1).dropna(axis=1).to_dict("records")
        return cls(
            Record.read(folder),
            Scores.read(folder),
            {name: _small(test[name]) for name in ARRAYS if name in test},
            next(iter(finite), {}),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values of all but the arrays."""
        return {
            "record": self.record.as_dict(),
            "scores": vars(self.scores),
            "last_epoch": dict(self.last_epoch),
        }

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Cluster of each test sample, shape (N,); empty for a run without clusters."""
        return self.arrays["clusters"].astype(np.int64)

    def scores_now(self, labels: NDArray[np.integer] | None) -> dict[str, Any] | None:
        """Final scores, computed from the clusters and the test labels; None without clusters.

        An archive has no latent codes, so the silhouette is the recorded one.
        """
        if not len(self.clusters):
            return None
        recorded = self.scores.final or {}
        return {
            **{name: recorded[name] for name in UNSUPERVISED if name in recorded},
            **vars(metrics.evaluate(self.clusters, self.arrays.get("exemplars"), labels)),
        }


@dataclass(frozen=True)
class ArchivedSource(Source):
    """Source of figures that need no model, for the runs of an archive.

    Attributes
    ----------
    archived : mapping of str to ArchivedRun
        By path.
    """

    archived: Mapping[str, ArchivedRun] = field(default_factory=dict)

    def record(self, path: str) -> Record:
        """Record of a run."""
        return self.archived[path].record

    def scores(self, path: str) -> Scores:
        """Scores of a run and of each of its epochs."""
        return self.archived[path].scores

    def assignments(self, path: str) -> dict[str, NDArray[Any]]:
        """Those arrays of ``test.npz`` that an archive keeps."""
        return dict(self.archived[path].arrays)

    def history(self, path: str) -> pd.DataFrame:
        """The last epoch alone."""
        last = self.archived[path].last_epoch
        return pd.DataFrame([last] if last else [])


def read_archive(folder: Path) -> list[ArchivedRun]:
    """Read the runs of an archive, in its order.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    path = folder / RECORDS
    if not path.is_file():
        raise DataError(f"{folder} is not an archive: it has no {RECORDS}")
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        parts = [(line["record"], line["scores"], line.get("last_epoch", {})) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not readable as records of runs ({error})") from error
    arrays = files.read_arrays(folder / ASSIGNMENTS)
    found = []
    for values, scores, last_epoch in parts:
        record = Record.from_dict(values, path)
        places = {name: f"{record.run.path}/{name}" for name in ARRAYS}
        own = {name: arrays[place] for name, place in places.items() if place in arrays}
        if "clusters" not in own:
            raise DataError(f"{folder / ASSIGNMENTS} has no clusters of {record.run.path}")
        found.append(ArchivedRun(record, Scores.from_dict(scores, path), own, last_epoch))
    return found


def counted(n_there: int, n_runs: int) -> str:
    """Number of runs of an archive, beside that of its config if it is another."""
    return f"{n_runs} runs" if n_there == n_runs else f"{n_there} of {n_runs} runs"


def scored_runs(archived: Iterable[ArchivedRun]) -> list[ScoredRun]:
    """The runs as the tables need them."""
    return [ScoredRun(run.record, run.scores, run.clusters) for run in archived]


def _small(array: NDArray[Any]) -> NDArray[Any]:
    """The same whole numbers in the smallest type that holds them, in the order that packs best."""
    least, most = int(array.min(initial=0)), int(array.max(initial=0))
    kind = np.promote_types(np.min_scalar_type(least), np.min_scalar_type(most))
    return array.astype(kind, order="F")
