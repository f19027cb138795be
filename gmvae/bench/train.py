"""One training run: images in, assignments, history, model and ``run.json`` out. No labels."""

from __future__ import annotations

import datetime
import inspect
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench import files, methods, provenance
from gmvae.bench.assignments import EpochRecorder, exemplars
from gmvae.bench.errors import ConfigError, RunError
from gmvae.bench.grid import Run


@dataclass
class Fit:
    """An estimator and what came of its training.

    Attributes
    ----------
    run : Run
    estimator : object
    recorder : EpochRecorder
    seconds : float
        Spent in training.
    reason : str or None
        Why it diverged, if it has.
    history : mapping
        Epoch means by name.
    """

    run: Run
    estimator: Any
    recorder: EpochRecorder
    seconds: float = 0.0
    reason: str | None = None
    history: Mapping[str, Any] = field(default_factory=dict)


def train_run(
    run: Run, train_images: Path, test_images: Path, folder: Path, *, threads: int, verbose: bool
) -> dict[str, Any]:
    """Train one method and write everything that scoring needs.

    Parameters
    ----------
    run : Run
    train_images, test_images : Path
        Arrays as the data rule writes them; there is no way to pass labels.
    folder : Path
        Where the files of the run go.
    threads : int
        Noted in ``run.json``; the command line sets them before anything is imported.
    verbose : bool
        Whether the method shows its progress on standard error.

    Returns
    -------
    dict
        What ``run.json`` holds. A run that diverges is a result, with status "diverged" and the
        reason; any other exception is a fault and passes through.
    """
    estimator = _build(run, verbose)
    train, test = (
        _as_taken(estimator, files.read_array(images)) for images in (train_images, test_images)
    )
    fit = Fit(run, estimator, EpochRecorder(test))
    context = _context(train_images, test_images, threads)
    started = time.perf_counter()
    try:
        takes_recorder = "on_epoch" in inspect.signature(estimator.fit).parameters
        estimator.fit(train, **({"on_epoch": fit.recorder} if takes_recorder else {}))
        fit.history = getattr(estimator, "history_", {})
    except FloatingPointError as error:
        fit.reason = str(error)
        fit.history = getattr(error, "history", {})
    except ValueError as error:
        raise _refusal(run, error) from error
    fit.seconds = time.perf_counter() - started - fit.recorder.seconds
    return _write(fit, test, folder, context)


def train_runs_together(
    runs: Sequence[Run],
    train_images: Path,
    test_images: Path,
    folders: Sequence[Path],
    *,
    threads: int,
    verbose: bool,
) -> list[dict[str, Any]]:
    """Train runs that differ in their seed alone as one computation, each with its own files.

    Parameters
    ----------
    runs : sequence of Run
    train_images, test_images : Path
    folders : sequence of Path
        One for each run.
    threads : int
    verbose : bool
        As for `train_run`.

    Returns
    -------
    list of dict
        What each ``run.json`` holds. The training time of a run is its share of that of all; the
        peak of memory is that of the process.

    Raises
    ------
    ConfigError
        If the method cannot do this, or the number of folders is not that of the runs.
    """
    if not runs or len(runs) != len(folders):
        raise ConfigError(
            f"as many folders as runs, and at least one, are needed; got {len(runs)} runs and "
            f"{len(folders)} folders"
        )
    if len(set(folders)) < len(folders):
        raise ConfigError("each run needs a folder of its own, but one is named twice")
    estimators = [_build(run, verbose) for run in runs]
    if not hasattr(estimators[0], "fit_together"):
        raise ConfigError(
            f"{runs[0].class_path} cannot train several seeds together; leave seeds_together out"
        )
    train, test = (
        _as_taken(estimators[0], files.read_array(images)) for images in (train_images, test_images)
    )
    fits = [Fit(run, one, EpochRecorder(test)) for run, one in zip(runs, estimators, strict=True)]
    recorders = {id(fit.estimator): fit.recorder for fit in fits}
    context = _context(train_images, test_images, threads)
    started = time.perf_counter()
    try:
        errors = estimators[0].fit_together(
            estimators, train, on_epoch=lambda one, epoch: recorders[id(one)](one, epoch)
        )
    except ValueError as error:
        raise _refusal(runs[0], error) from error
    spent = time.perf_counter() - started - sum(fit.recorder.seconds for fit in fits)
    for fit, failure in zip(fits, errors, strict=True):
        fit.seconds = spent / len(fits)
        fit.reason = None if failure is None else str(failure)
        fit.history = getattr(fit.estimator, "history_", {})
    context["seeds_together"] = [run.seed for run in runs]
    return [_write(fit, test, folder, context) for fit, folder in zip(fits, folders, strict=True)]


def _context(train_images: Path, test_images: Path, threads: int) -> dict[str, Any]:
    """What ``run.json`` says of where and of what a run was trained."""
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "threads": threads,
        "data_sha256": {
            "train-images": files.sha256(train_images),
            "test-images": files.sha256(test_images),
        },
        "program": provenance.program(),
        "libraries": provenance.libraries(),
        "machine": provenance.machine(),
    }


def _refusal(run: Run, error: ValueError) -> RunError:
    return RunError(
        f"{run.class_path} refused to train ({run.path}): {error}\n"
        f"its parameters: {dict(run.parameters)}; set GMVAE_DEBUG=1 to see the traceback"
    )


def _write(
    fit: Fit, test: NDArray[Any], folder: Path, context: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the files of a run, ``run.json`` last; returns what that holds."""
    finished = fit.reason is None
    arrays: dict[str, NDArray[Any]] = {"clusters": np.zeros(0, np.int32)}
    if finished:
        arrays = _test_arrays(fit.estimator, test)
    record = {
        "run": fit.run.as_dict(),
        "status": "finished" if finished else "diverged",
        "reason": fit.reason,
        "train_seconds": fit.seconds,
        "elbo": _finite(getattr(fit.estimator, "elbo_", None)),
        "n_parameters": _n_parameters(fit.estimator),
        "peak_memory_mb": round(provenance.peak_memory_mb(), 1),
        **context,
    }
    files.write_arrays(folder / "test.npz", **arrays)
    epochs = fit.recorder.arrays(getattr(fit.estimator, "best_init_", 0))
    files.write_arrays(folder / "epochs.npz", **epochs)
    files.write_csv(folder / "history.csv", fit.history or {"epoch": [], "seconds": []})
    with files.replacing(folder / "model.safetensors") as temporary:
        _save_model(fit.estimator if finished else None, temporary)
    # Last, since it says that the run is complete.
    files.write_json(folder / "run.json", record)
    return record


def _build(run: Run, verbose: bool) -> Any:
    cls = methods.import_class(run.class_path)
    accepted = inspect.signature(cls).parameters
    arguments = dict(run.parameters)
    if "random_state" in accepted:
        arguments["random_state"] = run.seed
    if "verbose" in accepted and run.class_path.split(".")[0] in methods.OWN_PACKAGES:
        arguments["verbose"] = verbose
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ConfigError(f"{run.class_path} cannot be made with {arguments}: {error}") from error


def _as_taken(estimator: Any, images: NDArray[Any]) -> NDArray[Any]:
    """Flat samples, as bytes for methods that scale them batch by batch, else in [0, 1]."""
    flat = images.reshape(len(images), -1)
    if flat.dtype != np.uint8 or getattr(estimator, "accepts_bytes", False):
        return flat
    return flat.astype(np.float32) / np.float32(255)


def _test_arrays(estimator: Any, test: NDArray[Any]) -> dict[str, NDArray[Any]]:
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
        estimator.save(path)
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
