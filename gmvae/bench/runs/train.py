"""One training run, from images to files. No labels."""

from __future__ import annotations

import datetime
import inspect
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk import files, locks
from gmvae.bench.disk.errors import ConfigError, RunError
from gmvae.bench.disk.layout import CHECKPOINTS
from gmvae.bench.grid.runs import Run, methods
from gmvae.bench.runs import provenance
from gmvae.bench.runs.assignments import EpochRecorder
from gmvae.bench.runs.environment import CHECKPOINT_VARIABLE
from gmvae.bench.runs.limits import TimeLimitError, time_limit
from gmvae.bench.runs.products import Fit, training_clusters, write_run

if TYPE_CHECKING:
    from gmvae.training.checkpoints import Checkpoints


class NoCheckpoints:
    """What a method has that keeps none: nothing was spent before."""

    restored_seconds = 0.0
    resumed = 0


@dataclass(frozen=True)
class Job:
    """On what, and how, runs are trained.

    Attributes
    ----------
    train_images, test_images : Path
        Arrays as the data rule writes them; there is no way to pass labels.
    threads : int
        Noted in ``run.json``; the command line sets them before anything is imported.
    verbose : bool
        Whether a method shows its progress on standard error.
    time_limit : float or None
        Seconds after which a run ends without a result.
    config : mapping or None
        The resolved configuration, of which a copy goes into ``run.json``.
    fresh : bool
        Neither use nor leave checkpoints.
    """

    train_images: Path
    test_images: Path
    threads: int = 1
    verbose: bool = False
    time_limit: float | None = None
    config: Mapping[str, Any] | None = None
    fresh: bool = False

    def samples(self, estimator: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Training and test samples, flat, as `estimator` takes them."""
        train, test = map(files.read_array, (self.train_images, self.test_images))
        return _as_taken(estimator, train), _as_taken(estimator, test)

    def context(self) -> dict[str, Any]:
        """What ``run.json`` says of where and of what a run was trained."""
        return {
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "threads": self.threads,
            "time_limit": self.time_limit,
            "data_sha256": {
                "train-images": files.sha256(self.train_images),
                "test-images": files.sha256(self.test_images),
            },
            "program": provenance.program(),
            "libraries": provenance.libraries(),
            "machine": provenance.machine(),
            "config": self.config,
        }


def train_run(run: Run, job: Job, folder: Path) -> dict[str, Any]:
    """Train one method and write everything that scoring needs.

    Parameters
    ----------
    run : Run
    job : Job
    folder : Path
        Where the files of the run go. What an earlier attempt has left there in ``checkpoints/`` is
        used.

    Returns
    -------
    dict
        What ``run.json`` holds. A run that diverges, collapses or exceeds its time limit is a
        result, with that status and a reason; any other exception is a fault and passes through.
    """
    estimator = _build(run, job.verbose)
    train, test = job.samples(estimator)
    fit, recorder = Fit(run, estimator), EpochRecorder(test)
    context = {**job.context(), "precision": run.parameters.get("precision")}
    with _checkpoints(run, folder, job, estimator) as checkpoints:
        offered = {"on_epoch": recorder, "checkpoint": _given(checkpoints)}
        accepted = inspect.signature(estimator.fit).parameters
        started = time.perf_counter()
        try:
            with time_limit(job.time_limit, lambda: checkpoints.restored_seconds):
                estimator.fit(train, **{n: v for n, v in offered.items() if n in accepted})
            fit.history = getattr(estimator, "history_", {})
        except (FloatingPointError, np.linalg.LinAlgError) as error:
            fit.fail("diverged", str(error))
            fit.history = getattr(error, "history", {})
        except TimeLimitError:
            fit.history = getattr(estimator, "history_", {})
            fit.fail("timed_out", _out_of_time(job, fit.history))
        except ValueError as error:
            raise _refusal(run, error) from error
        fit.seconds = time.perf_counter() - started - recorder.seconds
        fit.seconds += checkpoints.restored_seconds
        fit.resumed = checkpoints.resumed
        _note_collapse(fit)
        return write_run(fit, test, folder, context)


def train_runs_together(
    runs: Sequence[Run], job: Job, folders: Sequence[Path]
) -> list[dict[str, Any]]:
    """Train runs that differ in their seed alone as one computation, each with its own files.

    Parameters
    ----------
    runs : sequence of Run
    job : Job
        Its time limit is that of all runs together.
    folders : sequence of Path
        One for each run. Checkpoints of all of them are in the first.

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
    _require_a_folder_each(runs, folders)
    estimators = [_build(run, job.verbose) for run in runs]
    if not callable(getattr(estimators[0], "fit_together", None)):
        raise ConfigError(
            f"{runs[0].class_path} cannot train several seeds together; leave seeds_together out"
        )
    train, test = job.samples(estimators[0])
    fits = [Fit(run, one) for run, one in zip(runs, estimators, strict=True)]
    recorder = EpochRecorder(test)
    context = {
        **job.context(),
        "precision": runs[0].parameters.get("precision"),
        "seeds_together": [run.seed for run in runs],
    }
    with _checkpoints(runs[0], folders[0], job, estimators[0]) as checkpoints:
        started = time.perf_counter()
        try:
            with time_limit(job.time_limit, lambda: checkpoints.restored_seconds):
                errors = estimators[0].fit_together(
                    estimators, train, on_epoch=recorder, checkpoint=_given(checkpoints)
                )
            for fit, failure in zip(fits, errors, strict=True):
                if failure is not None:
                    fit.fail("diverged", str(failure))
        except TimeLimitError:
            for fit in fits:
                reached = getattr(fit.estimator, "history_", {})
                fit.fail("timed_out", _out_of_time(job, reached))
        except ValueError as error:
            raise _refusal(runs[0], error) from error
        spent = time.perf_counter() - started - recorder.seconds
        for fit in fits:
            fit.seconds = (spent + checkpoints.restored_seconds) / len(fits)
            fit.history = getattr(fit.estimator, "history_", {})
            fit.resumed = checkpoints.resumed
            _note_collapse(fit)
        written = zip(fits, folders, strict=True)
        return [write_run(fit, test, folder, context) for fit, folder in written]


@contextmanager
def _checkpoints(
    run: Run, folder: Path, job: Job, estimator: Any
) -> Iterator[Checkpoints | NoCheckpoints]:
    """Those of a run, which one process at a time may use; the score rule removes them.

    They outlive the training, since a run whose end the pipeline did not see is asked for again.
    """
    place = folder / CHECKPOINTS
    with locks.waiting(place / "lock", f"{run.path} is being trained already; waiting for it"):
        if "checkpoint" not in inspect.signature(estimator.fit).parameters or job.fresh:
            yield NoCheckpoints()
            if job.fresh:
                shutil.rmtree(place)
            return
        # Late, since it loads torch, which others do not need.
        from gmvae.training.checkpoints import SECONDS, Checkpoints

        identity = {
            "run": run.as_dict(),
            "sources": methods.source_checksum(run.class_path),
            "libraries": provenance.libraries(),
            "processor": provenance.machine()["processor"],
        }
        seconds = float(os.environ.get(CHECKPOINT_VARIABLE) or SECONDS)
        yield Checkpoints(place, identity, seconds=seconds)


def _given(checkpoints: Checkpoints | NoCheckpoints) -> Checkpoints | None:
    return None if isinstance(checkpoints, NoCheckpoints) else checkpoints


def _note_collapse(fit: Fit) -> None:
    n_clusters = fit.run.K or 1
    if fit.status == "finished" and n_clusters > 1 and training_clusters(fit.estimator) == 1:
        fit.fail("collapsed", f"one cluster of {n_clusters} holds all training samples")


def _out_of_time(job: Job, history: Mapping[str, Any]) -> str:
    epochs = len(history.get("epoch", ()))
    reached = f", after {epochs} whole epochs" if epochs else ""
    return f"the time limit of {job.time_limit:g} s was reached{reached}"


def _require_a_folder_each(runs: Sequence[Run], folders: Sequence[Path]) -> None:
    if not runs or len(runs) != len(folders):
        raise ConfigError(
            f"as many folders as runs, and at least one, are needed; got {len(runs)} runs and "
            f"{len(folders)} folders"
        )
    if len(set(folders)) < len(folders):
        raise ConfigError("each run needs a folder of its own, but one is named twice")


def _refusal(run: Run, error: ValueError) -> RunError:
    return RunError(
        f"{run.class_path} refused to train ({run.path}): {error}\n"
        f"its parameters: {dict(run.parameters)}; set GMVAE_DEBUG=1 to see the traceback"
    )


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
