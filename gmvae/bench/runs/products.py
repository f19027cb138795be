"""Files that a run leaves: assignments, history, model and, after all others, ``run.json``.

Other runs can take over a network from there: the rows of a plain VAE differ in what is done with
its codes, and train the same network from the same seed. A run that reads it ends with the same
bits as one that trains it again.
"""

from __future__ import annotations

import datetime
import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import write_manifest
from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import RUN_PRODUCTS, TRAIN_LIST
from gmvae.bench.grid.entries import foreign
from gmvae.bench.grid.methods import import_class, is_transductive, training_sources
from gmvae.bench.grid.runs import Run
from gmvae.bench.runs import environment
from gmvae.bench.runs.fit import by_epoch, final
from gmvae.bench.runs.record import Record

SHARED_BY = "fit_to_network"
"""Of a class whose network does not depend on the clusters."""


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


def origin_of(class_path: str) -> str | None:
    """Origin of the assignments of a method, see `Record`."""
    if class_path == foreign.CLASS_PATH:
        return "foreign"
    return "transductive" if is_transductive(class_path) else None


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
        origin=origin_of(run.class_path),
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


@dataclass(frozen=True)
class SharedNetwork:
    """The network of another run.

    Attributes
    ----------
    path : str
        Path of that run below the results folder.
    file : Path
        Its ``model.safetensors``.
    history : dict of str to ndarray
        Epoch means of its training.
    """

    path: str
    file: Path
    history: dict[str, NDArray[Any]]

    @property
    def seconds(self) -> float:
        """Time that the other run spent on the network."""
        return float(self.history["seconds"][-1])

    def give(self, estimator: Any, train: NDArray[Any]) -> None:
        """Fit the clusters of an unfitted estimator to the network, on samples (N, n_features)."""
        getattr(estimator, SHARED_BY)(train, self.file, history=self.history)


def shared_network(
    run: Run,
    folder: Path,
    is_current: Callable[[Run, Path], bool],
    *,
    threads: int,
    time_limit: float | None,
) -> SharedNetwork | None:
    """The network that a run would train, from a run that has trained it.

    Parameters
    ----------
    run : Run
    folder : Path
        Its own folder, below that of all results.
    is_current : callable
        Whether a folder holds the result of a run, from the present data and code.
    threads : int
        Number of threads, on which the last bits depend.
    time_limit : float or None
        Seconds that the training of the network may have taken.

    Returns
    -------
    SharedNetwork or None
        None if there is no such run, or if the class of this run trains a network of its own.
    """
    if not hasattr(import_class(run.class_path), SHARED_BY) or run.parameters.get("n_init", 1) != 1:
        return None
    # runs/{dataset}/{method}/{setting}/seed{seed}
    for other in sorted(folder.parents[2].glob(f"*/*/{folder.name}")):
        try:
            record = Record.read(other)
        except DataError:
            continue
        same = other != folder and record.threads == threads and _same_network(run, record)
        if same and is_current(record.run, other):
            history = pd.read_csv(other / "history.csv")
            columns = {str(name): np.asarray(history[name]) for name in history}
            found = SharedNetwork(record.run.path, other / "model.safetensors", columns)
            if time_limit is None or found.seconds < time_limit:
                return found
    return None


def _same_network(run: Run, record: Record) -> bool:
    other = record.run
    return (
        record.status == "finished"
        and (other.dataset, other.seed) == (run.dataset, run.seed)
        and dict(other.parameters) == dict(run.parameters)
        and record.libraries == environment.libraries()
        and record.machine["processor"] == environment.machine()["processor"]
        and hasattr(import_class(other.class_path), SHARED_BY)
    )
