"""The part of a run that decides its result: the estimator, its samples, and its assignments.

An edit of this file makes every run out of date; files, locks and limits are in ``train.py``.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk.errors import ConfigError
from gmvae.bench.grid.methods import import_class
from gmvae.bench.grid.runs import Run
from gmvae.bench.grid.sources import is_own
from gmvae.clusterer.selection import compared_rows


def build(run: Run) -> Any:
    """Make the unfitted estimator of a run.

    Raises
    ------
    ConfigError
        If its class does not take the parameters.
    """
    cls = import_class(run.class_path)
    accepted = inspect.signature(cls).parameters
    arguments = run.arguments(accepted)
    if "random_state" in accepted:
        arguments["random_state"] = run.seed
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ConfigError(f"{run.class_path} cannot be made with {arguments}: {error}") from error


def as_taken(estimator: Any, images: NDArray[Any]) -> NDArray[Any]:
    """Flat samples: bytes for methods that scale them batch by batch, else values in [0, 1].

    Parameters
    ----------
    estimator : object
    images : ndarray, shape (N, ...)

    Returns
    -------
    ndarray, shape (N, n_features)
    """
    flat = images.reshape(len(images), -1)
    if flat.dtype != np.uint8 or getattr(estimator, "accepts_bytes", False):
        return flat
    return flat.astype(np.float32) / np.float32(255)


def tell_shape(estimator: Any, images: NDArray[Any]) -> None:
    """Tell an estimator the shape of its images, unless a config has done so.

    Parameters
    ----------
    estimator : object
        Unfitted.
    images : ndarray, shape (N, height, width), (N, height, width, channels) or (N, n_features)
    """
    if images.ndim in (3, 4) and getattr(estimator, "image_shape", False) is None:
        estimator.set_params(image_shape=images.shape[1:])


class EpochRecorder:
    """Test assignment after every epoch, taken while a method trains.

    It is passed to ``fit`` as ``on_epoch``; the method keeps what it returns in ``records_`` and in
    its checkpoints.

    Parameters
    ----------
    test : ndarray, shape (N, n_features)

    Attributes
    ----------
    seconds : float
        Time spent here, which does not count as training.
    """

    def __init__(self, test: NDArray[Any]):
        self._test = test
        self.seconds = 0.0

    def __call__(self, estimator: Any, epoch: int) -> dict[str, NDArray[np.int32]]:
        """Clusters of the test samples, shape (N,), and their exemplars, after `epoch` epochs."""
        started = time.perf_counter()
        probabilities = estimator.predict_proba(self._test)
        noted = {
            "clusters": probabilities.argmax(axis=1).astype(np.int32),
            "exemplars": exemplars(probabilities),
        }
        self.seconds += time.perf_counter() - started
        return noted


def exemplars(probabilities: NDArray[np.floating]) -> NDArray[np.int32]:
    """Most probable samples of each cluster that is in use, with all ties.

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


def by_epoch(records: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[np.int32]]:
    """Assignments that an `EpochRecorder` took, as two arrays.

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


def final(estimator: Any, test: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Arrays of ``test.npz``: clusters, and probabilities, exemplars and codes if there are any.

    ``train_clusters`` are those of at most `N_COMPARED` training samples, by which runs are
    compared without labels.

    Parameters
    ----------
    estimator : object
        Fitted.
    test : ndarray, shape (N, n_features)
    """
    return {
        **_assignment(estimator, test),
        **_codes(estimator, test),
        **_training_assignment(estimator),
    }


def _training_assignment(estimator: Any) -> dict[str, NDArray[np.int32]]:
    if not hasattr(estimator, "labels_"):
        return {}
    clusters = np.asarray(estimator.labels_, dtype=np.int32)
    return {"train_clusters": clusters[compared_rows(len(clusters))]}


def _assignment(estimator: Any, test: NDArray[Any]) -> dict[str, NDArray[Any]]:
    if not hasattr(estimator, "predict_proba"):
        clusters = np.asarray(estimator.predict(test))
        if clusters.min() < 0:
            # Some clusterers label noise -1; for the scores it is a cluster of its own.
            clusters = np.where(clusters < 0, clusters.max() + 1, clusters)
        return {"clusters": clusters.astype(np.int32)}
    probabilities = np.asarray(estimator.predict_proba(test))
    return {
        "clusters": probabilities.argmax(axis=1).astype(np.int32),
        "exemplars": exemplars(probabilities),
        "probabilities": probabilities.astype(np.float32),
    }


def _codes(estimator: Any, test: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """Codes of the samples in a latent space that the method has.

    The ``transform`` of scikit-learn's clusterers gives distances to centres, maybe thousands: only
    a ``transform`` that a class of this project defines stands for a latent space.
    """
    own = (cls for cls in type(estimator).__mro__ if is_own(cls.__module__))
    if not any("transform" in vars(cls) for cls in own):
        return {}
    return {"codes": np.asarray(estimator.transform(test), dtype=np.float32)}
