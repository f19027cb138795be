"""What is kept of a method's test probabilities for scoring: clusters and their exemplars."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def exemplars(probabilities: NDArray[np.floating]) -> NDArray[np.int32]:
    """The most probable samples of each cluster that is in use, with all ties.

    Probabilities saturate: a confident mixture gives hundreds of samples a 1. The order of the
    samples must not decide among them, so all are kept.

    Parameters
    ----------
    probabilities : ndarray, shape (N, K)

    Returns
    -------
    ndarray of int, shape (n, 2)
        Pairs of a cluster and one of its most probable samples, ordered.
    """
    used = np.unique(probabilities.argmax(axis=1))
    is_best = probabilities[:, used] == probabilities[:, used].max(axis=0)
    which, samples = np.nonzero(is_best.T)
    return np.stack([used[which], samples], axis=1).astype(np.int32)


class EpochRecorder:
    """Notes the test assignment of every epoch while a method trains.

    It is passed to ``fit`` as ``on_epoch``; the method keeps what it returns in ``records_`` and in
    its checkpoints.

    Parameters
    ----------
    test_images : ndarray, shape (N, n_features)

    Attributes
    ----------
    seconds : float
        Time that this took, which is none of the training's.
    """

    def __init__(self, test_images: NDArray[Any]):
        self._test_images = test_images
        self.seconds = 0.0

    def __call__(self, estimator: Any, epoch: int) -> dict[str, NDArray[np.int32]]:
        """Clusters of the test samples, shape (N,), and their exemplars, after `epoch` epochs."""
        started = time.perf_counter()
        probabilities = estimator.predict_proba(self._test_images)
        noted = {
            "clusters": probabilities.argmax(axis=1).astype(np.int32),
            "exemplars": exemplars(probabilities),
        }
        self.seconds += time.perf_counter() - started
        return noted


def stacked(records: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[np.int32]]:
    """What an `EpochRecorder` noted, as two arrays.

    Parameters
    ----------
    records : sequence of mapping
        One for each epoch.

    Returns
    -------
    dict
        ``clusters`` of shape (epochs, N), and ``exemplars`` of shape (n, 3): epoch from 0, cluster,
        sample. Both are empty for a method without epochs.
    """
    if not records:
        return {"clusters": np.zeros((0, 0), np.int32), "exemplars": np.zeros((0, 3), np.int32)}
    pairs = [np.insert(noted["exemplars"], 0, epoch, 1) for epoch, noted in enumerate(records)]
    return {
        "clusters": np.stack([noted["clusters"] for noted in records]),
        "exemplars": np.concatenate(pairs),
    }
