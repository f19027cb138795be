"""One training run: images in, assignments, history, model and ``run.json`` out. No labels."""

from __future__ import annotations

import datetime
import inspect
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench import files, methods, provenance
from gmvae.bench.assignments import EpochRecorder, exemplars
from gmvae.bench.errors import ConfigError, RunError
from gmvae.bench.grid import Run


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
    train = _as_taken(estimator, files.read_array(train_images))
    test = _as_taken(estimator, files.read_array(test_images))
    recorder = EpochRecorder(test)
    started_at = datetime.datetime.now(datetime.UTC)
    started = time.perf_counter()
    reason: str | None = None
    history: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {"clusters": np.zeros(0, np.int32)}
    try:
        takes_recorder = "on_epoch" in inspect.signature(estimator.fit).parameters
        estimator.fit(train, **({"on_epoch": recorder} if takes_recorder else {}))
    except FloatingPointError as error:
        reason = str(error)
        history = getattr(error, "history", {})
    except ValueError as error:
        raise RunError(
            f"{run.class_path} refused to train ({run.path}): {error}\n"
            f"its parameters: {dict(run.parameters)}; set GMVAE_DEBUG=1 to see the traceback"
        ) from error
    seconds = time.perf_counter() - started - recorder.seconds
    if reason is None:
        arrays = _test_arrays(estimator, test)
        history = getattr(estimator, "history_", {})
    record = {
        "run": run.as_dict(),
        "status": "finished" if reason is None else "diverged",
        "reason": reason,
        "train_seconds": seconds,
        "elbo": _finite(getattr(estimator, "elbo_", None)),
        "n_parameters": _n_parameters(estimator),
        "started": started_at.isoformat(timespec="seconds"),
        "threads": threads,
        "peak_memory_mb": round(provenance.peak_memory_mb(), 1),
        "data_sha256": {
            "train-images": files.sha256(train_images),
            "test-images": files.sha256(test_images),
        },
        "program": provenance.program(),
        "libraries": provenance.libraries(),
        "machine": provenance.machine(),
    }
    files.write_arrays(folder / "test.npz", **arrays)
    epochs = recorder.arrays(getattr(estimator, "best_init_", 0))
    files.write_arrays(folder / "epochs.npz", **epochs)
    files.write_csv(folder / "history.csv", history or {"epoch": [], "seconds": []})
    with files.replacing(folder / "model.safetensors") as temporary:
        _save_model(estimator if reason is None else None, temporary)
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
