"""Assignments of another program, behind the interface of a clusterer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if

from gmvae.bench.disk import files
from gmvae.bench.disk.errors import DataError
from gmvae.bench.grid.entries.foreign import CLUSTERS, PROBABILITIES, read_assignments


def _has_probabilities(estimator: Assignments) -> bool:
    return PROBABILITIES in estimator.read()


class Assignments:
    """A clusterer that has been fitted elsewhere, and whose answers for the test split are known.

    Parameters
    ----------
    n_clusters : int
    assignments : str
        Path of the file, see `gmvae.bench.grid.entries.foreign.read_assignments`.
    sha256 : str
        Its checksum.
    data_sha256 : str
        Checksum of the test images that it belongs to.
    """

    def __init__(self, n_clusters: int, assignments: str, sha256: str, data_sha256: str):
        self.n_clusters = n_clusters
        self.assignments = assignments
        self.sha256 = sha256
        self.data_sha256 = data_sha256

    def fit(self, Y: NDArray[Any]) -> Self:
        """Learn nothing."""
        return self

    def read(self) -> dict[str, NDArray[Any]]:
        """Read the arrays of the file.

        Raises
        ------
        DataError
            If it is not the file that was checked with the config.
        """
        path = Path(self.assignments)
        if path.is_file() and files.sha256(path) != self.sha256:
            raise DataError(f"{path} has changed since it was checked; run the same command again")
        return read_assignments(path, self.n_clusters)

    def predict(self, Y: NDArray[Any]) -> NDArray[Any]:
        """Cluster of each test sample, shape (N,)."""
        return self._one_for_each(self.read()[CLUSTERS], len(Y))

    @available_if(_has_probabilities)
    def predict_proba(self, Y: NDArray[Any]) -> NDArray[np.float64]:
        """Probability of each cluster, shape (N, K)."""
        return self._one_for_each(self.read()[PROBABILITIES], len(Y)).astype(np.float64)

    def check(self, n_test: int) -> None:
        """Refuse a file that has not one row for each of `n_test` test samples.

        Raises
        ------
        DataError
        """
        for rows in self.read().values():
            self._one_for_each(rows, n_test)

    def _one_for_each(self, rows: NDArray[Any], n_test: int) -> NDArray[Any]:
        if len(rows) != n_test:
            raise DataError(
                f"{self.assignments} has {len(rows)} assignments, but the test split has {n_test} "
                "samples; one for each is needed, in their order"
            )
        return rows
