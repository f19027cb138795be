"""Files that a run leaves: assignments, history, model and, after all others, ``run.json``."""

from __future__ import annotations

import datetime
import errno
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import write_manifest
from gmvae.bench.disk.layout import RUN_PRODUCTS, TRAIN_LIST
from gmvae.bench.grid.runs import Run
from gmvae.bench.grid.sources import source_checksum
from gmvae.bench.runs import environment
from gmvae.bench.runs.fit import by_epoch, final
from gmvae.bench.runs.record import Record

FIT = Path(__file__).with_name("fit.py")


@dataclass(frozen=True)
class Outcome:
    """A fitted estimator, or the reason why there is none.

    Attributes
    ----------
    estimator : object
    status : str
        One of `gmvae.bench.runs.record.STATUSES`.
    reason : str or None
    history : dict
        Epoch means by name.
    seconds : float
        Training time over all attempts.
    resumed : int
        Number of times that the training went on from a checkpoint.
    """

    estimator: Any
    status: str
    reason: str | None
    history: dict[str, Any]
    seconds: float
    resumed: int

    @property
    def has_clusters(self) -> bool:
        """Whether there are clusters to look at: a collapsed run has one."""
        return self.status in ("finished", "collapsed")


def training_clusters(estimator: Any) -> int | None:
    """Number of clusters with training samples, if the method says."""
    labels = getattr(estimator, "labels_", None)
    return None if labels is None else len(np.unique(labels))


@cache
def training_sources(class_path: str) -> str:
    """Checksum of the code that decides the result of a method's runs."""
    return source_checksum(class_path.rpartition(".")[0], more=(FIT,))


def write_run(
    run: Run, outcome: Outcome, test: NDArray[Any], folder: Path, context: dict[str, Any]
) -> Record:
    """Write the files of a run, ``run.json`` after all others, and the list of their checksums.

    Parameters
    ----------
    run : Run
    outcome : Outcome
    test : ndarray, shape (N, n_features)
        Test samples.
    folder : Path
    context : dict
        Further fields of the `Record`, known before the training.

    Returns
    -------
    Record
    """
    estimator = outcome.estimator
    arrays: dict[str, NDArray[Any]] = {"clusters": np.zeros(0, np.int32)}
    if outcome.has_clusters:
        arrays = final(estimator, test)
    files.write_arrays(folder / "test.npz", **arrays)
    files.write_arrays(folder / "epochs.npz", **by_epoch(getattr(estimator, "records_", [])))
    files.write_csv(folder / "history.csv", outcome.history or {"epoch": [], "seconds": []})
    with files.replacing(folder / "model.safetensors") as temporary:
        _save_model(estimator if outcome.has_clusters else None, temporary)
    record = Record(
        run=run,
        status=outcome.status,
        reason=outcome.reason,
        train_seconds=outcome.seconds,
        elbo=_finite(getattr(estimator, "elbo_", None)),
        conditional_prior=_last(outcome.history, "conditional_prior"),
        n_parameters=_n_parameters(estimator),
        training_clusters=training_clusters(estimator) if outcome.has_clusters else None,
        peak_memory_mb=round(environment.peak_memory_mb(), 1),
        resumed=outcome.resumed,
        finished=now(),
        sources_sha256=training_sources(run.class_path),
        program=environment.program(),
        libraries=environment.libraries(),
        machine=environment.machine(),
        **context,
    )
    record.write(folder)
    write_manifest(folder / TRAIN_LIST, [folder / name for name in RUN_PRODUCTS])
    return record


def _save_model(estimator: Any | None, path: Path) -> None:
    if estimator is not None and hasattr(estimator, "save"):
        try:
            estimator.save(path)
        except Exception as error:
            # safetensors has its own errors, with the number of the cause in their text alone.
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


def _n_parameters(estimator: Any) -> int | None:
    model: Any = getattr(estimator, "model_", None)
    if not hasattr(model, "parameters"):
        return None
    return sum(parameter.numel() for parameter in model.parameters())


def _last(history: dict[str, Any], name: str) -> float | None:
    values = history.get(name, ())
    return _finite(values[-1]) if len(values) else None


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def now() -> str:
    """Time of day, ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
