"""Clusterers without ``predict``: fitted to training and test samples together, without labels."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk.errors import RunError

BYTES_OF_A_PAIR = 8
CHOICE_SEED = 0


class Transductive:
    """A clusterer that is fitted to training and test samples, and then knows the test clusters.

    Parameters
    ----------
    estimator : object
        Unfitted, with ``fit`` and, after it, ``labels_``.
    test : ndarray, shape (N, n_features)
    max_samples : int, optional
        Largest number of samples to fit to. The test samples are always among them; training
        samples are chosen at random, the same for every seed. By default all are used, if the
        distances between all pairs fit into the memory of the machine.

    Attributes
    ----------
    labels_ : ndarray of int
        Clusters of the training samples.
    """

    def __init__(self, estimator: Any, test: NDArray[Any], max_samples: int | None = None):
        self.estimator, self.test, self.max_samples = estimator, test, max_samples

    def fit(self, Y: NDArray[Any]) -> Self:
        """Fit to training samples `Y`, shape (n_samples, n_features), and the test samples.

        Raises
        ------
        RunError
            If the samples are too many, or `max_samples` too few.
        """
        train = self._chosen(Y)
        clusters = np.asarray(self.estimator.fit_predict(np.concatenate([train, self.test])))
        self.labels_, self._test_clusters = np.split(clusters, [len(train)])
        return self

    def predict(self, Y: NDArray[Any]) -> NDArray[np.integer]:
        """Clusters of the test samples, shape (N,); there are none for any others."""
        assert Y is self.test
        return self._test_clusters

    def _chosen(self, train: NDArray[Any]) -> NDArray[Any]:
        n_test, name = len(self.test), type(self.estimator).__name__
        if self.max_samples is None:
            _require_memory(name, len(train) + n_test, n_test)
            return train
        room = self.max_samples - n_test
        if room < 0:
            raise RunError(
                f"{name}: max_samples is {self.max_samples:,}, but the test split alone has "
                f"{n_test:,} samples, and all of them are clustered; give at least that many"
            )
        if room >= len(train):
            return train
        rows = np.random.default_rng(CHOICE_SEED).choice(len(train), room, replace=False)
        return train[np.sort(rows)]


def _require_memory(name: str, n_samples: int, n_test: int) -> None:
    needed = BYTES_OF_A_PAIR * n_samples**2
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise RunError(
            f"{name} has no predict, so training and test samples are clustered together: the "
            f"distances between all pairs of {n_samples:,} samples need {needed / 1e9:.0f} GB, but "
            f"this machine has {there / 1e9:.0f} GB. Set max_samples among its parameters, like "
            f"{{max_samples: {n_test + 5000}}}, for the test samples and some training samples; "
            f"or {{max_samples: {n_samples}}} if it does without these distances"
        )
