"""What a run leaves behind: assignments, history, model and, last of all, ``run.json``."""

from __future__ import annotations

import datetime
import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import write_manifest
from gmvae.bench.disk.layout import RUN_PRODUCTS, TRAIN_LIST
from gmvae.bench.grid.methods import OWN_PACKAGES
from gmvae.bench.grid.runs import Run
from gmvae.bench.runs import provenance
from gmvae.bench.runs.assignments import exemplars, stacked
from gmvae.bench.runs.record import FORMAT


@dataclass
class Fit:
    """An estimator and what came of its training.

    Attributes
    ----------
    run : Run
    estimator : object
    seconds : float
        Spent in training, over all attempts.
    status : str
        One of `gmvae.bench.runs.record.STATUSES`.
    reason : str or None
        Why it is not finished.
    history : mapping
        Epoch means by name.
    resumed : int
        How often it went on from a checkpoint.
    """

    run: Run
    estimator: Any
    seconds: float = 0.0
    status: str = "finished"
    reason: str | None = None
    history: Mapping[str, Any] = field(default_factory=dict)
    resumed: int = 0

    def fail(self, status: str, reason: str) -> None:
        """Note that there is no usable result, and why."""
        self.status, self.reason = status, reason


def write_run(
    fit: Fit, test: NDArray[Any], folder: Path, context: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the files of a run, ``run.json`` after all others, and the list of their checksums.

    Parameters
    ----------
    fit : Fit
    test : ndarray, shape (N, n_features)
        Test samples.
    folder : Path
    context : mapping
        What ``run.json`` says besides.

    Returns
    -------
    dict
        What ``run.json`` holds.
    """
    # A collapsed run has clusters to look at; one that diverged or ran out of time has none.
    fitted = fit.status in ("finished", "collapsed")
    arrays: dict[str, NDArray[Any]] = {"clusters": np.zeros(0, np.int32)}
    if fitted:
        arrays = _test_arrays(fit.estimator, test)
    record = {
        "format": FORMAT,
        "run": fit.run.as_dict(),
        "status": fit.status,
        "reason": fit.reason,
        "train_seconds": fit.seconds,
        "elbo": _finite(getattr(fit.estimator, "elbo_", None)),
        "n_parameters": _n_parameters(fit.estimator),
        "training_clusters": training_clusters(fit.estimator) if fitted else None,
        "peak_memory_mb": round(provenance.peak_memory_mb(), 1),
        "resumed": fit.resumed,
        **context,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    files.write_arrays(folder / "test.npz", **arrays)
    epochs = stacked(getattr(fit.estimator, "records_", []))
    files.write_arrays(folder / "epochs.npz", **epochs)
    files.write_csv(folder / "history.csv", fit.history or {"epoch": [], "seconds": []})
    with files.replacing(folder / "model.safetensors") as temporary:
        _save_model(fit.estimator if fitted else None, temporary)
    # After the others, since it says that the run is complete.
    files.write_json(folder / "run.json", record)
    write_manifest(folder / TRAIN_LIST, [folder / name for name in RUN_PRODUCTS])
    return record


def training_clusters(estimator: Any) -> int | None:
    """Clusters in use among the training samples, if the method tells."""
    labels = getattr(estimator, "labels_", None)
    return None if labels is None else len(np.unique(labels))


def _test_arrays(estimator: Any, test: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {**_assignment(estimator, test), **_codes(estimator, test)}


def _codes(estimator: Any, test: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """Where the method puts the samples in a space of its own, for a view of it.

    The ``transform`` of scikit-learn's clusterers gives distances to centres, maybe thousands: only
    one that a class of this project defines is taken for a latent space.
    """
    own = (cls for cls in type(estimator).__mro__ if cls.__module__.split(".")[0] in OWN_PACKAGES)
    if not any("transform" in vars(cls) for cls in own):
        return {}
    return {"codes": np.asarray(estimator.transform(test), dtype=np.float32)}


def _assignment(estimator: Any, test: NDArray[Any]) -> dict[str, NDArray[Any]]:
    if not hasattr(estimator, "predict_proba"):
        clusters = np.asarray(estimator.predict(test))
        if clusters.min() < 0:
            # Some clusterers call noise -1; to the scores it is a cluster of its own.
            clusters = np.where(clusters < 0, clusters.max() + 1, clusters)
        return {"clusters": clusters.astype(np.int32)}
    probabilities = np.asarray(estimator.predict_proba(test))
    return {
        "clusters": probabilities.argmax(axis=1).astype(np.int32),
        "exemplars": exemplars(probabilities),
        "probabilities": probabilities.astype(np.float32),
    }


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _n_parameters(estimator: Any) -> int | None:
    model = getattr(estimator, "model_", None)
    if model is None or not hasattr(model, "parameters"):
        return None
    return sum(parameter.numel() for parameter in model.parameters())


def _save_model(estimator: Any | None, path: Path) -> None:
    if estimator is not None and hasattr(estimator, "save"):
        try:
            estimator.save(path)
        except Exception as error:
            # safetensors has errors of its own, which carry the number in their text alone.
            if f"os error {errno.ENOSPC}" in str(error):
                raise OSError(errno.ENOSPC, str(error)) from error
            raise
        return
    from safetensors.numpy import save_file

    fitted = {} if estimator is None else vars(estimator)
    learnt = {
        name: np.ascontiguousarray(value)
        for name, value in fitted.items()
        if name.endswith("_")
        and name != "labels_"
        and isinstance(value, np.ndarray)
        and value.dtype.kind in "fiu"
    }
    save_file(learnt, path, {"format": "arrays-1", "class": type(estimator).__name__})
